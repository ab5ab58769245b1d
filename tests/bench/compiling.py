"""Training steps of the paper's models compiled for TPUs that are not there: the table of what fits where.

Writes the table as Markdown beside the figures, as it stands in DESIGN.md.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from tests.bench.inputs import Inputs
from tests.bench.report import Result

_TABLE = os.path.join("build", "compile.md")
_COLUMNS = (
    "model",
    "slice (chips)",
    "mesh data, fsdp, tensor",
    "sequences a chip x parts",
    "remat",
    "GiB",
    "of",
    "GB sent a chip and step",
    "collectives that overlap",
    "kernels a layer",
    "s",
)
_PATTERNS = {
    "chips": r": ([\d,]+) chips",
    "mesh": r"fsdp x tensor = (\S+)",
    "sequences": r"([\d.]+) sequences per chip",
    "parts": r"in (\d+) parts",
    "remat": r"remat (\w+)",
    "peak": r"([\d.]+) GiB per chip of",
    "limit": r"GiB per chip of ([\d.]+)",
    "sent": r"per chip and step: ([\d,]+) MB",
    "collectives": r"of ([\d,]+) collectives",
    "overlapping": r"collectives ([\d,]+) overlap",
    "kernels": r"kernels: (\S+) calls per layer",
    "seconds": r"compiled in (\d+) s",
}


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
        config: A file of configs/train.
        topology: What to compile for.
        changes: What differs from the config.
        fits: Whether it is known to.
    """

    config: str
    topology: str
    changes: tuple[str, ...] = ()
    fits: bool = True


_TENSOR_4 = "mesh={data: 1, fsdp: -1, tensor: 4}"
_SEQUENCE_4 = "mesh={data: 1, fsdp: -1, tensor: 4, sequence_parallel: true}"
_ROWS = (
    Row("7b", "v4:4x8x8"),
    Row("7b", "v5e:16x16"),
    Row("65b", "v4:8x8x8"),
    Row("7b", "v4:4x8x8", ("remat=attention",)),
    Row("7b", "v4:4x8x8", ("remat=linears", "accumulate=2")),
    Row("7b", "v4:4x8x8", ("remat=linears",), fits=False),
    Row("7b", "v4:4x8x8", ("mesh={data: 4, fsdp: -1, tensor: 1}",)),
    Row("7b", "v4:4x4x4", ("batch=256",)),
    Row("7b", "v4:4x4x4", ("remat=linears", "batch=256")),
    Row("7b", "v5e:16x16", ("remat=linears", "batch=512")),
    Row("7b", "v5e:16x16", ("remat=linears", "batch=1024"), fits=False),
    Row("7b", "v5e:4x4", ("batch=16",)),
    Row("7b", "v5p:4x4x4", ("remat=linears", "batch=512")),
    Row("7b", "v6e:16x16", ("remat=linears", "batch=1024")),
    Row("7b", "v6e:16x16", ("remat=offload", "batch=1024")),
    Row("7b", "2*v6e:16x16", ("remat=linears", "batch=1024", "mesh={data: 2, fsdp: -1, tensor: 1}")),
    Row("13b", "v4:4x8x8", ("remat=linears", "accumulate=4")),
    Row("33b", "v4:4x8x8", ("remat=linears", "accumulate=8")),
    Row("33b", "v4:8x8x8", ("remat=linears", _TENSOR_4, "batch=512")),
    Row("33b", "v4:8x8x8", ("remat=linears", _SEQUENCE_4, "batch=512")),
    Row("65b", "v4:8x8x8", ("remat=linears", "accumulate=4"), fits=False),
    Row("65b", "v4:8x8x8", ("remat=linears", _TENSOR_4, "accumulate=8")),
    Row("65b", "v4:8x8x8", ("remat=linears", _SEQUENCE_4, "accumulate=8")),
    Row("65b", "v4:8x8x16", ("remat=linears", _SEQUENCE_4, "batch=512")),
    Row("65b", "v5p:8x8x8", ("remat=linears", "batch=1024")),
    Row("65b", "v5p:8x8x8", ("remat=linears",), fits=False),
    Row("65b", "v6e:16x16", (_SEQUENCE_4, "batch=128")),
    Row("65b", "v5e:16x16", (_SEQUENCE_4, "batch=64")),
)
_QUICK_ROWS = 3


def compile_ahead(inputs: Inputs) -> Iterator[Result]:
    """Compile each row in a process of its own, which gives its memory back; ``--quick`` takes three rows.

    A row is as it should be if it fits where it is known to, with kernels called and collectives that overlap.
    """
    os.makedirs(os.path.dirname(_TABLE), exist_ok=True)
    with open(_TABLE, "w", buffering=1, encoding="utf-8") as table:
        table.write(f"| {' | '.join(_COLUMNS)} |\n|{'---|' * len(_COLUMNS)}\n")
        for row in _ROWS[:_QUICK_ROWS] if inputs.quick else _ROWS:
            status, printed, complaint = _compile(row)
            name = " ".join(["train.compile", row.config, row.topology, *row.changes])
            found = {key: _found(pattern, printed) for key, pattern in _PATTERNS.items()}
            if found["peak"] is None:
                yield Result(name, 0.0, "GiB/chip", goal="compiles", met=False, detail=complaint or f"status {status}")
                continue
            table.write(_line(row, found))
            has_both = found["kernels"] not in (None, "0") and found["overlapping"] not in (None, "0")
            met = (status == 0 and has_both) if row.fits else status == 1
            goal = "fits, splash, overlap" if row.fits else "does not fit"
            detail = "; ".join(printed.splitlines()[1:])
            yield Result(name, float(found["peak"]), "GiB/chip", goal=goal, met=met, detail=detail)


def _compile(row: Row) -> tuple[int, str, str]:
    """Give status, stdout and stderr of the command."""
    command = [sys.executable, "-c", "from pipeline.cli import main; main()", "compile-check"]
    changes = [part for change in row.changes for part in ("--set", change)]
    arguments = [f"configs/train/{row.config}.yaml", "--topology", row.topology, *changes]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr.strip()


def _found(pattern: str, printed: str) -> str | None:
    match = re.search(pattern, printed)
    return match and match[1].replace(",", "")


def _line(row: Row, found: dict[str, str | None]) -> str:
    mesh = str(found["mesh"]).replace("x", ",") + (" s" if _SEQUENCE_4 in row.changes else "")
    sent = f"{int(found['sent']) / 1e3:,.1f}" if found["sent"] else ""
    overlap = f"{found['overlapping']} of {found['collectives']}" if found["collectives"] else ""
    cells = (
        row.config.upper(),
        f"{row.topology} ({found['chips']})",
        mesh,
        f"{found['sequences']} x {found['parts'] or 1}",
        found["remat"],
        found["peak"] if row.fits else f"{found['peak']}, does not fit",
        found["limit"],
        sent,
        overlap,
        found["kernels"] or "",
        found["seconds"] or "",
    )
    return f"| {' | '.join(map(str, cells))} |\n"
