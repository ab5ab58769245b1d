"""What a tokenizer is, in lines for people: its vocabulary, its settings beside LLaMA's, and tokens per text."""

from collections import Counter
from collections.abc import Iterator

from tokenizer.card import Fertility
from tokenizer.encoding import Encoder
from tokenizer.model_file import ModelFile, model_notes
from tokenizer.segments import SPACE_SYMBOL

_LONGEST = 12


def describe_model(file: ModelFile, encoder: Encoder) -> Iterator[str]:
    """Describe a model, a line each.

    Args:
        file: The model file's content.
        encoder: The same model, loaded.
    """
    kinds = Counter(piece.kind for piece in file.pieces)
    yield f"{encoder.vocab_size:,} pieces: " + ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common())
    special = {"unk": encoder.unk_id, "bos": encoder.bos_id, "eos": encoder.eos_id}
    yield "special ids: " + ", ".join(
        f"{name} {token_id} {encoder.piece(token_id)}" for name, token_id in special.items()
    )
    yield f"ids as {encoder.dtype.name}; computed by {encoder.engine_name}"
    yield from (f"not by {name}: {reason}" for name, reason in encoder.refused_engines.items())
    normal = [piece.text for piece in file.pieces if piece.kind == "normal"]
    spaced = sum(text.startswith(SPACE_SYMBOL) for text in normal)
    longest = sorted(normal, key=lambda text: (-len(text), text))[:_LONGEST]
    yield f"{spaced:,} pieces begin with a space, {sum(len(text) == 1 for text in normal):,} are one character"
    yield "longest: " + " ".join(longest)
    yield _digits(normal)
    notes = list(model_notes(file))
    yield from (notes or ["all settings are those of LLaMA's model"])
    yield f"sha256 {encoder.sha256}"


def describe_fertility(counts: Fertility) -> str:
    """Describe the tokens of a text or of many in a line."""
    if not counts.tokens:
        return "no text"
    return (
        f"{counts.documents:,} documents, {counts.bytes:,} bytes, {counts.tokens:,} tokens: "
        f"{counts.characters / counts.tokens:.3f} characters and {counts.bytes / counts.tokens:.3f} bytes a token, "
        f"{counts.byte_tokens / counts.tokens:.3%} byte pieces"
    )


def _digits(normal: list[str]) -> str:
    with_ascii = [text for text in normal if any(char.isascii() and char.isdigit() for char in text)]
    joined = [text for text in with_ascii if len(text) > 1]
    if not joined:
        return f"digits: {len(with_ascii)} of 10 ASCII digits are pieces, none is part of a longer piece"
    return f"digits: {len(joined):,} longer pieces hold an ASCII digit, among them {' '.join(joined[:_LONGEST])}"
