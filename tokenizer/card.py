"""The tokenizer's card: what it was trained on and with, and how many tokens it makes of each source's text.

Fertility is counted on documents given to it, best ones the training sample did not hold. Shares and ratios are over
the documents' own tokens, BOS and EOS left out.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Self

import numpy as np
import sentencepiece
from pydantic import BaseModel, ConfigDict, Field

from tokenizer.encoding import Encoder
from tokenizer.model_file import model_notes, read_model_file
from tokenizer.settings import TokenizerSettings
from tokenizer.training import TrainedTokenizer

_FIRST_NON_ASCII = 0x80
#: Settings that the card says in another place.
_NOT_SHOWN = {"model", "proportions"}
_COLUMNS = (
    "Source",
    "Sample bytes",
    "Measured bytes",
    "Tokens",
    "Characters/token",
    "Bytes/token",
    "Byte pieces",
    "Non-ASCII byte pieces",
)


class Fertility(BaseModel):
    """Counts of one source's text and tokens.

    Attributes:
        documents: Documents measured.
        characters: Their Unicode characters.
        bytes: Their UTF-8 bytes.
        tokens: Their tokens, without BOS and EOS.
        byte_tokens: Tokens that are byte pieces, newlines, tabs and other controls among them.
        non_ascii_byte_tokens: Byte pieces of 0x80 and above: parts of characters that have no piece.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    documents: int = Field(ge=0)
    characters: int = Field(ge=0)
    bytes: int = Field(ge=0)
    tokens: int = Field(ge=0)
    byte_tokens: int = Field(ge=0)
    non_ascii_byte_tokens: int = Field(ge=0)

    @property
    def ratios(self) -> dict[str, float | None]:
        """Characters and bytes a token, and shares of byte pieces; ``None`` where there are no tokens."""
        over_tokens = {
            "characters_per_token": self.characters,
            "bytes_per_token": self.bytes,
            "byte_token_fraction": self.byte_tokens,
            "non_ascii_byte_token_fraction": self.non_ascii_byte_tokens,
        }
        return {name: count / self.tokens if self.tokens else None for name, count in over_tokens.items()}


