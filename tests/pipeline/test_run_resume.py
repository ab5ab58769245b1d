"""A run goes on where it was stopped, does again what no longer holds, and nothing else."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.run import RunFailed
from pipeline.settings import SettingsError
from tests.demo import WEB_ALONE
from tests.kenlm import needs_kenlm
from tests.killed import commit_times
from tests.killed_group import PROGRAM, run_group_killed

ROOT = Path(__file__).parent.parent.parent
SOURCE = "commoncrawl"
EVERYTHING = ("documents", "dropped", "errors", "tokenizer", "tokens", "held_out")
MODELS = "models"

Digests = Callable[..., dict[str, str]]
RunDemo = Callable[..., Any]


def demo_arguments(output: Path) -> list[str]:
    """Give the command line of the demo in many small batches, so that there is a middle to be killed in."""
    overrides = [word for override in ("batch_bytes=65536", *WEB_ALONE) for word in ("--set", override)]
    workers = ["--workers", "2", "--bytes-per-worker", "1"]
    return ["run", "configs/demo.yaml", "--output", str(output), *workers, *overrides]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, run_demo: RunDemo) -> Path:
    output = tmp_path_factory.mktemp("undisturbed") / "run"
    run_demo(output, "batch_bytes=65536", workers=2, whole=True)
    return output


@pytest.fixture
def copy(demo: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(demo, tmp_path / "copy"))


def ran(output: Path, before: dict[str, Any]) -> list[str]:
    """Name the stages that ran since ``before``, by their log files."""
    return [name for name, when in logs(output).items() if before.get(name) != when]


def logs(output: Path) -> dict[str, int]:
    manifest = json.loads((output / "manifest.json").read_text())
    return {
        name: (output / "work" / name / "commits").stat().st_mtime_ns
        + sum(path.stat().st_mtime_ns for path in (output / "work" / name / "commits").iterdir())
        for name in manifest["stages"]
    }


@needs_kenlm
def test_killed_at_five_moments_a_run_ends_with_the_bytes_of_an_undisturbed_one(
    undisturbed: Path, digests: Digests, tmp_path: Path
) -> None:
    output = tmp_path / "run"
    moments = {"fingerprints": 5, "duplicate_lines": 3, "scored": 5, "perplexity": 4, "reference": 4}
    for name, count in moments.items():
        stage = f"{SOURCE}.{name}"
        before = run_group_killed(demo_arguments(output), output, stage, count)
        assert count <= len(before) < len(commit_times(undisturbed, stage))
        assert not (output / "report.html").exists()
    scored = commit_times(output, f"{SOURCE}.scored")
    read = commit_times(output, f"{SOURCE}.fingerprints")
    command = [sys.executable, "-c", PROGRAM, *demo_arguments(output)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert digests(output, (*EVERYTHING, MODELS)) == digests(undisturbed, (*EVERYTHING, MODELS))
    assert not list(output.rglob("*.partial"))
    after = commit_times(output, f"{SOURCE}.scored")
    assert {name: after[name] for name in scored} == scored, "committed batches were written again"
    assert commit_times(output, f"{SOURCE}.fingerprints") == read, "a finished stage was run again"


def test_run_again_a_finished_run_does_nothing(copy: Path, run_demo: RunDemo, digests: Digests) -> None:
    before, bytes_before = logs(copy), digests(copy, EVERYTHING)
    run_demo(copy)
    assert ran(copy, before) == []
    assert digests(copy, EVERYTHING) == bytes_before


def test_a_changed_threshold_runs_the_stages_it_touches_and_no_other(copy: Path, run_demo: RunDemo) -> None:
    before = logs(copy)
    run_demo(copy, "sources.commoncrawl.language.min_score=0.98")
    assert ran(copy, before) == [
        f"{SOURCE}.documents",
        f"{SOURCE}.tokenizer_sample",
        "tokenizer",
        f"{SOURCE}.tokens",
        "token_manifests",
        "mixture",
    ]


def test_a_threshold_that_changes_no_document_runs_one_stage_and_seals_the_tokens(
    copy: Path, run_demo: RunDemo
) -> None:
    before = logs(copy)
    run_demo(copy, "sources.commoncrawl.language.min_score=0.42")
    assert ran(copy, before) == [f"{SOURCE}.documents", "token_manifests"]


def test_another_keep_rule_hashes_nothing_again(copy: Path, run_demo: RunDemo) -> None:
    before = logs(copy)
    run_demo(copy, "sources.commoncrawl.line_dedup.keep=first", "tokenizer=null", "tokens=null")
    assert ran(copy, before) == [f"{SOURCE}.duplicate_lines", f"{SOURCE}.scored", f"{SOURCE}.documents"]


def test_outputs_of_another_config_are_taken_away(copy: Path, run_demo: RunDemo, digests: Digests) -> None:
    first = digests(copy, ("documents",))
    run_demo(copy, "batch_bytes=1048576", "tokenizer=null", "tokens=null")
    fewer = digests(copy, ("documents",))
    assert len(fewer) < len(first)
    run_demo(copy)
    assert digests(copy, ("documents",)) == first


def test_a_lost_file_is_made_again_and_nothing_else(copy: Path, run_demo: RunDemo, digests: Digests) -> None:
    first = digests(copy, EVERYTHING)
    lost, *rest = sorted((copy / "documents" / SOURCE).iterdir())
    times = {path: path.stat().st_mtime_ns for path in rest}
    lost.unlink()
    run_demo(copy)
    assert digests(copy, EVERYTHING) == first
    assert {path: path.stat().st_mtime_ns for path in rest} == times


def test_a_run_that_did_not_get_to_the_end_leaves_no_token_manifest_of_before(
    copy: Path, run_demo: RunDemo, digests: Digests, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = digests(copy, EVERYTHING)
    with monkeypatch.context() as patch:
        patch.setattr("pipeline.sources.crawl_documents.check_language", None)
        with pytest.raises(RunFailed, match=r"commoncrawl\.documents: .*TypeError"):
            run_demo(copy, "sources.commoncrawl.language.min_score=0.9")
    assert not (copy / "tokens" / SOURCE / "manifest.json").exists()
    run_demo(copy)
    assert digests(copy, EVERYTHING) == first


def test_an_input_that_shrinks_while_the_run_reads_it_stops_the_run(
    run_demo: RunDemo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.sources import commoncrawl

    data = Path(shutil.copytree(ROOT / "tests" / "corpus", tmp_path / "data"))
    (shard,) = (data / SOURCE / "MINI-2019-30").glob("*00003.warc.wet.gz")
    real = commoncrawl.copies_stages

    def shrinking(*arguments: Any) -> Any:
        shard.write_bytes(b"")
        return real(*arguments)

    monkeypatch.setattr(commoncrawl, "copies_stages", shrinking)
    with pytest.raises(
        RunFailed, match=r"00003\.warc\.wet\.gz: \d+ pages when it was fingerprinted, 0 when read again"
    ):
        run_demo(tmp_path / "run", f"data={data}")


def test_changed_input_is_read_again(run_demo: RunDemo, digests: Digests, tmp_path: Path) -> None:
    data = Path(shutil.copytree(ROOT / "tests" / "corpus", tmp_path / "data"))
    plain = (f"data={data}", "tokenizer=null", "tokens=null")
    run_demo(tmp_path / "run", *plain)
    first = digests(tmp_path / "run", ("documents",))
    (shard, *_) = sorted((data / SOURCE / "MINI-2019-30").glob("*00002.warc.wet"))
    content = shard.read_bytes()
    assert b" the " in content
    shard.write_bytes(content.replace(b" the ", b" THE "))
    run_demo(tmp_path / "run", *plain)
    assert digests(tmp_path / "run", ("documents",)) != first


def test_a_stage_that_is_not_asked_for_must_be_up_to_date(run_demo: RunDemo, copy: Path, tmp_path: Path) -> None:
    def only(output: Path, *stages: str) -> None:
        run_demo(output, stages=stages)

    with pytest.raises(SettingsError, match=r"commoncrawl\.fingerprints is not up to date"):
        only(tmp_path / "new", f"{SOURCE}.documents")
    only(tmp_path / "first", f"{SOURCE}.fingerprints", f"{SOURCE}.duplicate_ids")
    assert list(logs(tmp_path / "first")) == [f"{SOURCE}.fingerprints", f"{SOURCE}.duplicate_ids"]
    before = logs(copy)
    only(copy, f"{SOURCE}.documents")
    assert ran(copy, before) == []
    with pytest.raises(SettingsError, match="no stage documents"):
        only(copy, "documents")


def test_a_stage_that_keeps_nothing_fails_and_says_why(run_demo: RunDemo, tmp_path: Path) -> None:
    with pytest.raises(RunFailed, match=r"commoncrawl\.fingerprints: kept nothing of 780 records: .*length/too_short"):
        run_demo(tmp_path / "run", "sources.commoncrawl.min_chars=10000000")
