"""A tokenizer's folder: the model file, its card for programs and people, the files Hugging Face's libraries load."""

from collections.abc import Iterable, Mapping, Sequence

from tokenizer.card import TokenizerCard, measure_fertility
from tokenizer.encoding import Encoder
from tokenizer.huggingface import huggingface_files
from tokenizer.model_file import read_model_file
from tokenizer.training import TrainedTokenizer

MODEL, CARD, README = "tokenizer.model", "card.json", "README.md"


def describe_tokenizer(
    trained: TrainedTokenizer,
    texts_by_source: Mapping[str, Sequence[str]],
    *,
    sample_bytes_by_source: Mapping[str, int],
    proportions: Mapping[str, float] | None = None,
) -> TokenizerCard:
    """Try a tokenizer's engines, measure it and make its card.

    Args:
        trained: The tokenizer, trained or given.
        texts_by_source: Documents of each source to try the engines and to count tokens on.
        sample_bytes_by_source: UTF-8 bytes that each source gave to the sample.
        proportions: The mixture's proportions that the sample follows, if any.

    Raises:
        UnsuitableModel: The model is none, or not fit for LLaMA's training.
    """
    trial = [text for texts in texts_by_source.values() for text in texts]
    encoder = Encoder.from_bytes(trained.model, trial=trial)
    return TokenizerCard.of(
        trained,
        encoder,
        sample_bytes_by_source=sample_bytes_by_source,
        fertility=measure_fertility(encoder, texts_by_source),
        proportions=proportions,
    )


def tokenizer_files(trained: TrainedTokenizer, card: TokenizerCard) -> dict[str, bytes]:
    """Give the contents of a tokenizer's folder by name; equal tokenizers and cards give equal bytes."""
    return {
        MODEL: trained.model,
        CARD: card.to_json().encode(),
        README: card.to_markdown().encode(),
        **huggingface_files(read_model_file(trained.model)),
    }


def first_texts(texts: Iterable[str], max_bytes: int) -> list[str]:
    """Take texts until they are ``max_bytes`` of UTF-8 or more; the last is taken whole."""
    taken, left = [], max_bytes
    for text in texts:
        if left <= 0:
            break
        taken.append(text)
        left -= len(text.encode())
    return taken