class TokenizerCard(BaseModel):
    """What belongs beside a tokenizer's model file.

    Attributes:
        sha256: SHA-256 of the model file.
        sentencepiece_version: The library that trained it; the model's bytes may depend on it.
        given: Whether the model was given, not trained; what is said of training is then zero.
        settings: The settings of the training.
        notes: How a given model differs from LLaMA's.
        engine: What computes ids with it, see :mod:`tokenizer.engines`.
        refused_engines: Why each faster engine does not, by name.
        requested_vocab_size: Pieces asked for.
        vocab_size: Pieces it has.
        documents: Documents the sample drew from.
        lines: Training lines.
        sample_bytes: Their UTF-8 bytes.
        split_lines: Lines that were too long and were cut.
        reserved_characters: U+2585 characters left out of the sample.
        sample_full: Whether the bound on the sample left text over.
        sample_bytes_by_source: UTF-8 bytes of the documents each source gave to the sample.
        proportions: Proportions that the sample follows; ``None`` where it goes by bytes of text.
        fertility: Counts for each source.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    sha256: str
    sentencepiece_version: str
    given: bool = False
    settings: TokenizerSettings
    notes: list[str] = []
    engine: str = "sentencepiece"
    refused_engines: dict[str, str] = {}
    requested_vocab_size: int
    vocab_size: int
    documents: int
    lines: int
    sample_bytes: int
    split_lines: int
    reserved_characters: int
    sample_full: bool
    sample_bytes_by_source: dict[str, int]
    proportions: dict[str, float] | None = None
    fertility: dict[str, Fertility]

    @classmethod
    def of(
        cls,
        trained: TrainedTokenizer,
        encoder: Encoder,
        *,
        sample_bytes_by_source: Mapping[str, int],
        fertility: Mapping[str, Fertility],
        proportions: Mapping[str, float] | None = None,
    ) -> Self:
        """Make the card of a tokenizer just trained, or given.

        Args:
            trained: The tokenizer.
            encoder: The same, loaded.
            sample_bytes_by_source: UTF-8 bytes of the documents each source gave to the sample.
            fertility: What :func:`measure_fertility` found.
            proportions: Proportions that the sample follows, if any.

        Returns:
            The card, sources in alphabetical order.
        """
        return cls(
            sha256=trained.sha256,
            sentencepiece_version=sentencepiece.__version__,
            given=trained.settings.model is not None,
            settings=trained.settings,
            notes=list(model_notes(read_model_file(trained.model))) if trained.settings.model is not None else [],
            engine=encoder.engine_name,
            refused_engines=encoder.refused_engines,
            requested_vocab_size=trained.requested_vocab_size,
            vocab_size=trained.vocab_size,
            documents=trained.documents,
            lines=trained.lines,
            sample_bytes=trained.sample_bytes,
            split_lines=trained.split_lines,
            reserved_characters=trained.reserved_characters,
            sample_full=trained.sample_full,
            sample_bytes_by_source=dict(sorted(sample_bytes_by_source.items())),
            proportions=None if proportions is None else dict(sorted(proportions.items())),
            fertility=dict(sorted(fertility.items())),
        )

    @classmethod
    def from_json(cls, content: bytes) -> Self:
        """Read a card that :meth:`to_json` wrote."""
        values = json.loads(content)
        values["fertility"] = {
            source: {name: count for name, count in counts.items() if name in Fertility.model_fields}
            for source, counts in values["fertility"].items()
        }
        return cls.model_validate(values)

    @property
    def warnings(self) -> list[str]:
        """What a person should hear of before the tokenizer is used, a line each."""
        return [*(f"not {name}: {reason}" for name, reason in self.refused_engines.items()), *self.notes]

    def bytes_per_token(self, source: str) -> float:
        """Give what a source's tokens hold on average; where none of its text was measured, all sources' average."""
        measured = self.fertility.get(source)
        counts = [measured] if measured is not None and measured.tokens else list(self.fertility.values())
        tokens = sum(count.tokens for count in counts)
        return sum(count.bytes for count in counts) / tokens if tokens else 1.0

    def to_json(self) -> str:
        """Return the card for programs: all counts, and each source's ratios beside its counts."""
        content = self.model_dump()
        for source, counts in self.fertility.items():
            content["fertility"][source] |= counts.ratios
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"

    def to_markdown(self) -> str:
        """Return the card for people."""
        lines = [
            "# Tokenizer",
            "",
            *self._origin(),
            f"- Ids are computed by {self.engine}, and are SentencePiece's.",
            *(f"- Not by {name}: {reason}." for name, reason in self.refused_engines.items()),
            *self._sample(),
            "",
            f"| {' | '.join(_COLUMNS)} |",
            f"|---{'|--:' * (len(_COLUMNS) - 1)}|",
            *(self._row(source) for source in sorted({*self.sample_bytes_by_source, *self.fertility})),
        ]
        return "\n".join(lines) + "\n"

    def _origin(self) -> list[str]:
        if self.given:
            made = f"Given, not trained: BPE of {self.vocab_size:,} pieces; SHA-256 of the model file:"
            return [made, f"`{self.sha256}`.", "", *(f"- Note: {note}." for note in self.notes)]
        lowered = "" if self.vocab_size == self.requested_vocab_size else ", the most the sample yields"
        return [
            f"BPE by SentencePiece {self.sentencepiece_version} with LLaMA's settings; SHA-256 of the model file:",
            f"`{self.sha256}`.",
            "",
            f"- Vocabulary: {self.vocab_size:,} pieces of {self.requested_vocab_size:,} requested{lowered}.",
        ]

    def _sample(self) -> list[str]:
        nothing = [source for source, size in self.sample_bytes_by_source.items() if not size]
        lines = [f"- No text in the sample: {', '.join(nothing)}."] if nothing else []
        if self.given:
            return [f"- Measured on {self.documents:,} documents.", *lines]
        bounded = ", where its bound ended it" if self.sample_full else ""
        by = "bytes of text" if self.proportions is None else "proportions"
        size = f"{self.documents:,} documents, {self.lines:,} lines, {self.sample_bytes:,} bytes{bounded}"
        return [
            f"- Sample: {size}, by {by}.",
            *lines,
            f"- Cut for the trainer: {self.split_lines:,} long lines; {self.reserved_characters:,} U+2585 left out.",
            *(
                f"- `{name}`: {value}"
                for name, value in self.settings.model_dump(exclude={"model", "proportions"}).items()
            ),
        ]

    def _row(self, source: str) -> str:
        cells = [source, f"{self.sample_bytes_by_source.get(source, 0):,}"]
        counts = self.fertility.get(source)
        if counts is None or not counts.tokens:
            return f"| {' | '.join([*cells, *['–'] * (len(_COLUMNS) - len(cells))])} |"
        cells += [f"{counts.bytes:,}", f"{counts.tokens:,}"]
        cells += [f"{counts.characters / counts.tokens:.3f}", f"{counts.bytes / counts.tokens:.3f}"]
        cells += [f"{counts.byte_tokens / counts.tokens:.3%}", f"{counts.non_ascii_byte_tokens / counts.tokens:.3%}"]
        return f"| {' | '.join(cells)} |"


def measure_fertility(encoder: Encoder, texts_by_source: Mapping[str, Iterable[str]]) -> dict[str, Fertility]:
    """Count text and tokens of each source.

    Args:
        encoder: The tokenizer.
        texts_by_source: Documents of each source, read once.

    Returns:
        The counts of each source, in the order given.
    """
    return {source: _measure(encoder, texts) for source, texts in texts_by_source.items()}


def _measure(encoder: Encoder, texts: Iterable[str]) -> Fertility:
    documents = characters = size = 0
    tokens_by_id = np.zeros(encoder.vocab_size, dtype=np.int64)
    for text in texts:
        (ids,) = encoder.encode_documents([text], bos=False, eos=False)
        documents += 1
        characters += len(text)
        size += len(text.encode())
        tokens_by_id += np.bincount(ids, minlength=encoder.vocab_size)
    tokens_by_byte = tokens_by_id[list(encoder.byte_ids)]
    return Fertility(
        documents=documents,
        characters=characters,
        bytes=size,
        tokens=int(tokens_by_id.sum()),
        byte_tokens=int(tokens_by_byte.sum()),
        non_ascii_byte_tokens=int(tokens_by_byte[_FIRST_NON_ASCII:].sum()),
    )
