"""What Project Gutenberg's headers say of a book: title, author, language, date, number, and the file's encoding."""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

#: Bytes in which a header's line on the encoding is looked for.
_HEAD_BYTES = 1 << 15
_ENCODING = re.compile(rb"^[ \t]*Character set encoding:[ \t]*([^\r\n]{1,60})", re.IGNORECASE | re.MULTILINE)
_FIELD = re.compile(r"^\s{0,3}\[?([A-Z][A-Za-z]*(?:[ -][A-Za-z]+){0,3}):[ \t]+(\S.*)$")
_NUMBER = re.compile(r"[\[(]\s*(?:e-?text|e-?book)\s*(?:#|no\.?|number)\s*(\d{1,7})\s*[\])]", re.IGNORECASE)
_FILE_NUMBER = re.compile(r"^(?:pg)?(\d{1,6})(?:-\w{1,8})?$")
_DATE = re.compile(
    r"\b(?P<month>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\.?\s*(?:(?P<day>\d{1,2})\s*,?\s+|,?\s*)"
    r"(?P<year>\d{4})\b"
)
_ISO_DATE = re.compile(r"\b(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)\b")
_OPENING = re.compile(
    r"Project Gutenberg(?:['’]s)?(?: E-?text| E-?book)?(?: of| presents)?,? ?(?P<title>[^*#\[]{3,120}?)"
    r"(?:,? by (?P<author>[^*#\[\]]{3,60}?))?(?= ?[*#\[(]| Copyright| This |$)",
    re.IGNORECASE,
)
_OPENING_LINES, _OPENING_CHARS = 4, 400
_WRITTEN_IN = re.compile(r"\W*This (?:book|e-?text) is (?:written )?in (\w+)", re.IGNORECASE)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_FIRST_YEAR = 1971  # of Project Gutenberg

_CODES = """
afrikaans=af arabic=ar breton=br bulgarian=bg catalan=ca cebuano=ceb chinese=zh czech=cs danish=da dutch=nl
english=en esperanto=eo estonian=et farsi=fa finnish=fi flemish=nl french=fr frisian=fy friulian=fur gaelic=gd
galician=gl german=de greek=el hebrew=he hungarian=hu icelandic=is iloko=ilo interlingua=ia inuktitut=iu
irish=ga italian=it japanese=ja korean=ko latin=la lithuanian=lt maori=mi middle_english=enm
napoletano-calabrese=nap norwegian=no occitan=oc old_english=ang ojibwa=oj polish=pl portuguese=pt romanian=ro
russian=ru sanskrit=sa serbian=sr slovenian=sl spanish=es swedish=sv tagalog=tl telugu=te welsh=cy yiddish=yi
deutsch=de français=fr español=es
"""
#: ISO 639-1 codes (639-2 where there is none) of the languages that headers name.
LANGUAGES: Mapping[str, str] = {
    name.replace("_", " "): code for name, code in (pair.split("=") for pair in _CODES.split())
}


@dataclass(frozen=True, slots=True)
class Header:
    """What a header says.

    Attributes:
        title: The title, its first line; empty where it says none, as are all others.
        author: The author.
        language: ISO 639 code.
        released: Day of release as ISO 8601 time in UTC; the first of its month where no day is given.
        encoding: The encoding, as it is named.
        number: The ebook's number; 0 where it has none.
        others: All fields by their names in lower case.
    """

    title: str = ""
    author: str = ""
    language: str = ""
    released: str = ""
    encoding: str = ""
    number: int = 0
    others: Mapping[str, str] = field(default_factory=dict)


def declared_encoding(data: bytes) -> str | None:
    r"""Find the encoding that the header of a file names, in its bytes.

    >>> declared_encoding(b"Title: Faust\r\nCharacter set encoding: ISO-8859-1\r\n")
    'ISO-8859-1'
    """
    found = _ENCODING.search(data[:_HEAD_BYTES])
    return found.group(1).strip().decode("latin-1") if found else None


def parse_header(lines: Sequence[str]) -> Header:
    """Read the fields of a header.

    Args:
        lines: The lines of the header, from its first to the mark where the book starts.
    """
    fields: dict[str, str] = {}
    number, numbered_line = 0, ""
    for line in lines:
        if found := _FIELD.match(line):
            fields.setdefault(found.group(1).lower(), found.group(2).strip().rstrip("]").strip())
        if not number and (numbered := _NUMBER.search(line)):
            number, numbered_line = int(numbered.group(1)), line
    opening = itertools.takewhile(str.strip, lines[:_OPENING_LINES])
    named = _OPENING.search(" ".join(" ".join(opening)[:_OPENING_CHARS].split()))
    dates = (fields.get(name, "") for name in ("release date", "posting date", "first posted"))
    written = next(filter(None, map(_WRITTEN_IN.match, lines)), None)
    return Header(
        title=fields.get("title", named.group("title") if named else ""),
        author=fields.get("author", (named.group("author") or "") if named else ""),
        language=language_code(fields.get("language", written.group(1) if written else "")),
        released=next((day for day in map(parse_date, (*dates, numbered_line)) if day), ""),
        encoding=fields.get("character set encoding", ""),
        number=number,
        others=fields,
    )


def language_code(name: str) -> str:
    """Give the ISO 639 code of the first language a header names; empty where it is not known.

    >>> language_code("English"), language_code("French and English"), language_code("en"), language_code("Klingon")
    ('en', 'fr', 'en', '')
    """
    plain = re.split(r"\s*(?:,|;|/|&|\(|\band\b)\s*", name.strip().lower())[0]
    return plain if plain in LANGUAGES.values() else LANGUAGES.get(plain, "")


def parse_date(text: str) -> str:
    """Give the first whole date in a text as ISO 8601 time; empty where there is none, or none there can have been.

    >>> parse_date("July 12, 2008 [EBook #244]"), parse_date("March, 1994"), parse_date("January, 15")
    ('2008-07-12T00:00:00+00:00', '1994-03-01T00:00:00+00:00', '')
    """
    found = _DATE.search(text)
    if found:
        month = _MONTHS.index(found.group("month")) + 1
    else:
        found = _ISO_DATE.search(text)
        month = int(found.group("month")) if found else 0
    if not found:
        return ""
    year, day = int(found.group("year")), int(found.group("day") or 1)
    if year < _FIRST_YEAR or not 1 <= month <= len(_MONTHS) or not 1 <= day <= _DAYS[month - 1]:
        return ""
    return f"{year}-{month:02}-{day:02}T00:00:00+00:00"


def number_of_file(stem: str) -> int:
    """Give the ebook's number that Project Gutenberg's file names carry; 0 where a name carries none.

    >>> number_of_file("gutenberg/1342-0"), number_of_file("pg74"), number_of_file("8wahl10")
    (1342, 74, 0)
    """
    found = _FILE_NUMBER.match(stem.rpartition("/")[2].rpartition("#")[2])
    return int(found.group(1)) if found else 0
