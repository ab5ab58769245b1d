"""On real crawl files: every record is accounted for, and line deduplication equals a dictionary over all lines."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pytest
from rich.console import Console

from pipeline.launch import launch
from pipeline.sources.pages import read_pages

ROOT = Path(__file__).parent.parent.parent
MIN_CHARS = 300
#: CCNet's 34 punctuation marks and the control characters (text_normalizer.py), deleted after digits become 0.
PUNCTUATION = "，。、„”“«»１」「《》´∶：？！（）；–—．～’…━〈〉【】％►"
#: Sources that the crawl needs nothing of; Wikipedia trains its n-gram models.
OTHERS = [f"sources.{name}=null" for name in ("stackexchange", "books", "arxiv", "github")]
DELETED = re.compile("[" + re.escape(PUNCTUATION) + "\x00-\x1f\x7f-\x9f]")


def normal_form(line: str) -> str:
    """CCNet's ``normalize_for_dedup``, one line at a time, one step after another."""
    line = line.strip()
    return DELETED.sub("", re.sub(r"\d", "0", line.lower())) if line else line


def run_sample(output: Path, data: Path, *overrides: str) -> None:
    launch(
        str(ROOT / "configs" / "sample.yaml"),
        output=str(output),
        workers=2,
        overrides=[f"data={data}", "tokenizer=null", "tokens=null", *OTHERS, *overrides],
        console=Console(quiet=True),
    )


@pytest.fixture(scope="module")
def sample(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("sample") / "run"
    run_sample(output, real_data)
    return output


def stats(run: Path, stage: str) -> dict[str, Any]:
    return json.loads((run / "stats" / f"commoncrawl.{stage}.json").read_text())


def test_every_record_of_every_file_is_kept_dropped_or_an_error_with_file_and_offset(
    sample: Path, real_data: Path, count_starts: Callable[[bytes], int]
) -> None:
    left = {stage: stats(sample, stage) for stage in ("fingerprints", "scored", "documents")}
    documents = ds.dataset(sample / "documents" / "commoncrawl").count_rows()
    dropped = ds.dataset(sample / "dropped" / "commoncrawl").to_table(columns=["reason"]).num_rows
    errors = [
        json.loads(line)
        for file in (sample / "errors" / "commoncrawl").iterdir()
        for line in file.read_text().splitlines()
    ]
    records = [error for error in errors if error["is_record"]]
    paths = [path for path in (real_data / "commoncrawl").rglob("*") if path.is_file()]
    starts = sum(count_starts(path.read_bytes()) for path in paths if not re.search(r"\.(arc|wat)", path.name))
    assert documents + dropped + len(records) == left["fingerprints"]["read"] == starts
    for error in errors:
        assert error["offset"] >= 0
        assert (error["shard"], error["cause"], error["detail"]) > ("", "", "")
    found = Counter(error["shard"].partition("~")[2] for error in errors)
    malformed = {path.name for path in (real_data / "commoncrawl" / "malformed").iterdir()}
    silent = {name for name in malformed if not any(name in shard for shard in found)}
    # Nothing is wrong in these: lengths hold with bare line feeds, without blank lines, in one gzip member, or empty.
    assert silent == {
        "empty.warc.gz",
        "empty-gzip-member.warc.gz",
        "lf-only-headers.warc",
        "whole-file-gzip.warc.gz",
    } | ({"missing-crlf.warc"} & silent)


def brute_force(
    pages: list[tuple[str, str, list[str]]], *, window_of: Callable[[str], str], keep: str
) -> dict[str, list[str]]:
    """Deduplicate with plain dictionaries: pages as (id, file, lines) in order; gives each page's lines that stay."""
    owners: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number, (_, file, lines) in enumerate(pages):
        for line in dict.fromkeys(map(normal_form, lines)):
            owners[window_of(file), line].append(number)
    kept = {}
    for number, (identifier, file, lines) in enumerate(pages):
        stays, seen = [], set()
        for line in lines:
            form = normal_form(line)
            pages_with_it = owners[window_of(file), form]
            alone = len(pages_with_it) == 1 if keep == "none" else pages_with_it[0] == number
            if alone and form not in seen:
                stays.append(line)
            seen.add(form)
        kept[identifier] = stays
    return kept


def real_pages(folder: Path, files: list[Path]) -> Iterator[tuple[str, str, list[str]]]:
    """Read the pages of WET files that are long enough, each id once: the first in the order of the files' names."""
    seen = set()
    for path in files:
        name = str(path.relative_to(folder)).replace("/", "~")
        with open(path, "rb") as stream:
            for page, _ in read_pages(stream, name=str(path)):
                if getattr(page, "text", None) is None or not hasattr(page, "metadata"):
                    continue
                if len(page.text) >= MIN_CHARS and page.id not in seen:
                    seen.add(page.id)
                    yield page.id, name, page.text.split("\n")


@pytest.mark.parametrize(
    ("scope", "keep"),
    [("window", "none"), ("window", "first"), ("dump", "none"), ("dump", "first"), ("corpus", "first")],
)
def test_line_deduplication_equals_a_dictionary_over_all_lines(
    scope: str, keep: str, real_data: Path, tmp_path: Path
) -> None:
    folder = real_data / "commoncrawl"
    files = sorted(
        path for path in folder.rglob("*") if path.name.endswith((".wet", ".wet.gz")) or path.suffix == ".txt"
    )
    names = [str(path.relative_to(folder)).replace("/", "~") for path in files]
    order = sorted(range(len(files)), key=lambda place: names[place])
    files, names = [files[place] for place in order], [names[place] for place in order]
    windows = 4
    rules = f"{{scope: {scope}, keep: {keep}, windows_per_dump: {windows}, max_shuffle_bytes: 1048576}}"
    dumps = '[{id: wet, paths: ["commoncrawl/**/*.wet", "commoncrawl/**/*.wet.gz", "commoncrawl/**/*.txt"]}]'
    run_sample(
        tmp_path / "run",
        real_data,
        f"sources.commoncrawl.dumps={dumps}",
        f"sources.commoncrawl.line_dedup={rules}",
        "sources.commoncrawl.language={languages: null, min_score: 0}",
        "sources.commoncrawl.perplexity=null",
        "sources.wikipedia=null",
        "sources.c4=null",
    )
    window_of = {
        name: str(window)
        for window in range(windows)
        for name in names[window * len(names) // windows : (window + 1) * len(names) // windows]
    }
    pages = list(real_pages(folder, files))
    expected = brute_force(pages, window_of=window_of.__getitem__ if scope == "window" else lambda _: scope, keep=keep)
    scored = ds.dataset(tmp_path / "run" / "work" / "commoncrawl.scored", exclude_invalid_files=True)
    found = {row["id"]: row["text"] for row in scored.to_table(columns=["id", "text"]).to_pylist()}
    assert found == {identifier: "\n".join(lines) for identifier, lines in expected.items() if lines}
    assert 0 < len(found) < len(pages)
    removed = stats(tmp_path / "run", "scored")["facts"]["lines_removed"]
    assert removed == sum(len(lines) for _, _, lines in pages) - sum(map(len, expected.values()))
