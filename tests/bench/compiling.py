"""Training steps of the paper's models compiled for TPUs that are not there: the table of what fits where."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from tests.bench.inputs import Inputs
from tests.bench.report import Result


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
        config: A file of configs/train.
        topology: What to compile for.
        changes: What differs from the config.
    """

    config: str
    topology: str
    changes: tuple[str, ...] = ()


_TENSOR_4 = "mesh={data: 1, fsdp: -1, tensor: 4}"
_ROWS = (
    Row("7b", "v4:4x8x8"),
    Row("7b", "v5e:16x16"),
    Row("65b", "v4:8x8x8"),
    Row("7b", "v4:4x8x8", ("remat=attention",)),
    Row("7b", "v4:4x8x8", ("remat=linears", "accumulate=2")),
    Row("7b", "v4:4x8x8", ("remat=linears",)),
    Row("7b", "v6e:16x16", ("remat=linears", "batch=1024")),
    Row("7b", "v6e:16x16", ("remat=offload", "batch=1024")),
    Row("7b", "v5p:4x4x4", ("remat=linears", "batch=512")),
    Row("13b", "v4:4x8x8", ("remat=linears", "accumulate=4")),
    Row("33b", "v4:8x8x8", ("remat=linears", _TENSOR_4, "batch=512")),
    Row("65b", "v4:8x8x8", ("remat=linears", "accumulate=4")),
    Row("65b", "v4:8x8x8", ("remat=linears", _TENSOR_4, "accumulate=8")),
    Row("65b", "v5p:8x8x8", ("remat=linears", "batch=1024")),
    Row("65b", "v6e:16x16", (_TENSOR_4, "batch=128")),
    Row("65b", "v5e:16x16", (_TENSOR_4, "batch=64")),
)


def compile_ahead(inputs: Inputs) -> Iterator[Result]:
    """Compile each row in a process of its own, which gives its memory back; ``--quick`` takes three rows."""
    for row in _ROWS[:3] if inputs.quick else _ROWS:
        yield _result(row)


def _result(row: Row) -> Result:
    command = [sys.executable, "-c", "from pipeline.cli import main; main()", "compile-check"]
    changes = [part for change in row.changes for part in ("--set", change)]
    arguments = [f"configs/train/{row.config}.yaml", "--topology", row.topology, *changes]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    verdict = next((line for line in lines if "GiB per chip of" in line), None)
    name = " ".join(["train.compile", row.config, row.topology, *row.changes])
    if verdict is None:
        return Result(name, 0.0, "GiB/chip", detail=done.stderr.strip() or f"status {done.returncode}")
    peak = float(verdict.split(": ")[1].split()[0])
    return Result(name, peak, "GiB/chip", met=done.returncode == 0, goal="fits", detail="; ".join(lines[1:]))
