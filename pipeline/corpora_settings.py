"""Settings of ready corpora: documents that others have cleaned, and what the columns of their rows are called."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from pipeline.document import METADATA

#: A column, or a value inside of one: ``meta.url`` is what the object in ``meta`` calls ``url``.
Column = Annotated[str, Field(pattern=r"^[^.]+(\.[^.]+)*$")]
#: A corpus' name is that of its source: in the names of stages and folders, in the mixture, in tables.
CorpusName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]


class CorpusSettings(BaseModel):
    """A ready corpus: rows with a text each, which stays as it is.

    Attributes:
        paths: JSON lines (``.jsonl``, ``.json``, ``.ndjson``, as they are or with ``.gz`` or ``.zst``), Parquet and
            Avro, whose columns may hold no objects: globs, folders, files, or lists of paths, relative to ``data``.
            Files of other kinds are passed over, and the run says how many.
        text: The column of texts.
        id: The column of ids. Of several rows with one id the newest stays, that of the greatest ``created``; of
            those alike, the first by file and row. A row without one is known by its file and place, as all are
            where this is ``null``; nothing is compared then.
        url: The column of addresses.
        language: The column of ISO 639 codes.
        created: The column of times, ISO 8601.
        metadata: For fields of the documents' metadata the columns they are taken from.
        min_chars: A text with fewer characters is left out; ``null`` keeps all that are not empty.
        max_document_bytes: UTF-8 bytes of a text; a longer one is left out.
        max_shuffle_bytes: Bytes of fingerprints that cross the shuffle at once, 16 a row; more are taken in several
            passes, each resumable. ``null`` takes all in one, as a cluster can.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    paths: Annotated[tuple[str, ...], Field(min_length=1)]
    text: Column = "text"
    id: Column | None = None
    url: Column | None = None
    language: Column | None = None
    created: Column | None = None
    metadata: dict[str, Column] = Field(default_factory=dict)
    min_chars: Annotated[int, Field(ge=1)] | None = None
    max_document_bytes: Annotated[int, Field(ge=1, le=1 << 30)] = 64 << 20
    max_shuffle_bytes: Annotated[int, Field(ge=1 << 20)] | None = 256 << 20

    @field_validator("metadata")
    @classmethod
    def _fields_are_known(cls, metadata: dict[str, str]) -> dict[str, str]:
        known = [field.name for field in METADATA]
        unknown = [name for name in metadata if name not in known]
        if unknown:
            raise ValueError(f"no field of documents is called {unknown[0]}; allowed: {', '.join(known)}")
        return metadata

    def columns(self) -> dict[str, str]:
        """Give the columns of what a document may have beside its text, by what it is called there."""
        plain = {"id": self.id, "url": self.url, "language": self.language, "created": self.created}
        return {**{name: column for name, column in plain.items() if column is not None}, **self.metadata}
