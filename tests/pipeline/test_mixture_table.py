"""The summary of a run in the shape of the paper's table 1, and the command that works out another mixture."""

import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from rich.console import Console
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.funnel import print_funnel, write_report
from pipeline.manifest import Manifest
from pipeline.mixture_table import human_bytes, print_summary, summary_html, summary_rows
from pipeline.settings import SettingsError
from tokenizer.manifest import build_manifest
from tokenizer.mixture import MixtureSettings, resolve
from tokenizer.shards import pack_shard

#: Bytes of documents, tokens trained on, documents held out, their tokens.
MADE = {"books": (85_000, 200, 1, 50), "c4": (783_000_000, 6_000, 2, 90), "web": (12, 300, 0, 0)}
ASKED = {"proportions": {"c4": 3, "books": 1}, "epochs": {"c4": 0.5, "books": 2.0}, "budget_tokens": 2_000.0}


def write_run(folder: Path, asked: dict[str, Any] | None = ASKED) -> str:
    """Lay out what a run of three sources leaves, its figures ours."""
    manifest = Manifest(str(folder))
    counts = {}
    (folder / "stats").mkdir(parents=True)
    for source, (size, tokens, held_out, held_out_tokens) in MADE.items():
        part = {"path": f"documents/{source}/part-0.parquet", "bytes": size - 2, "sha256": "s", "rows": 5}
        rest = {**part, "path": f"documents/{source}/part-1.parquet", "bytes": 2}
        left_out = {**part, "path": f"dropped/{source}/part-0.parquet"}
        manifest.record_stage(f"{source}.documents", {"outputs": [part, rest, left_out]})
        manifest.record_stage(f"{source}.tokens", {"outputs": []})
        facts = {"tokens": tokens, "held_out_documents": held_out, "held_out_tokens": held_out_tokens}
        write_stats(folder, f"{source}.documents", 10, {})
        write_stats(folder, f"{source}.tokens", 10, facts)
        packed = pack_shard([np.zeros(tokens // 4, np.uint16)] * 4, np.dtype("<u2"))
        sealed = build_manifest(
            source,
            [packed.entry("x.bin")],
            vocab_size=9,
            tokenizer_sha256="0" * 64,
            dtype=np.dtype("<u2"),
            bos_id=1,
            eos_id=2,
            bos=True,
            eos=True,
        )
        (folder / "tokens" / source).mkdir(parents=True)
        (folder / "tokens" / source / "manifest.json").write_text(sealed.to_json())
        counts[source] = tokens, 4
    plan = resolve(None if asked is None else MixtureSettings(**asked), counts)
    (folder / "tokens" / "mixture.json").write_text(plan.to_json())
    manifest.record_stage("mixture", {"outputs": []})
    write_stats(folder, "mixture", 3, {})
    (folder / "config.yaml").write_text(yaml.safe_dump({"mixture": asked}))
    return str(folder)


def write_stats(folder: Path, stage: str, kept: int, facts: dict[str, int]) -> None:
    empty = {"dropped": {}, "errors": {}, "gaps": {}, "seconds": {}, "bytes_in": 0, "counts": "documents"}
    stats = {"stage": stage, "read": kept, "kept": kept, "facts": facts, **empty}
    (folder / "stats" / f"{stage}.json").write_text(json.dumps(stats))


ROWS = [
    ("c4", "75.0 %", "0.25", "783 MB", "10", "6,000", "90"),
    ("books", "25.0 %", "2.50", "85 kB", "10", "200", "50"),
    ("web", "–", "–", "12 B", "10", "300", "0"),
    ("total", "100.0 %", "0.32", "783 MB", "30", "6,500", "140"),
]
NOTES = [
    "web has no proportion: its 300 tokens are not trained on",
    "over 2,000 tokens epochs are not those asked for: books 2.50 for 2.00, c4 0.25 for 0.50",
]


def test_the_summary_has_the_columns_of_table_1_for_each_source_and_a_total(tmp_path: Path) -> None:
    assert summary_rows(write_run(tmp_path)) == ROWS


def test_without_a_mixture_all_sources_are_seen_once_by_their_tokens(tmp_path: Path) -> None:
    shares = {name: (proportion, epochs) for name, proportion, epochs, *_ in summary_rows(write_run(tmp_path, None))}
    assert shares == {
        "c4": ("92.3 %", "1.00"),
        "web": ("4.6 %", "1.00"),
        "books": ("3.1 %", "1.00"),
        "total": ("100.0 %", "1.00"),
    }


def test_a_run_without_token_shards_has_no_summary(tmp_path: Path) -> None:
    Manifest(str(tmp_path)).record_stage("c4.documents", {"outputs": []})
    out = io.StringIO()
    print_summary(str(tmp_path), Console(file=out))
    assert (out.getvalue(), summary_html(str(tmp_path)), summary_rows(str(tmp_path))) == ("", "", [])


def test_the_summary_ends_what_a_run_prints_and_stands_in_its_report(tmp_path: Path) -> None:
    run, out = write_run(tmp_path), io.StringIO()
    print_funnel(run, Console(file=out, width=200))
    lines = [re.sub(r"  +", "|", line).strip("|") for line in out.getvalue().splitlines()]
    assert lines[-7:] == [
        "source|sampling prop.|epochs|disk size|documents|tokens|held-out tokens",
        *("|".join(row) for row in ROWS),
        *NOTES,
    ]
    page = Path(write_report(run)).read_text(encoding="utf-8")
    assert "<tr><th>books</th><td>25.0 %</td><td>2.50</td><td>85 kB</td><td>10</td><td>200</td><td>50</td></tr>" in page
    assert all(f"<p>{note}</p>" in page for note in NOTES)


@pytest.mark.parametrize(
    ("size", "written"),
    [(0, "0 B"), (999, "999 B"), (1_000, "1 kB"), (999_499, "999 kB"), (999_500, "1 MB"), (3.3e12, "3.3 TB")],
)
def test_bytes_are_written_with_three_digits(size: float, written: str) -> None:
    assert human_bytes(size) == written


def ask(*arguments: str) -> list[str]:
    result = CliRunner().invoke(app, ["mixture", *arguments])
    if result.exception is not None:
        raise result.exception
    return [re.sub(r"  +", "|", line).strip("|") for line in result.output.splitlines()]


def test_the_command_prints_what_the_config_s_mixture_means(tmp_path: Path) -> None:
    assert ask(write_run(tmp_path)) == [
        "source|sampling prop.|in a block|tokens|drawn|epochs|asked|repeated|never drawn|one epoch at a budget of",
        "c4|75.0 %|750|6,000|1,500|0.25|0.50|0|4,500|8,000",
        "books|25.0 %|250|200|500|2.50|2.00|300|0|800",
        "over 2,000 tokens, drawn from blocks of 1,000 sequences",
        *NOTES,
    ]


def test_the_command_works_out_another_mixture_and_another_budget_and_writes_nothing(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    lines = ask(run, "--budget", "8e3", "--set", "epochs=null", "--set", "proportions.web=4")
    assert lines[1:] == [
        "web|50.0 %|500|300|4,000|13.33|–|3,700|0|600",
        "c4|37.5 %|375|6,000|3,000|0.50|–|0|3,000|16,000",
        "books|12.5 %|125|200|1,000|5.00|–|800|0|1,600",
        "over 8,000 tokens, drawn from blocks of 1,000 sequences",
    ]
    by_tokens = ask(run, "--set", "epochs=null", "--set", "proportions=null", "--set", "budget_tokens=null")
    assert by_tokens[-1] == "over 6,500 tokens, drawn from one population"
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "proportion.web=4"], r"^--set: unknown key proportion; did you mean proportions\? Allowed: budget"),
        (["--set", "proportions.web=-4"], r"^--set: proportions\.web = -4: input should be greater than 0$"),
        (
            ["--set", "proportions.code=4"],
            r"^mixture\.proportions\.code: there is no such source; there are books, c4, ",
        ),
        (["--set", "proportions.web=1e-9"], r"^--set: the proportion of web, .* is too small"),
    ],
)
def test_a_mixture_that_can_not_be_is_one_line(tmp_path: Path, arguments: list[str], message: str) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        ask(write_run(tmp_path), *arguments)
    assert "\n" not in str(caught.value)


def test_a_folder_without_a_run_or_without_token_shards_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no run there \(no config\.yaml\)"):
        ask(str(tmp_path))
    (tmp_path / "config.yaml").write_text("mixture: null")
    with pytest.raises(SettingsError, match=r"no token shards there"):
        ask(str(tmp_path))
