import os
from pathlib import Path

import pytest

from tokenizer.encoding import Encoder
from tokenizer.settings import TokenizerSettings
from tokenizer.training import TrainedTokenizer, train_tokenizer

STORY = """The miller kept his ledger by the window, and every evening he wrote down what the river had done that day.
In 1847 the water rose 12 feet; in 1852 it rose 9.  He wrote it all down, and nobody ever read it."""

CODE = """def miller(ledger):
    for day in ledger:
        if day.water > 12:
            return day
    return None
"""

SAMPLE = [
    STORY,
    CODE,
    "Le meunier tenait son registre près de la fenêtre, et chaque soir il écrivait ce que la rivière avait fait.",
    "Мельник вёл книгу у окна и каждый вечер записывал, что сделала река за день. Никто её не читал.",
]


@pytest.fixture(scope="session")
def sample() -> list[str]:
    return SAMPLE


@pytest.fixture(scope="session")
def trained() -> TrainedTokenizer:
    return train_tokenizer(SAMPLE, TokenizerSettings(vocab_size=500, num_threads=2))


@pytest.fixture(scope="session")
def encoder(trained: TrainedTokenizer) -> Encoder:
    return Encoder.from_bytes(trained.model)


@pytest.fixture(scope="session")
def real_books() -> list[str]:
    """Three real books in three scripts, where the shared data lies."""
    beside = Path(__file__).resolve().parents[2].parent / "shared" / "data"
    folder = Path(os.environ.get("LLAMA_CORPUS_DATA", beside)) / "gutenberg"
    names = ("pride-and-prejudice-editions/1342-0.txt", "ru-ece/pg2600.txt", "non-pg/wagahaiwa_nekodearu.txt")
    paths = [folder / name for name in names]
    if not all(path.exists() for path in paths):
        pytest.skip("the shared data is absent")
    return [path.read_bytes().decode(errors="replace").replace("\r\n", "\n") for path in paths]
