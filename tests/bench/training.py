"""The trainer: speed of the demo model."""

import os
import statistics
import tempfile
from collections.abc import Iterator

from tests.bench.inputs import Inputs
from tests.bench.report import Result
from tests.bench.tokens import train_model as train_tokenizer
from tokenizer.encoding import Encoder
from tokenizer.settings import TokenShardSettings
from tokenizer.shards import write_shards

_REPOSITORY_CONFIG = os.path.join("configs", "train", "demo.yaml")
_QUICK_STEPS, _STEPS = 40, 200


def train(inputs: Inputs) -> Iterator[Result]:
    """Steps of the demo model."""
    from pipeline.settings import load_settings
    from train.config import TrainSettings
    from train.loop import train as train_model
    from train.report import StepReport

    with tempfile.TemporaryDirectory(dir=inputs.folder) as folder:
        _write_tokens(inputs, os.path.join(folder, "tokens", "bench"))
        settings = load_settings(TrainSettings, _REPOSITORY_CONFIG, [f"data={folder}"])
        settings = settings.model_copy(update={"steps": _QUICK_STEPS if inputs.quick else _STEPS})
        reports: list[StepReport] = []
        summary = train_model(settings, report=reports.append)
        speed = statistics.median(report.tokens_per_second for report in reports)
        detail = f"{summary.parameters:,} parameters, {summary.compile_seconds:.1f} s to compile"
        yield Result("train.step", speed, "tokens/s", detail=detail)


def _write_tokens(inputs: Inputs, folder: str) -> None:
    encoder = Encoder.from_bytes(train_tokenizer(inputs))
    ids = encoder.encode_documents([document.text for document in inputs.documents], bos=True, eos=True)
    write_shards(folder, "bench", ids, encoder, TokenShardSettings())
