"""The commands of a trained model; each imports what it needs when it is called."""

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.settings import SettingsError

if TYPE_CHECKING:
    from train.loading import LoadedModel

Checkpoint = Annotated[
    str,
    typer.Argument(
        metavar="CHECKPOINT",
        help="A trained model: a run's output folder, one of its checkpoints/STEP, or a Hugging Face LLaMA folder.",
    ),
]


class Precision(StrEnum):
    """How a model's matrices are held while it is used."""

    BF16 = "bf16"
    FP32 = "fp32"


class Stored(StrEnum):
    """How a model's matrices are written."""

    BF16 = "bf16"
    FP16 = "fp16"
    FP32 = "fp32"


class Format(StrEnum):
    """What a model is exported as."""

    HUGGING_FACE = "huggingface"
    GGUF = "gguf"


class ScoringName(StrEnum):
    """How multiple-choice questions are scored beside the task's own metrics."""

    LM_EVAL = "lm-eval"
    CHARACTERS = "characters"
    ANSWER = "answer"
    LLAMA = "llama"


Held = Annotated[Precision, typer.Option("--dtype", help="How matrices are held and multiplied.")]


def generate(
    checkpoint: Checkpoint,
    *,
    prompts: Annotated[list[str], typer.Option("--prompt", metavar="TEXT", help="A text to go on with; repeatable.")],
    max_tokens: Annotated[int, typer.Option(min=1, help="Most tokens written after a prompt.")] = 64,
    temperature: Annotated[float, typer.Option(min=0, help="0 takes the best token always.")] = 0.0,
    top_p: Annotated[float, typer.Option(help="Draw from the fewest tokens that hold this probability.")] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="Of the draws.")] = 0,
    dtype: Held = Precision.FP32,
) -> None:
    """Continue texts with a trained model."""
    with _packages("train"):
        from train.generate import Sampling, complete_texts

    with _one_line():
        sampling = Sampling(max_tokens=max_tokens, temperature=temperature, top_p=top_p, seed=seed)
        texts = complete_texts(_load(checkpoint, dtype), prompts, sampling)
    for prompt, text in zip(prompts, texts, strict=True):
        print(prompt + text)  # noqa: T201


def evaluate(
    checkpoint: Checkpoint,
    *,
    tasks: Annotated[str, typer.Option(metavar="A,B", help="Tasks of lm-evaluation-harness, by name.")],
    include_path: Annotated[str | None, typer.Option(metavar="DIR", help="Folder of YAML tasks of your own.")] = None,
    scoring: Annotated[ScoringName, typer.Option(help="llama: as the paper, by characters or after Answer:.")] = (
        ScoringName.LM_EVAL
    ),
    num_fewshot: Annotated[int | None, typer.Option(min=0, help="Examples before a question.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Questions of each task; all by default.")] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Sequences at once.")] = 8,
    seed: Annotated[int, typer.Option(min=0, help="Of the draws, for tasks that sample.")] = 0,
    output: Annotated[str | None, typer.Option(metavar="FILE", help="Write the results as JSON.")] = None,
    offline: Annotated[bool, typer.Option(help="Fetch nothing: tasks and their data are local.")] = False,
    dtype: Held = Precision.FP32,
) -> None:
    """Evaluate a trained model on tasks of lm-evaluation-harness."""
    if output is not None and (os.path.isdir(output) or not os.path.isdir(os.path.dirname(output) or ".")):
        raise SettingsError(f"--output {output}: must be a file in a folder that is there")
    if offline:
        # The libraries read it once, while they are imported.
        os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    with _packages("train,eval"):
        from train.evaluate import evaluate as run_tasks
        from train.evaluate import table
        from train.harness import HarnessModel

    # What the harness prints of its progress is not a result.
    with _one_line(), contextlib.redirect_stdout(sys.stderr):
        results = run_tasks(
            HarnessModel(_load(checkpoint, dtype), batch_size=batch_size, seed=seed),
            [name for name in tasks.split(",") if name],
            include_path=include_path,
            scoring=scoring.value,
            num_fewshot=num_fewshot,
            limit=limit,
        )
    print(table(results))  # noqa: T201
    if results["truncated"]:
        print(f"{results['truncated']} requests did not fit the model's context and lost their start")  # noqa: T201
    if output is not None:
        # Last: what can not be written has been printed.
        with open(output, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=2, default=str)


