"""Writes ``fates.yaml``: ``python tests/corpus/write_fates.py --model lid.176.ftz [--dumps DIR] [--output FILE]``.

The pages are those of ``planted/*.yaml``, found in the dumps by file and address; their fates come from
:mod:`brute_force` and the language model alone. The fates written by hand in ``planted/`` are not read here: a test
compares the two.
"""

import argparse
import hashlib
import os
from collections import Counter
from typing import Any, Protocol

import fasttext
import yaml
from brute_force import Record, deduplicate, mark_copies, read_dump, totals
from generate import FILES, FOLDER, read_planted

DUMPS = ("MINI-2019-30", "MINI-2020-05")
MIN_SCORE = 0.5
_MAX_CHARS_IN_FULL = 2000
_LIMITS = {"page/empty": 1, "length/too_short": 300, "warc/http_status": 200}
_ERRORS = ("warc/truncated", "warc/bad_length", "warc/no_record_id", "wet/invalid_utf8")
_HEAD = """\
# Written by tests/corpus/write_fates.py; do not edit. Traced by tests/corpus/brute_force.py, a dictionary over all
# lines of the committed dumps that imports nothing of filters/ or pipeline/, and by lid.176.ftz for the languages; a
# test holds it against the fates that planted/*.yaml give by hand.
#
# Settings: English only; pages of 300 characters or more; a page whose title and text stand in a newer dump goes; the
# window is a whole dump; no copy of a repeated line is kept; language score rounded to 2 decimals, 0.5 or more, of the
# lines joined by nothing. text: the kept lines, joined by LF; where long, its SHA-256 over UTF-8, characters and lines
# instead. id is null for a record that has none.
# totals: "pages" have passed the reading stage, "lines" are theirs without the title; the lines of HTML pages are one
# for each block element. "documents" counts what is left after the language check.
"""


class LanguageModel(Protocol):
    """What is used of a fastText model."""

    def predict(self, text: str) -> tuple[tuple[str, ...], Any]:
        """Return labels and probabilities, the likeliest first."""


def language(model: LanguageModel, kept: list[str]) -> tuple[str, float]:
    """Return a page's language and its score, rounded to 2 decimals as CCNet does."""
    labels, scores = model.predict("".join(kept))
    return labels[0].removeprefix("__label__"), round(float(scores[0]), 2)


def fate(record: Record, model: LanguageModel) -> dict[str, Any]:
    """Say where a record ends and why."""
    if record.cause:
        outcome = "error" if record.cause in _ERRORS else "dropped"
        return _ending("fingerprints", outcome, record.cause, record.measured, _LIMITS.get(record.cause))
    if record.is_copy:
        return _ending("scored", "dropped", "duplicate/content", None, None)
    if not record.kept:
        return _ending("scored", "dropped", "line_dedup/no_line_left", 0, 1)
    code, score = language(model, record.kept)
    if score < MIN_SCORE:
        return _ending("documents", "dropped", "language/low_score", score, MIN_SCORE)
    if code != "en":
        return {**_ending("documents", "dropped", "language/not_wanted", None, None), "language": code}
    return {**_ending("documents", "kept", None, None, None), "language_score": score, **_text(record.kept)}


def _ending(
    stage: str, outcome: str, reason: str | None, measured: float | None, limit: float | None
) -> dict[str, Any]:
    names = {"stage": f"commoncrawl.{stage}", "outcome": outcome, "reason": reason}
    return {**names, "measured": measured, "limit": limit}


def _text(lines: list[str]) -> dict[str, Any]:
    text = "\n".join(lines)
    if len(text) <= _MAX_CHARS_IN_FULL:
        return {"text": text}
    return {"sha256": hashlib.sha256(text.encode()).hexdigest(), "chars": len(text), "lines": len(lines)}


def planted_fates(records: list[Record], model: LanguageModel) -> list[dict[str, Any]]:
    """List the planted pages' fates in the order of ``planted/``, an HTML page's request and metadata after it."""
    found: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        found.setdefault((record.file, record.url), []).append(record)
    rows = []
    for entry in read_planted():
        path = FILES[str(entry["file"])][0]
        for record in sorted(found[path, str(entry["url"])], key=lambda record: record.kind in ("request", "metadata")):
            name = entry["name"] if record.kind in ("response", "conversion") else f"{entry['name']}/{record.kind}"
            about = {"id": f"cc/{record.uuid}" if record.uuid else None, "name": name, "url": record.url, "file": path}
            rows.append({**about, **fate(record, model)})
    return rows


def table(dumps: str, model: LanguageModel) -> dict[str, Any]:
    """Work out the whole of ``fates.yaml``."""
    by_dump = {dump: read_dump(dumps, dump) for dump in DUMPS}
    mark_copies([by_dump[dump] for dump in sorted(by_dump, reverse=True)])
    counts: dict[str, Any] = {}
    for dump, records in by_dump.items():
        window = dict(deduplicate(records))
        ends = Counter(_end(fate(record, model)) for record in records if record.kept)
        files = {file: [record for record in records if record.file == file] for file in {r.file for r in records}}
        counts[dump] = {
            **totals(records),
            "window": window,
            "documents": dict(sorted(ends.items())),
            "files": {os.path.basename(file): totals(files[file]) for file in sorted(files)},
        }
    everything = [record for records in by_dump.values() for record in records]
    return {"pages": planted_fates(everything, model), "totals": counts}


def _end(row: dict[str, Any]) -> str:
    return str(row["reason"] or row["outcome"])


def write_fates(dumps: str, model_path: str, output: str) -> None:
    """Write the table as YAML, texts as blocks."""
    yaml.SafeDumper.add_representer(str, _represent)
    content = table(dumps, fasttext.load_model(model_path))
    with open(output, "w", encoding="utf-8") as target:
        target.write(_HEAD)
        yaml.safe_dump(content, target, allow_unicode=True, sort_keys=False, width=10**9)


def _represent(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


def main() -> None:
    """Read the command line and write."""
    parser = argparse.ArgumentParser(description="Write what becomes of every planted page, and the totals.")
    parser.add_argument("--model", required=True, help="fastText language identification model, lid.176.ftz")
    parser.add_argument("--dumps", default=os.path.join(FOLDER, "commoncrawl"), help="folder of the dumps")
    parser.add_argument("--output", default=os.path.join(FOLDER, "fates.yaml"), help="file to write")
    arguments = parser.parse_args()
    write_fates(arguments.dumps, arguments.model, arguments.output)


if __name__ == "__main__":
    main()
