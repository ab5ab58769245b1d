"""Settings of GitHub: where its files come from, whose licences are permitted, and what a file is held to."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from filters.code import CodeLimits

Column = Annotated[str, Field(min_length=1)]
Paths = Annotated[tuple[str, ...], Field(min_length=1)]

#: What a URL is made of.
_PLACEHOLDERS = {"repository": "owner/name", "ref": "main", "path": "src/main.c"}


class GithubColumns(BaseModel):
    """What the columns of the tables are called; by default as in BigQuery's ``github_repos``.

    A column that is named in the config must be there. Of those that are not named, a table may lack ``ref``,
    ``mode``, ``binary`` and ``licence``.

    Attributes:
        content: The text of a file.
        blob: What names a content where files and contents are two tables: git's hash of it.
        repository: The repository, ``owner/name``.
        ref: The branch, tag or commit.
        path: The file's path in the repository.
        mode: Git's mode, by which links are known.
        binary: Whether the content is no text.
        licence: The repository's licence: a name, an SPDX id or expression, or a list of these.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    content: Column = "content"
    blob: Column = "id"
    repository: Column = "repo_name"
    ref: Column = "ref"
    path: Column = "path"
    mode: Column = "mode"
    binary: Column = "binary"
    licence: Column = "license"


class InstalledDistributions(BaseModel):
    """Python distributions that are installed on the machine of the launching process.

    Attributes:
        folder: A ``site-packages``, relative to ``data``; ``null`` is the running interpreter's.
        distributions: Those to take, by name; ``null`` for all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: Annotated[str, Field(min_length=1)] | None = None
    distributions: Annotated[tuple[str, ...], Field(min_length=1)] | None = None


class GithubCollection(BaseModel):
    """Tables with the contents of files, repositories as folders and archives, or what is installed.

    Attributes:
        id: Its name, the files' ``metadata.dump``; of two collections that have a file of the same id, the one with
            the greater name is the newer, and its file stays.
        rows: Tables with a content a row, relative to ``data``: Parquet, Avro or JSON lines, which may be compressed.
            Each row says repository and path too, unless ``files`` does.
        files: Tables that say where each content stands, by its ``blob``: BigQuery's ``files``.
        licenses: Tables with the licence of each repository: BigQuery's ``licenses``. Where none are given, a column
            of ``files`` says it, or of ``rows`` where these have the places.
        repositories: Folders that hold repositories, or archives of one repository each (``.zip``, ``.tar``,
            ``.tar.gz``, ``.tgz``, ``.tar.zst``). Links are not followed, and what is git's own is not read.
        installed: Python distributions, each a repository ``pypi/<name>`` with its version as ref, to try the source
            without BigQuery. The documents depend on the environment; they have no address unless ``url`` is given.
        depth: Folders that a repository's name is made of, in a folder of repositories: 2 for ``owner/name``.
        ref: The branch, tag or commit, where no column tells it.
        columns: What the columns are called.
        url: The address of a file, of ``{repository}``, ``{ref}`` and ``{path}``; ``null`` where it has none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")]
    rows: Paths | None = None
    files: Paths | None = None
    licenses: Paths | None = None
    repositories: Paths | None = None
    installed: InstalledDistributions | None = None
    depth: Annotated[int, Field(ge=1, le=8)] = 2
    ref: Annotated[str, Field(pattern=r"^[^\s:]+$")] = "HEAD"
    columns: GithubColumns = GithubColumns()
    url: str | None = "https://github.com/{repository}/blob/{ref}/{path}"

    @field_validator("url")
    @classmethod
    def _can_be_filled_in(cls, url: str | None) -> str | None:
        try:
            if url is not None:
                url.format(**_PLACEHOLDERS)
        except (LookupError, ValueError, AttributeError) as error:
            raise ValueError("only {repository}, {ref} and {path} can be filled in") from error
        return url

    @model_validator(mode="after")
    def _is_one_kind(self) -> "GithubCollection":
        if sum(one is not None for one in (self.rows, self.repositories, self.installed)) != 1:
            raise ValueError(f"collection {self.id}: give rows, which are tables, or repositories, or installed")
        if self.rows is None and (self.files or self.licenses):
            raise ValueError(f"collection {self.id}: files and licenses are tables beside rows, not repositories")
        return self


class GithubSettings(BaseModel):
    """GitHub: files of repositories under permissive licences.

    Attributes:
        collections: Where the files come from.
        licences: Families of licences that are permitted.
        limits: What a file is held to.
        max_file_bytes: UTF-8 bytes of a file; a longer one goes. BigQuery holds no contents beyond a mebibyte.
        partition_bytes: Where contents and files are two tables, they meet in partitions of some so many bytes of
            the contents' tables.
        max_shuffle_bytes: Bytes of fingerprints that cross the shuffle at once, 16 a file; more are taken in several
            passes, each resumable. ``null`` takes all in one, as a cluster can.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    collections: Annotated[tuple[GithubCollection, ...], Field(min_length=1)]
    licences: Annotated[tuple[Literal["apache", "bsd", "mit"], ...], Field(min_length=1)] = ("apache", "bsd", "mit")
    limits: CodeLimits = CodeLimits()
    max_file_bytes: Annotated[int, Field(ge=1, le=1 << 30)] = 1 << 20
    partition_bytes: Annotated[int, Field(ge=1 << 10, le=1 << 36)] = 64 << 20
    max_shuffle_bytes: Annotated[int, Field(ge=1 << 20)] | None = 256 << 20

    @model_validator(mode="after")
    def _ids_differ(self) -> "GithubSettings":
        names = [collection.id for collection in self.collections]
        if len(set(names)) < len(names):
            raise ValueError(f"collections must have different ids, not {names}")
        return self

    def collection(self, identifier: str) -> GithubCollection:
        """Give the collection of an id."""
        return next(collection for collection in self.collections if collection.id == identifier)
