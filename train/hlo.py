"""Count what a compiled program says of itself: collectives, their bytes, kernel calls, loops unrolled on paper.

XLA's own cost analysis counts the body of a loop once. Here each computation is weighted by how often it runs: the
trip count of a loop is the constant that its condition compares with (scans count from 0 by 1).
"""

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_HEADER = re.compile(r"^(?:ENTRY )?%([\w.\-]+) \(.*\{$")
_CALLED = re.compile(r"(?:calls|to_apply|body|condition|async_computation)=%([\w.\-]+)")
_BRANCHES = re.compile(r"(?:branch_computations=\{([^}]*)\}|(?:true|false)_computation=%([\w.\-]+))")
_WHILE = re.compile(r" while\(.*condition=%([\w.\-]+), body=%([\w.\-]+)")
_CONSTANT = re.compile(r" s32\[\]\S* constant\((\d+)\)")
_COLLECTIVE = re.compile(
    r"= (.*?) (all-gather|all-reduce|reduce-scatter|all-to-all|collective-permute|ragged-all-to-all)(-start)?"
    r"\(%([\w.\-]+)"
)
_ARRAY = re.compile(r"\b(pred|[usf]\d+|bf16|f8\w*|c64|c128)\[([\d,]*)\]")
_CHANNEL = re.compile(r"channel_id=\d+")
_ASYNC = re.compile(r"-start\(|[{,]\s*(?:chain_id|async_collective_name)=")
_KERNEL = 'custom_call_target="tpu_custom_call"'


@dataclass(frozen=True)
class Counts:
    """What one run of a program does on one device.

    Attributes:
        bytes_by_kind: What a device receives if each collective went around a ring, by kind: the whole of what is
            gathered, exchanged or scattered, twice the whole of what is summed for all.
        collectives: Collectives run.
        asynchronous: Those of them that overlap computation.
        kernels: Calls of Pallas kernels.
    """

    bytes_by_kind: dict[str, int]
    collectives: int
    asynchronous: int
    kernels: int

    @property
    def bytes(self) -> int:
        """All collectives' together."""
        return sum(self.bytes_by_kind.values())


def count(text: str) -> Counts:
    """Count collectives and kernels of an optimised HLO module, as text."""
    computations, entry = _split(text)
    runs = _runs(computations, entry)
    found: dict[str, list[_Collective]] = {}
    for name, lines in computations.items():
        for line in lines:
            if (collective := _collective(line, name, lines, runs[name])) and collective.runs:
                found.setdefault(collective.channel, []).append(collective)
    ones = [max(pieces, key=lambda piece: (piece.asynchronous, piece.size)) for pieces in found.values()]
    sizes: dict[str, int] = defaultdict(int)
    for one in ones:
        sizes[one.kind] += one.runs * one.size
    return Counts(
        bytes_by_kind=dict(sorted(sizes.items())),
        collectives=sum(one.runs for one in ones),
        asynchronous=sum(one.runs for one in ones if one.asynchronous),
        kernels=sum(runs[name] for name, lines in computations.items() for line in lines if _KERNEL in line),
    )


@dataclass(frozen=True)
class _Collective:
    """A collective, or a piece of one: one that is fused with several computations stands in each, on one channel."""

    channel: str
    kind: str
    size: int
    runs: int
    asynchronous: bool


def _collective(line: str, computation: str, lines: list[str], runs: int) -> _Collective | None:
    """Read a line; a sum that is sliced at once is what the TPU makes of a reduce-scatter."""
    if (found := _COLLECTIVE.search(line)) is None:
        return None
    shape, kind, started, operand = found.groups()
    size = _bytes(shape, started=started is not None)
    if kind == "all-reduce" and computation.startswith("all-reduce-scatter"):
        kind = "reduce-scatter"
    elif kind == "all-reduce":
        size *= 2
    elif kind == "reduce-scatter":
        shapes = (other.split("=", 1)[1].split("(")[0] for other in lines if _defines(other, operand))
        size = next((_bytes(shape) for shape in shapes), size)
    channel = _CHANNEL.search(line)
    return _Collective(channel.group() if channel else line, kind, size, runs, _ASYNC.search(line) is not None)


def _split(text: str) -> tuple[dict[str, list[str]], str]:
    """Cut a module into its computations; the second value names the one that is run."""
    computations: dict[str, list[str]] = {}
    entry = ""
    lines: list[str] = []
    for line in text.splitlines():
        if header := _HEADER.match(line):
            lines = computations.setdefault(header.group(1), [])
            entry = header.group(1) if line.startswith("ENTRY") else entry
        else:
            lines.append(line)
    return computations, entry


def _runs(computations: Mapping[str, list[str]], entry: str) -> dict[str, int]:
    """How often each computation runs, callers before callees."""
    calls = {name: list(_calls(lines, computations)) for name, lines in computations.items()}
    waiting: dict[str, int] = defaultdict(int)
    for made in calls.values():
        for callee, _ in made:
            waiting[callee] += 1
    runs: dict[str, int] = defaultdict(int)
    runs[entry] = 1
    ready = [name for name in computations if not waiting[name]]
    while ready:
        name = ready.pop()
        for callee, times in calls[name]:
            runs[callee] += runs[name] * times
            waiting[callee] -= 1
            if not waiting[callee]:
                ready.append(callee)
    return runs


def _calls(lines: list[str], computations: Mapping[str, list[str]]) -> Iterator[tuple[str, int]]:
    for line in lines:
        loop = _WHILE.search(line)
        times = _trips(computations.get(loop.group(1), [])) if loop else 1
        branches = [name for group in _BRANCHES.findall(line) for name in re.findall(r"[\w.\-]+", " ".join(group))]
        for callee in [*_CALLED.findall(line), *branches]:
            if callee in computations:
                yield callee, times


def _trips(condition: list[str]) -> int:
    return max((int(number) for line in condition for number in _CONSTANT.findall(line)), default=1)


def _defines(line: str, name: str) -> bool:
    return line.lstrip().removeprefix("ROOT ").startswith(f"%{name} = ")


def _bytes(shape: str, *, started: bool = False) -> int:
    """Bytes of a result; a started collective's is a tuple of operand and result, of which the larger one counts."""
    sizes = [
        _width(dtype) * math.prod(int(size) for size in dimensions.split(",") if size)
        for dtype, dimensions in _ARRAY.findall(shape)
    ]
    return max(sizes, default=0) if started else sum(sizes)


def _width(dtype: str) -> int:
    """Bytes of an element.

    >>> [_width(dtype) for dtype in ("bf16", "f32", "pred", "f8e4m3fn", "s32")]
    [2, 4, 1, 1, 4]
    """
    digits = re.match(r"[a-z]+(\d+)", dtype)
    return max(1, int(digits.group(1)) // 8) if digits else 1
