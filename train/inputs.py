"""What a training run reads, opened and held to its settings before anything is compiled or written."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tokenizer.folder import MODEL
from tokenizer.lengths import byte_lengths
from tokenizer.reader import TokenShards
from train.config import TrainSettings
from train.data import Mixture
from train.huggingface import TOKENIZER_FILES
from train.loading import TOKENIZER_FOLDER
from train.shards import Drawing, check_documents, open_drawing, open_held_out, read_folder, with_vocabulary


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
        if MODEL not in self.tokenizer:
            return None
        return byte_lengths(self.tokenizer[MODEL])


@contextmanager
def open_inputs(settings: TrainSettings) -> Iterator[Inputs]:
    """Open what a run reads.

    Raises:
        ValueError: It does not fit the settings, or itself.
    """
    with ExitStack() as stack:
        drawing = open_drawing(settings.data, settings.sources, seed=settings.seed, verify=settings.verify)
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
        held_out = _held_out_of(settings, manifest.tokenizer_sha256)
        for source in held_out.values():
            stack.enter_context(source)
        tokenizer = _tokenizer_of(settings.data, manifest.tokenizer_sha256)
        yield Inputs(settings, drawing, mixture, held_out, tokenizer)


def _held_out_of(settings: TrainSettings, tokenizer_sha256: str) -> dict[str, TokenShards]:
    if settings.held_out is None:
        return {}
    return open_held_out(settings.data, tokenizer_sha256=tokenizer_sha256, verify=settings.verify)


def _tokenizer_of(run: str, sha256: str) -> dict[str, bytes]:
    """The tokenizer's files, if the run has it and it is the one that made the ids."""
    files = read_folder(os.path.join(run, TOKENIZER_FOLDER), TOKENIZER_FILES)
    model = files.get(MODEL)
    return files if model is not None and hashlib.sha256(model).hexdigest() == sha256 else {}
