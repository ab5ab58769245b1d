"""Settings of the tokenizer and of the token shards, with LLaMA's values as defaults.

The paper (Touvron et al., 2023, section 2.1) says only "BPE, SentencePiece, all numbers split into digits, bytes for
unknown characters"; the values are those stored in LLaMA's published ``tokenizer.model``. What LLaMA fixed and this
project does not vary stands as constants in :mod:`tokenizer.training`.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

MIB = 1 << 20

Proportion = Annotated[float, Field(gt=0, allow_inf_nan=False)]

#: Three special pieces, 256 byte pieces and the word boundary: a vocabulary can not be smaller.
MIN_VOCAB_SIZE = 3 + 256 + 1


#: Settings that mean something beside a given model: its pieces to a token are counted on a sample.
_BESIDE_MODEL = {"model", "seed"}


class TokenizerSettings(BaseModel):
    """How the tokenizer is trained, or which one is given.

    Attributes:
        model: A SentencePiece model to use as it is, LLaMA's or OpenLLaMA's say; ``None`` trains one. Beside it no
            setting of the training may be other than its default.
        vocab_size: Pieces in the vocabulary, special and byte pieces included. Lowered to what the text yields where
            the text is too short for it; the card then says both numbers.
        character_coverage: Share of the sample's characters that get a piece of their own; the rest become bytes.
        max_line_bytes: Longest training line in UTF-8 bytes; longer lines are cut, because SentencePiece skips them
            without a word. It numbers positions in a word with 16 bits, which bounds this number.
        max_piece_chars: Longest piece in characters.
        sample_bytes: Bound of the training text in UTF-8 bytes, line ends not counted. SentencePiece holds the sample
            in memory, 5 to 7 bytes for each byte of it (measured on 27 MB of books), so the default trains within 8
            GiB and a few minutes.
        proportions: Share of each source in the training text, in any unit; ``None`` takes the mixture's, so that
            another mixture is another tokenizer. Of a source without one nothing is taken, and one
            that the run does not read is passed over.
        seed: Decides which documents are sampled, see :func:`tokenizer.sampling.is_sampled`.
        num_threads: Threads of SentencePiece's trainer. The model's bytes depend on it, so it is a constant of the
            config and never the number of cores; LLaMA used 80.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    model: str | None = Field(default=None, min_length=1)
    vocab_size: int = Field(default=32_000, ge=MIN_VOCAB_SIZE, le=1_000_000)
    character_coverage: float = Field(default=0.99995, ge=0.98, le=1.0)
    max_line_bytes: int = Field(default=4192, ge=64, le=65_535)
    max_piece_chars: int = Field(default=16, ge=1, le=512)
    sample_bytes: int = Field(default=1024 * MIB, ge=1 << 16, le=1 << 36)
    proportions: dict[str, Proportion] | None = Field(default=None, min_length=1)
    seed: int = Field(default=0, ge=0, lt=1 << 64)
    num_threads: int = Field(default=16, ge=1, le=128)

    @model_validator(mode="after")
    def _nothing_to_train(self) -> "TokenizerSettings":
        fields = type(self).model_fields
        beside = [name for name in fields if name not in _BESIDE_MODEL and getattr(self, name) != fields[name].default]
        if self.model is not None and beside:
            raise ValueError(
                f"model: a given tokenizer is not trained, so leave out {', '.join(beside)}; on the command line "
                "--set 'tokenizer={model: PATH}' does"
            )
        return self


class HeldOutSettings(BaseModel):
    """Which documents are held out of training, to measure a model on.

    Attributes:
        fraction: Share of each source's documents, see :func:`tokenizer.sampling.is_held_out`.
        max_documents: About how many documents of a source at most: a fraction of a large crawl is more than anyone
            evaluates on. See :func:`tokenizer.sampling.bounded`; ``None`` for no bound.
        seed: Decides which documents.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    fraction: float = Field(default=0.001, gt=0, lt=1)
    max_documents: int | None = Field(default=5_000, ge=1)
    seed: int = Field(default=0, ge=0, lt=1 << 64)


class TokenShardSettings(BaseModel):
    """How token shards are cut and what is written around each document.

    Attributes:
        shard_bytes: Target size of a shard's ids in bytes. A shard is held in memory while it is written; at scale 256
            MiB to 1 GiB serve readers best, the floor is for demos.
        seed: Decides the order of documents inside a shard, see :func:`tokenizer.sampling.seeded_order`.
        bos: Whether each document begins with the BOS id.
        eos: Whether each document ends with the EOS id.
        megatron_index: Whether to write Megatron's ``.idx`` beside each shard.
        verified_fraction: Share of the documents whose ids are held against SentencePiece's own; of each shard at least
            the first is.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    shard_bytes: int = Field(default=512 * MIB, ge=1024, le=4096 * MIB)
    seed: int = Field(default=0, ge=0, lt=1 << 64)
    bos: bool = True
    eos: bool = True
    megatron_index: bool = False
    verified_fraction: float = Field(default=0.01, ge=0, le=1)
