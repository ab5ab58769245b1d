"""Settings of Wikipedia: its dumps, which of their pages are articles, and what is asked of an article's text."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from pipeline.sources.mediawiki import MAX_PAGE_BYTES
from pipeline.sources.wiki_sites import address_meant, database_of, site_code

#: "bg, ca, cs, da, de, en, es, fr, hr, hu, it, nl, pl, pt, ro, ru, sl, sr, sv, uk" (Touvron et al. 2023, section 2.1).
LLAMA_LANGUAGES = (
    *("bg", "ca", "cs", "da", "de", "en", "es", "fr", "hr", "hu"),
    *("it", "nl", "pl", "pt", "ro", "ru", "sl", "sr", "sv", "uk"),
)


def _refuse_mistaken(code: Any) -> Any:
    """Refuse what cannot be meant, since no dump would ever be of that language."""
    if code is False:
        raise ValueError('YAML reads no as false: write "no", in quotes')
    if isinstance(code, str) and address_meant(code) != code:
        raise ValueError(f"the address of that Wikipedia begins with {address_meant(code)}")
    return code


def _refuse_unknown(code: str) -> str:
    """Refuse what no Wikipedia's address begins with, once it has the form of a code."""
    if not site_code(database_of(code)):
        raise ValueError("no Wikipedia's address begins so; it is a code such as de, simple or zh-yue")
    return code


Language = Annotated[
    str, BeforeValidator(_refuse_mistaken), Field(pattern=r"^[a-z][a-z0-9-]*$"), AfterValidator(_refuse_unknown)
]


class WikipediaDump(BaseModel):
    """Dump files of one time, of one wiki or several.

    Attributes:
        id: Its name, usually the date: ``20220720``. A page that stands in several dumps is taken from the newest,
            which is the one whose id is the last in alphabetical order, whatever the order they are listed in; of
            several states of a page in one dump the newest stays.
        paths: Globs, folders, files, or lists of paths, relative to ``data``: ``.xml``, plain or as ``.bz2``, ``.gz``
            or ``.7z``. The indexes of multistream dumps may lie beside them and are left out.
        wiki: Which wiki all these files are of, ``dewiki``; ``null`` takes each file's name, and where that does not
            tell, the name of the database in its head.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")]
    paths: Annotated[tuple[str, ...], Field(min_length=1)]
    wiki: str | None = None

    @model_validator(mode="after")
    def _wiki_is_a_wikipedia(self) -> "WikipediaDump":
        if self.wiki is not None and not site_code(self.wiki):
            raise ValueError(f"wiki must name a Wikipedia's database, such as dewiki, not {self.wiki!r}")
        return self


class WikipediaSettings(BaseModel):
    """Wikipedia, in twenty languages (Touvron et al., 2023, section 2.1).

    Attributes:
        dumps: The dumps to read; the paper's are of June to August 2022. Of a page in several, the newest dump's stays.
        languages: Codes of the languages that are read, as in the wikis' addresses (``en`` is not ``simple``); ``null``
            for all. A dump of another one is not read and leaves one dropped record behind. The paper's twenty by
            default.
        split_bytes: Longer files, in compressed bytes, are read in ranges of this size side by side, where they can be
            entered in the middle: plain XML, and bzip2 of many streams (multistream dumps, parallel compressors).
            ``null`` reads each file in one go, as one is whose wiki neither ``wiki`` nor its name tells.
        min_chars: An article with fewer characters of text is left out; one without any always is.
        keep_disambiguations: Whether pages that list the meanings of a word are articles.
        title_first: Whether a document begins with the article's title and a blank line. The paper is silent; the
            published corpora of Wikipedia's text do without, and the title is in the metadata.
        siteinfo: Folder, relative to ``data``, of what the wikis' API says of their namespaces,
            ``<wiki>-configuration.xml`` or ``.json``, for dumps whose head is another wiki's; ``null`` takes the heads
            and what is known of the twenty languages.
        max_page_bytes: Longest page to hold in memory, in bytes of XML; a longer one is an error.
        max_shuffle_bytes: Bytes of ids that cross the shuffle at once, 16 a page; more are taken in several passes,
            each resumable. ``null`` takes all in one, as a cluster can.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    dumps: Annotated[tuple[WikipediaDump, ...], Field(min_length=1)]
    languages: Annotated[tuple[Language, ...], Field(min_length=1)] | None = LLAMA_LANGUAGES
    split_bytes: Annotated[int, Field(ge=1 << 10)] | None = 256 << 20
    min_chars: Annotated[int, Field(ge=0)] = 1
    keep_disambiguations: bool = False
    title_first: bool = False
    siteinfo: str | None = None
    max_page_bytes: Annotated[int, Field(ge=1 << 10, le=1 << 30)] = MAX_PAGE_BYTES
    max_shuffle_bytes: Annotated[int, Field(ge=1 << 20)] | None = 256 << 20

    @model_validator(mode="after")
    def _dumps_differ(self) -> "WikipediaSettings":
        names = [dump.id for dump in self.dumps]
        if len(set(names)) < len(names):
            raise ValueError(f"dumps must have different ids, not {names}")
        return self
