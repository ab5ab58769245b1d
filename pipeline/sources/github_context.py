"""What the readers of GitHub's files share: where a file stands, under which licence, and what becomes of it."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from filters.code import CodeLimits, check_path
from filters.code_languages import code_language
from filters.encoding import check_text, clean_line_ends, decode_text
from filters.licences import check_licences, licence_expression
from filters.verdict import Drop, Reason
from pipeline.document import Document, Dropped, MalformedRecord, Shard, utf8_size
from pipeline.github_settings import GithubCollection, GithubSettings
from pipeline.reading import Item

SOURCE = "github"

#: Git's modes have the kind of an entry in their higher bits; a file's is this one.
_KIND, _FILE = 0o170000, 0o100000
_BRANCH = "refs/heads/"
_REMEMBERED = 4096  # licences that were judged
#: How Python sources declare an encoding (PEP 263), in one of their first two lines.
_DECLARED = re.compile(rb"\A(?:[^\n]*\n)?[ \t\f]*#[^\n]*?coding[:=][ \t]*([-\w.]{1,40})")


class RepositoryReason(Reason):
    """Why an entry of a repository is no document, whatever it says."""

    NOT_A_FILE = "github/not_a_file"
    BINARY = "github/binary"
    NO_CONTENT = "github/no_content"
    TOO_LONG = "github/too_long"
    NO_PLACE = "github/no_place"


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a file stands.

    Attributes:
        repository: The repository, ``owner/name`` on GitHub.
        ref: The branch, tag or commit.
        path: The path in the repository.
    """

    repository: str
    ref: str
    path: str

    @property
    def id(self) -> str:
        """The document's id."""
        return f"{SOURCE}/{self.repository}@{self.ref}:{self.path}"


@dataclass(frozen=True, slots=True)
class GithubContext:
    """What the readers of a collection go by.

    Attributes:
        collection: The collection.
        families: Families of licences that are permitted.
        limits: What paths are held to.
        max_file_bytes: Longest text to hold.
    """

    collection: GithubCollection
    families: Collection[str]
    limits: CodeLimits
    max_file_bytes: int
    _judged: dict[tuple[str, ...], Drop | None] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, settings: GithubSettings, collection: str) -> "GithubContext":
        """Make the context of a collection."""
        return cls(
            settings.collection(collection), frozenset(settings.licences), settings.limits, settings.max_file_bytes
        )

    def check_licences(self, licences: Sequence[str]) -> Drop | None:
        """Decide on what is stated of a repository; what was decided is remembered. Nothing stated decides nothing."""
        if not licences:
            return None
        key = tuple(licences)
        if key not in self._judged:
            if len(self._judged) >= _REMEMBERED:
                self._judged.clear()
            self._judged[key] = check_licences(key, self.families)
        return self._judged[key]

    def check_place(self, place: Place, licences: Sequence[str], mode: int | None) -> Drop | None:
        """Decide on what is known of a file without its content: that it is one, its licence, its path."""
        if mode is not None and mode & _KIND not in {_FILE, 0}:
            return Drop(RepositoryReason.NOT_A_FILE, mode)
        return self.check_licences(licences) or check_path(place.path, self.limits)

    def drop(self, place: Place, drop: Drop) -> Dropped:
        """Account for a file that is let go before it is a document."""
        return Dropped(place.id, self.url(place), drop.reason, drop.measured, drop.limit, detail=drop.detail)

    def too_long(self, place: Place, size: int, *, whole: bool = True) -> Dropped:
        """Account for a file that is longer than allowed, by the bytes counted, which may not be all it has."""
        detail = None if whole else "at least that many bytes: the rest was not read"
        return self.drop(place, Drop(RepositoryReason.TOO_LONG, size, self.max_file_bytes, detail))

    def url(self, place: Place) -> str:
        """Give a file's address; empty where it has none."""
        if self.collection.url is None:
            return ""
        ref = place.ref.removeprefix(_BRANCH)
        return self.collection.url.format(repository=place.repository, ref=ref, path=place.path)

    def from_text(self, place: Place, licences: Sequence[str], text: str) -> Item:
        """Make a document of what comes as characters."""
        try:
            size = utf8_size(text)
        except UnicodeEncodeError as error:
            return MalformedRecord(f"{SOURCE}/lone_surrogate", f"{place.id}: {error}"[:200], offset=0)
        if size > self.max_file_bytes:
            return self.too_long(place, size)
        refused = check_text(text)
        if refused is not None:
            return self.drop(place, refused)
        return self._document(place, licences, clean_line_ends(text), "utf-8")

    def from_bytes(self, place: Place, licences: Sequence[str], data: bytes) -> Item:
        """Make a document of the bytes of a file."""
        declared = _DECLARED.match(data)
        decoded = decode_text(data, declared[1].decode("ascii", "replace") if declared else None)
        if isinstance(decoded, Drop):
            return self.drop(place, decoded)
        return self._document(place, licences, decoded.text, decoded.encoding)

    def _document(self, place: Place, licences: Sequence[str], text: str, encoding: str) -> Document:
        document = Document(place.id, SOURCE, text, url=self.url(place))
        document.metadata.update(
            dump=self.collection.id,
            encoding=encoding,
            original_chars=len(text),
            licence=join_licences([licence_expression(one) or one for one in licences]),
            repository=place.repository,
            ref=place.ref,
            path=place.path,
            programming_language=code_language(place.path),
        )
        return document


def collection_of(shard: Shard) -> str:
    """Give the id of the collection a shard belongs to; ``+`` and what its files are stand behind it."""
    return shard.dump.partition("+")[0]


def join_licences(licences: Sequence[str]) -> str:
    """Write a repository's licences as one expression.

    >>> join_licences(["MIT OR GPL-2.0-only", "BSD-3-Clause"]), join_licences(["mit"])
    ('(MIT OR GPL-2.0-only) AND BSD-3-Clause', 'mit')
    """
    return " AND ".join(f"({one})" if " " in one and len(licences) > 1 else one for one in licences)
