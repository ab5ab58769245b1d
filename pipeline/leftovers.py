"""Leftover markup of a stage's documents: counted in its statistics, and written with examples beside its work."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from filters.leftovers import Leftover
from pipeline.batch import Batch
from pipeline.files import join, match, read_bytes
from pipeline.funnel import read_stats

_SEARCHED = "documents searched for leftovers"
_FACT = "leftover "
_EXAMPLES = 3  # shown of each kind
#: What the cleaner of papers counts: uses of macros that it has expanded; those that it should have are leftovers.
_EXPANDED, _MACRO = "macros_expanded", "macro"


@dataclass(slots=True)
class LeftoverNotes:
    """Gathers the leftovers of a batch's documents.

    Attributes:
        batch: The batch.
        stage: The stage that cleans it, under whose work they are written.
    """

    batch: Batch
    stage: str
    _rows: list[dict[str, str]] = field(default_factory=list)

    def add(self, document: str, found: Iterable[Leftover]) -> None:
        """Note what was found in a document, given by its id; call it for a clean one too, so that it counts."""
        self.batch.facts[_SEARCHED] += 1
        for leftover in found:
            self.batch.facts[f"{_FACT}{leftover.kind}"] += 1
            self._rows.append({"id": document, "kind": leftover.kind, "snippet": leftover.snippet})

    def write(self) -> None:
        """Hand the notes to the batch, to be written with it; none are no file."""
        if self._rows:
            lines = "".join(json.dumps(row) + "\n" for row in self._rows)
            self.batch.files[f"work/{self.stage}/leftovers/{self.batch.name}.jsonl"] = lines.encode(), len(self._rows)


def describe_leftovers(run: str) -> Iterator[str]:
    """Say what each stage that takes markup out has left, with examples.

    Args:
        run: The run folder.

    Yields:
        A line for each such stage, then for each kind of leftover its number and some examples; where macros are
        expanded, the share of their uses that were.
    """
    for stats in read_stats(run):
        facts = stats["facts"]
        if _SEARCHED not in facts:
            continue
        kinds = {name.removeprefix(_FACT): count for name, count in facts.items() if name.startswith(_FACT)}
        yield f"{stats['stage']}: {sum(kinds.values()):,} leftovers in {facts[_SEARCHED]:,} documents"
        if _EXPANDED in facts:
            yield _describe_uses(facts[_EXPANDED], kinds.get(_MACRO, 0))
        examples = _examples(run, stats["stage"]) if kinds else {}
        for kind, count in sorted(kinds.items()):
            yield f"  {kind}  {count:,}"
            yield from (f"    {row['id']}: {row['snippet']}" for row in examples.get(kind, ()))


def _describe_uses(expanded: int, left: int) -> str:
    share = 100 * expanded / max(1, expanded + left)
    return f"  uses of authors' macros that could be expanded: {expanded + left:,}, of which {share:.2f} % were"


def _examples(run: str, stage: str) -> dict[str, list[dict[str, str]]]:
    """Give the first few leftovers of each kind."""
    found: dict[str, list[dict[str, str]]] = {}
    seen: Counter[str] = Counter()
    for file in match(join(run, f"work/{stage}/leftovers/*.jsonl")):
        for line in read_bytes(file.path).splitlines():
            row = json.loads(line)
            seen[row["kind"]] += 1
            if seen[row["kind"]] <= _EXAMPLES:
                found.setdefault(row["kind"], []).append(row)
    return found
