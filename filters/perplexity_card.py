"""The card of an n-gram model: what it was trained on and with, and how well it predicts text it has not seen."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class NgramTrainingSettings(BaseModel):
    """How an n-gram model and its SentencePiece model are trained; the defaults are CCNet's (its ``Makefile``).

    CCNet asks SentencePiece for 65,536 pieces and, where that fails, for 40,000. As it is written
    (``A || echo … && B``), the second training runs, and overwrites the first, when the first has gone well too. What
    was meant is done here: 65,536 pieces, or as many as the text yields.

    Attributes:
        vocab_size: Pieces in the vocabulary. Lowered to what the text yields where it is too short; the card then says
            both numbers.
        character_coverage: Share of the characters that get a piece of their own; the others are unknown.
        order: Words of the longest n-gram.
        max_documents: Documents read, at most.
        sample_bytes: Bound of the normalised text in UTF-8 bytes, line ends not counted. The model takes some 10 times
            as much on disk, its text form, which is deleted in the end, 26 times (measured on 15 and 5 MB of pages).
        piece_sample_bytes: Bound of the part of it, its first documents, that SentencePiece is trained on, which takes
            up to 28 bytes of memory for each byte (measured on 15 MB of pages); the first document is always used.
        max_line_bytes: Longest line SentencePiece is given, in UTF-8 bytes; a longer document is cut for it, since it
            skips longer lines without a word. The n-grams are counted over whole documents.
        line_joint: What replaces line ends: nothing, as in CCNet, or a space.
        num_threads: Threads of SentencePiece's trainer. The model's bytes depend on it, so it is a constant of the
            config and never the number of cores.
        lmplz_memory: Memory for KenLM's sorting, as GNU sort takes it; the model does not depend on it.
        held_out_fraction: Share of the documents that are kept from training for the card's perplexity. A hash of the
            text and the seed decides, so copies of a document stay on one side.
        seed: See there.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    vocab_size: int = Field(default=65_536, ge=8, le=1_000_000)
    character_coverage: float = Field(default=0.9995, ge=0.98, le=1.0)
    order: int = Field(default=5, ge=2, le=6)
    max_documents: int = Field(default=1_000_000, ge=1)
    sample_bytes: int = Field(default=1 << 29, ge=1, le=1 << 40)
    piece_sample_bytes: int = Field(default=1 << 28, ge=1, le=1 << 36)
    max_line_bytes: int = Field(default=4192, ge=64, le=65_535)
    line_joint: Annotated[str, Field(pattern="^ ?$")] = ""
    num_threads: int = Field(default=16, ge=1, le=128)
    lmplz_memory: str = Field(default="1G", pattern=r"^[1-9][0-9]*[%bKMGT]$")
    held_out_fraction: float = Field(default=0.01, ge=0, lt=1)
    seed: int = Field(default=0, ge=0, lt=1 << 64)


class NgramCard(BaseModel):
    """What belongs beside the two files of an n-gram model.

    Attributes:
        language: The language it was trained for.
        ngrams_sha256: SHA-256 of ``<language>.arpa.bin``.
        pieces_sha256: SHA-256 of ``<language>.sp.model``.
        sentencepiece_version: The library that trained the pieces.
        kenlm_version: The version of KenLM's Python module, which made the held-out scores. Its programs, which may
            come from elsewhere, do not tell theirs.
        lmplz_sha256: SHA-256 of the program that counted the n-grams.
        settings: The settings of the training.
        documents: Documents trained on.
        sample_bytes: UTF-8 bytes of their normalised text, line ends not counted.
        empty_documents: Documents of which normalisation or SentencePiece left nothing; not trained on.
        piece_sample_bytes: UTF-8 bytes of the documents that SentencePiece was trained on, with those of which it left
            nothing.
        sample_full: Whether a bound on documents or bytes ended the reading with text left over.
        split_documents: Documents cut for SentencePiece's trainer, because they were long.
        reserved_characters: U+2585 characters, where the line around them was cut for SentencePiece's trainer.
        repeated_passages: Passages of some 32 words that SentencePiece had seen before, and was not given again.
        requested_vocab_size: Pieces asked for.
        vocab_size: Pieces there are.
        ngrams: N-grams of each order, from 1 up.
        held_out_documents: Documents kept from training.
        held_out_pieces: Their pieces.
        held_out_perplexity: Perplexity of all of them together, each with its end of sentence; ``None`` without any.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    language: str
    ngrams_sha256: str
    pieces_sha256: str
    sentencepiece_version: str
    kenlm_version: str
    lmplz_sha256: str
    settings: NgramTrainingSettings
    documents: int
    sample_bytes: int
    piece_sample_bytes: int
    empty_documents: int
    sample_full: bool
    split_documents: int
    reserved_characters: int
    repeated_passages: int
    requested_vocab_size: int
    vocab_size: int
    ngrams: tuple[int, ...]
    held_out_documents: int
    held_out_pieces: int
    held_out_perplexity: float | None

    def to_json(self) -> str:
        """Return the card for programs."""
        return self.model_dump_json(indent=2) + "\n"

    def to_markdown(self) -> str:
        """Return the card for people."""
        lowered = "" if self.vocab_size == self.requested_vocab_size else ", the most the sample yields"
        bounded = ", where its bound ended it" if self.sample_full else ""
        cut = f"{self.split_documents:,} long documents and at {self.reserved_characters:,} U+2585"
        lines = [
            f"# N-gram model, language {self.language}",
            "",
            f"Modified Kneser-Ney over SentencePiece unigram pieces, by KenLM {self.kenlm_version} and SentencePiece",
            f"{self.sentencepiece_version}, of text normalised as CCNet does. SHA-256 of the two files:",
            f"`{self.ngrams_sha256}` ({self.language}.arpa.bin),",
            f"`{self.pieces_sha256}` ({self.language}.sp.model).",
            "",
            f"- KenLM's lmplz, which counted the n-grams: SHA-256 `{self.lmplz_sha256}`.",
            f"- Vocabulary: {self.vocab_size:,} pieces of {self.requested_vocab_size:,} requested{lowered}.",
            f"- N-grams: {', '.join(f'{count:,}' for count in self.ngrams)} of order 1 to {len(self.ngrams)}.",
            f"- Sample: {self.documents:,} documents, {self.sample_bytes:,} bytes{bounded}.",
            f"- SentencePiece was trained on the first {self.piece_sample_bytes:,} bytes.",
            f"- Left out as empty: {self.empty_documents:,} documents.",
            f"- Passages that SentencePiece had seen, and was not given again: {self.repeated_passages:,}.",
            f"- Cut for SentencePiece's trainer: {cut}.",
            f"- Held out: {self._held_out()}.",
            *(f"- `{name}`: {value!r}" for name, value in self.settings.model_dump().items()),
        ]
        return "\n".join(lines) + "\n"

    def _held_out(self) -> str:
        if self.held_out_perplexity is None:
            return "nothing"
        counts = f"{self.held_out_documents:,} documents of {self.held_out_pieces:,} pieces"
        return f"{counts}, perplexity {self.held_out_perplexity:,.1f}"