def export_model(
    checkpoint: Checkpoint,
    output: Annotated[str, typer.Argument(metavar="OUTPUT", help="The folder, or the GGUF file, to make.")],
    *,
    form: Annotated[Format, typer.Option("--format", help="What to write.")] = Format.HUGGING_FACE,
    dtype: Annotated[Stored, typer.Option(help="How matrices are written; fp16 is for GGUF alone.")] = Stored.BF16,
    max_shard_gb: Annotated[float, typer.Option(min=0.001, help="Most gigabytes of one safetensors file.")] = 5.0,
) -> None:
    """Write a trained model for transformers (a folder of safetensors) or llama.cpp (one GGUF file)."""
    with _packages("train"):
        from train.huggingface import export_checkpoint
        from train.loading import TOKENIZER, tokenizer_folder

    if form is Format.GGUF:
        with _packages("train,gguf"):
            from train.gguf_file import export_gguf
    elif dtype is Stored.FP16:
        raise SettingsError("--dtype fp16: only --format gguf has it; use bf16 or fp32")
    with _one_line():
        model = _load(checkpoint, Precision.BF16 if dtype is Stored.BF16 else Precision.FP32)
        folder = tokenizer_folder(checkpoint)
        if form is Format.GGUF:
            with open(os.path.join(folder, TOKENIZER), "rb") as file:
                tokenizer = file.read()
            export_gguf(model.params, model.settings, tokenizer, output, dtype=dtype.value)
            written = [os.path.basename(output)]
        else:
            written = export_checkpoint(
                model.params,
                model.settings,
                output,
                dtype="bf16" if dtype is Stored.BF16 else "fp32",
                max_shard_bytes=int(max_shard_gb * 10**9),
                tokenizer=folder,
            )
    print(f"written: {output} ({', '.join(written)})")  # noqa: T201


def import_model(
    folder: Annotated[str, typer.Argument(metavar="FOLDER", help="A Hugging Face LLaMA.")],
    output: Annotated[str, typer.Argument(metavar="OUTPUT", help="The model config to write, a YAML file.")],
) -> None:
    """Check that a Hugging Face LLaMA can be trained further, and write its shape as a model config."""
    import yaml

    with _packages("train"):
        from train.huggingface_reading import import_checkpoint
        from train.model import parameter_count

    if os.path.exists(output):
        raise SettingsError(f"{output}: there is such a file already; name another one")
    with _one_line():
        _, settings = import_checkpoint(folder)
        with open(output, "w", encoding="utf-8") as file:
            yaml.safe_dump(settings.model_dump(exclude_none=True), file, sort_keys=False)
    print(f"{parameter_count(settings):,} parameters, every tensor in its place")  # noqa: T201
    print(f"written: {output}")  # noqa: T201


def _load(checkpoint: str, precision: Precision) -> "LoadedModel":
    import ml_dtypes
    import numpy as np

    from train.loading import load_model

    dtypes: dict[Precision, np.dtype[Any]] = {
        Precision.BF16: np.dtype(ml_dtypes.bfloat16),
        Precision.FP32: np.dtype(np.float32),
    }
    return load_model(checkpoint, dtype=dtypes[precision])


@contextlib.contextmanager
def _packages(extras: str) -> Iterator[None]:
    """Name the extra that a missing package comes with."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise SettingsError(f"this needs {error.name}: install llama-corpus[{extras}]") from error


@contextlib.contextmanager
def _one_line() -> Iterator[None]:
    """Turn what is wrong with the input into one line."""
    try:
        yield
    except (ValueError, OSError) as error:
        raise SettingsError(" ".join(str(error).split())) from error
