"""What a training run reads, opened and held to its settings before anything is compiled or written."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tokenizer.lengths import byte_lengths
from tokenizer.reader import TokenShards
from train.config import TrainSettings
from train.data import Mixture
from train.shards import Drawing, check_documents, open_drawing, open_held_out, with_vocabulary

TOKENIZER_FOLDER = "tokenizer"
TOKENIZER_MODEL = "tokenizer.model"


@dataclass(frozen=True)
class Inputs:
    """Opened token shards and what follows from them.

    Attributes:
        settings: Those of the run, the model's vocabulary filled in.
        drawing: The sources and how they are drawn from.
        mixture: The sequences of the run.
        held_out: Held-out documents by source; none where they are not wanted, or there are none.
        tokenizer: Files of the tokenizer that made the ids, by name; none where the run's folder has it not.
    """

    settings: TrainSettings
    drawing: Drawing
    mixture: Mixture
    held_out: Mapping[str, TokenShards]
    tokenizer: Mapping[str, bytes]

    def byte_lengths(self) -> NDArray[np.int64] | None:
        """Bytes of text that each id stands for; ``None`` without the tokenizer."""
        if TOKENIZER_MODEL not in self.tokenizer:
            return None
        return byte_lengths(self.tokenizer[TOKENIZER_MODEL])


@contextmanager
def open_inputs(settings: TrainSettings) -> Iterator[Inputs]:
    """Open what a run reads.

    Raises:
        ValueError: It does not fit the settings, or itself.
    """
    with ExitStack() as stack:
        drawing = open_drawing(settings.data, settings.sources, seed=settings.seed)
        for source in drawing.sources.values():
            stack.enter_context(source)
        manifest = next(iter(drawing.sources.values())).manifest
        if settings.document_mask is not None:
            check_documents(settings.document_mask, manifest)
        settings = settings.model_copy(update={"model": with_vocabulary(settings.model, manifest.vocab_size)})
        mixture = Mixture.of(
            drawing.sources,
            context=settings.model.context,
            batch_size=settings.batch,
            seed=drawing.seed,
            weights=drawing.weights,
            shares=drawing.shares,
        )
        held_out = open_held_out(settings.data) if settings.held_out is not None else {}
        for name, source in held_out.items():
            stack.enter_context(source)
            if (found := source.manifest.tokenizer_sha256) != manifest.tokenizer_sha256:
                raise ValueError(
                    f"the held-out documents of {name} were encoded by tokenizer {found[:12]}, "
                    f"the training data by {manifest.tokenizer_sha256[:12]}"
                )
        tokenizer = _tokenizer_of(settings.data, manifest.tokenizer_sha256)
        yield Inputs(settings, drawing, mixture, held_out, tokenizer)


def _tokenizer_of(run: str, sha256: str) -> dict[str, bytes]:
    """The tokenizer's files, if the run has it and it is the one that made the ids."""
    folder = os.path.join(run, TOKENIZER_FOLDER)
    try:
        files = {entry.name: _read(entry.path) for entry in os.scandir(folder) if entry.is_file()}
    except FileNotFoundError:
        return {}
    model = files.get(TOKENIZER_MODEL)
    return files if model is not None and hashlib.sha256(model).hexdigest() == sha256 else {}


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
