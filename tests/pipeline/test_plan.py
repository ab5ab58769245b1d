"""The plan: what would run and why, said before it does. Nothing is written; what it takes follows by arithmetic."""

import io
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from pipeline.estimate import Estimate, Estimator, Prices, add_up
from pipeline.inputs import InputFile
from pipeline.launch import launch, stage_names
from pipeline.measured import Figures, Table, measured_table
from pipeline.plan import Plan, Results, State, Waits, glance_at_inputs, make_plan
from pipeline.run import Run
from pipeline.settings import RunSettings, SettingsError, load_settings
from pipeline.stage import LauncherWork, Stage, side_by_side
from pipeline.volumes import sampled_bytes
from tests.shelf import Shelf

ROOT = Path(__file__).parent.parent.parent
CORPUS = ROOT / "tests" / "corpus"
DEMO = str(ROOT / "configs" / "demo.yaml")
NAMES = ["c4.documents", "c4.tokenizer_sample", "tokenizer", "c4.tokens", "token_manifests", "mixture"]
PUBLISHED = sorted((CORPUS / "c4").glob("*.json.gz"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Published C4, a file or two."""
    folder = tmp_path_factory.mktemp("data")
    for path in PUBLISHED:
        shutil.copyfile(path, folder / path.name)
    return folder


@pytest.fixture(scope="module")
def config(data: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("config") / "small.yaml"
    content = {
        "data": str(data),
        "batch_bytes": 8192,
        "sources": {"c4": {"paths": ["*.json.gz"]}},
        "tokenizer": {"vocab_size": 500, "num_threads": 1},
    }
    path.write_text(yaml.safe_dump(content))
    return str(path)


def run(config: str, output: Path, *overrides: str) -> str:
    """Run it and give what it says."""
    said = io.StringIO()
    launch(config, output=str(output), workers=1, overrides=overrides, console=Console(file=said, width=1000))
    return said.getvalue()


@pytest.fixture(scope="module")
def finished(config: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run; not to be written to."""
    output = tmp_path_factory.mktemp("runs") / "small"
    run(config, output)
    return output


@pytest.fixture
def own(finished: Path, tmp_path: Path) -> Path:
    """A copy of it, to be damaged."""
    return Path(shutil.copytree(finished, tmp_path / "own"))


def look(config: str, output: Path, *overrides: str, **options: Any) -> dict[str, tuple[str, str]]:
    plan = make_plan(config, output=str(output), overrides=overrides, **options)
    return {planned.name: (planned.state.value, planned.why) for planned in plan.stages}


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_without_a_run_folder_the_first_stage_runs_and_the_others_follow(config: str, tmp_path: Path) -> None:
    found = look(config, tmp_path / "none")
    assert list(found) == NAMES
    assert found["c4.documents"] == ("runs", "not run yet")
    assert {found[name] for name in NAMES[1:]} == {("follows", "follows from c4.documents")}
    assert list(tmp_path.iterdir()) == []


def test_of_a_finished_run_all_is_skipped_and_no_byte_and_no_time_changes(config: str, own: Path) -> None:
    before = contents(own)
    assert look(config, own) == dict.fromkeys(NAMES, ("skipped", "up to date, skipped"))
    look(config, own, "batch_bytes=16384")
    assert contents(own) == before


def test_a_changed_setting_has_the_reason_that_the_run_prints(config: str, own: Path) -> None:
    change = "batch_bytes=16384"
    found = look(config, own, change)
    assert found["c4.documents"] == ("runs", "runs again: batch_bytes was 8192, is 16384")
    assert found["token_manifests"] == ("follows", "follows from c4.documents")
    assert f"c4.documents: {found['c4.documents'][1]}" in run(config, own, change)


def test_a_later_stage_whose_setting_changed_leaves_the_earlier_ones_alone(config: str, own: Path) -> None:
    found = look(config, own, "tokens.bos=false")
    assert [found[name][0] for name in NAMES] == ["skipped", "skipped", "skipped", "runs", "follows", "follows"]
    assert found["c4.tokens"][1] == "runs again: bos was True, is False"
    assert found["token_manifests"][1] == "follows from c4.tokens"


def test_a_changed_input_has_the_reason_that_the_run_prints(config: str, data: Path, own: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(data, other)
    (other / "more.json.gz").write_bytes(PUBLISHED[0].read_bytes())
    found = look(config, own, f"data={other}")
    assert found["c4.documents"] == ("runs", "runs again: what it reads of paths has changed")
    assert f"c4.documents: {found['c4.documents'][1]}" in run(config, own, f"data={other}")


def test_a_file_touched_but_the_same_is_no_change(config: str, data: Path, own: Path) -> None:
    for path in data.iterdir():
        path.touch()
    assert look(config, own)["c4.documents"][0] == "skipped"


def test_other_code_counts_unless_it_is_accepted(config: str, own: Path) -> None:
    path = own / "work" / "c4.documents" / "key.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "code": "another"}))
    changed = "runs again: the code has changed (--accept-code-change keeps the outputs)"
    assert look(config, own)["c4.documents"] == ("runs", changed)
    assert look(config, own, accept_code_change=True)["c4.documents"][0] == "skipped"


def test_lost_outputs_and_damaged_commits_are_said_with_what_is_left(config: str, own: Path) -> None:
    commits = sorted((own / "work" / "c4.tokenizer_sample" / "commits").iterdir())
    files = sorted((own / "work" / "c4.tokenizer_sample").glob("part-*.parquet"))
    assert len(commits) > 3
    files[0].unlink()
    commits[-1].write_text("{")
    found = look(config, own)["c4.tokenizer_sample"]
    assert found == (
        "resumes",
        (
            "1 commits cannot be read; their batches are made again; "
            "outputs of 1 batches are gone or changed size; they are made again; "
            f"resuming: {len(commits) - 2} batches are committed, 2 of {len(commits)} units are left"
        ),
    )
    said = run(config, own)
    for part in ("1 commits cannot be read; their batches are made again", "outputs of 1 batches are gone"):
        assert f"c4.tokenizer_sample: {part}" in said
    assert f"c4.tokenizer_sample: resuming: {len(commits) - 2} batches are committed" in said


def test_what_is_all_committed_but_not_recorded_is_run_to_be_recorded(config: str, own: Path) -> None:
    path = own / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["stages"]["token_manifests"]
    path.write_text(json.dumps(manifest))
    assert look(config, own)["token_manifests"] == ("resumes", "1 batches are committed, none is left")


@pytest.mark.parametrize(
    "override",
    [
        "sources.c4.path=x",
        "sources.c4.paths=[nothing-there]",
        "sources.c4.paths=[]",
        "data=nofs://x",
        "data=a[b",
        "tokenizer=null",
    ],
)
def test_a_wrong_setting_is_the_same_line_as_a_run_s(config: str, tmp_path: Path, override: str) -> None:
    lines = []
    for program in (make_plan, launch):
        more = {"console": Console(quiet=True)} if program is launch else {}
        with pytest.raises(SettingsError) as error:
            program(config, output=str(tmp_path / "run"), overrides=[override], **more)  # type: ignore[operator]
        lines.append(str(error.value))
    assert lines[0] == lines[1]
    assert "\n" not in lines[0]
    assert list(tmp_path.iterdir()) == []


def test_the_command_prints_a_table_of_120_columns_json_and_one_line_for_a_fault(config: str, tmp_path: Path) -> None:
    program = (
        "import sys, pipeline.cli as cli\n"
        "for words in ([], ['--json', '--prices', sys.argv[2]], ['--set', 'sources.c4.path=x']):\n"
        "    base = ['llama-corpus', 'plan', sys.argv[1], '--output', sys.argv[3]]\n"
        "    keep, sys.argv = sys.argv, base + words\n"
        "    try: cli.main()\n"
        "    except SystemExit as end: print('status', end.code)\n"
        "    sys.argv = keep\n"
    )
    prices = str(ROOT / "configs" / "prices" / "dataflow.yaml")
    words = [sys.executable, "-c", program, config, prices, str(tmp_path / "run")]
    result = subprocess.run(words, capture_output=True, text=True, timeout=300, check=True)
    text, _, rest = result.stdout.partition("status 0\n")
    found, _, rest = rest.partition("status 0\n")
    table, _, last = text.partition("\nTo run it:\n")
    assert all(len(line) <= 120 for line in table.splitlines())
    assert [line.split()[0] for line in table.splitlines()[1 : 1 + len(NAMES)]] == NAMES
    assert last.strip() == f"llama-corpus run {config} --output {tmp_path / 'run'}"
    content = json.loads(found)
    assert [stage["name"] for stage in content["stages"]] == NAMES
    assert content["total"]["workers_cost"] > 0
    assert rest.strip() == "status 2"
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"error: {config}: unknown key sources.c4.path")
    assert list(tmp_path.iterdir()) == []


def test_every_stage_of_the_demo_is_in_the_plan_in_the_order_of_the_run(tmp_path: Path) -> None:
    overrides = [f"data={CORPUS}", "sources.commoncrawl.perplexity.models=null"]
    names = stage_names(load_settings(RunSettings, DEMO, overrides))
    plan = make_plan(DEMO, output=str(tmp_path / "none"), overrides=overrides)
    skipped = plan.inputs.commoncrawl is not None and plan.inputs.commoncrawl.skips_perplexity
    models = {"commoncrawl.ngram_sample", "commoncrawl.ngram_models", "commoncrawl.perplexity", "commoncrawl.cutoffs"}
    assert [planned.name for planned in plan.stages] == [name for name in names if not skipped or name not in models]
    found = Estimator(plan, measured_table(), workers=2).estimates()
    measured = measured_table().stages
    assert {one.name for one in found if one.seconds is None} == set(names) - set(measured)
    assert {"commoncrawl.scored", "wikipedia.pages", "tokenizer"} <= set(measured)


def test_a_recipe_that_asks_for_a_result_to_come_waits_for_its_stage(
    config: str, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = make_plan(config, output=str(finished)).stages[0].stage

    def recipe(run: Run, *_: object) -> Iterator[Any]:
        yield documents
        yield run.results["wikipedia.pages"]

    monkeypatch.setattr("pipeline.sources.c4.recipe", recipe)
    monkeypatch.setattr("pipeline.sources.c4.stages", lambda _: ["c4.documents", "c4.next", "c4.last"])
    found = look(config, finished, "tokenizer=null", "tokens=null")
    assert found["c4.documents"][0] == "skipped"
    assert found["c4.next"] == found["c4.last"] == ("follows", "follows from wikipedia.pages")


def test_of_results_only_those_that_will_never_be_have_a_default() -> None:
    results = Results()
    results.coming["wikipedia"] = "wikipedia.documents"
    assert results.get("c4", "none") == "none"
    with pytest.raises(Waits, match=r"^wikipedia\.documents$"):
        results.get("wikipedia", "none")


def test_stages_yielded_together_are_answered_together(
    config: str, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The two stages are those of the finished run, so both hold; the last one is new."""
    plan = make_plan(config, output=str(finished))
    documents, sample = (planned.stage for planned in plan.stages[:2])
    new = Stage("c4.new", {}, {}, LauncherWork(lambda: None, "nothing"))
    seen: list[Any] = []

    def recipe(*_: object) -> Iterator[Any]:
        seen.append((yield from side_by_side([documents, sample])))
        seen.append((yield from side_by_side([new, documents])))

    monkeypatch.setattr("pipeline.sources.c4.recipe", recipe)
    monkeypatch.setattr("pipeline.sources.c4.stages", lambda _: [*NAMES[:2], "c4.new", "c4.last"])
    found = make_plan(config, output=str(finished), overrides=["tokenizer=null", "tokens=null"]).stages
    states = [(planned.name, planned.state) for planned in found]
    assert [name for name, _ in states] == ["c4.documents", "c4.tokenizer_sample", "c4.new", "c4.documents", "c4.last"]
    assert [state for _, state in states] == [State.SKIPPED, State.SKIPPED, State.RUNS, State.SKIPPED, State.FOLLOWS]
    assert [[result.name for result in results] for results in seen] == [NAMES[:2]]


def test_files_that_are_new_are_not_read(data: Path, config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.inputs.checksum", lambda path: pytest.fail(f"{path} was read"))
    look(config, data.parent / "none")
    shards = make_plan(config, output=str(data.parent / "none")).inputs.shards["c4"]
    known = {shard.path: InputFile(shard.name, shard.path, shard.size - 1, 0, "sha256:0") for shard in shards}
    assert [file.checksum for file in glance_at_inputs(shards, known)] == ["not looked at"] * len(shards)


def test_a_plan_on_an_object_store_is_that_of_a_local_run(
    config: str, data: Path, finished: Path, shelf: Shelf, tmp_path: Path
) -> None:
    shelf.upload(data, "data")
    before = contents(shelf.folder)
    found = look(config, "shelf://run/none", "data=shelf://data", "sources.c4.paths=['*.json.gz']")  # type: ignore[arg-type]
    assert found == look(config, tmp_path / "none")
    assert contents(shelf.folder) == before


# What it takes, by arithmetic.

TABLE = Table(
    measured="by hand",
    stage_seconds=1.0,
    worker_seconds=2.0,
    launcher_mb=100.0,
    launcher_per_shuffled_byte=2.0,
    batch_bytes=8192,
    memory_per_batch_byte=1000.0,
    document_bytes=1000.0,
    stages={
        "c4.documents": {
            "any": Figures(seconds_per_mb=9.0),
            ".json.gz": Figures(
                seconds_per_mb=500.0, text_out=3.0, written=0.5, left_out=0.25, shuffled=0.0, memory_mb=300.0
            ),
        },
        "c4.tokenizer_sample": {"text": Figures(seconds_per_mb=10.0, text_out=1.0, written=0.5, memory_mb=200.0)},
        "tokenizer": {"text": Figures(seconds_per_mb=40.0, written=0.0, memory_mb=150.0, memory_per_byte=1000.0)},
        "c4.tokens": {"text": Figures(seconds_per_mb=50.0, written=0.5, memory_mb=200.0)},
    },
)
PRICES = Prices(vcpu_hour=3600.0, memory_gb_hour=360.0, shuffle_gb=1e9, disk_gb_month=1e9, worker_memory_gb=10.0)


def estimates(plan: Plan, **options: Any) -> dict[str, Estimate]:
    return {one.name: one for one in Estimator(plan, TABLE, **options).estimates()}


@pytest.fixture(scope="module")
def size() -> int:
    return sum(path.stat().st_size for path in PUBLISHED)


def test_volumes_times_and_sizes_follow_from_the_raw_files_by_the_measured_ratios(config: str, size: int) -> None:
    plan = make_plan(config, output="none-such")
    found = estimates(plan, workers=1)
    first = found["c4.documents"]
    assert (first.read, first.workers, first.written) == (size, 1, int(0.75 * size))
    assert first.seconds == pytest.approx(1 + 500 * size / 1e6)
    assert first.memory == 300_000_000
    sample, tokens = found["c4.tokenizer_sample"], found["c4.tokens"]
    assert sample.read == tokens.read == 3 * size
    assert sample.seconds == pytest.approx(1 + 10 * 3 * size / 1e6)
    assert found["tokenizer"].workers == 0
    assert found["tokenizer"].memory == 150_000_000 + 1000 * 3 * size
    assert found["token_manifests"].seconds is None
    total = add_up(plan, list(found.values()), None)
    assert total.unknown == ["token_manifests", "mixture"]
    assert total.seconds == pytest.approx(sum(one.seconds for one in found.values() if one.seconds is not None))
    assert total.memory == max(one.memory for one in found.values() if one.memory is not None)
    assert total.workers_cost is None


def test_text_that_is_left_out_takes_room_as_far_as_it_is_kept(config: str, size: int) -> None:
    plan = make_plan(config, output="none-such", overrides=["dropped_text_fraction=0.2"])
    assert estimates(plan, workers=1)["c4.documents"].written == int((0.5 + 0.25 * 0.2) * size)


def test_larger_batches_take_more_memory(config: str) -> None:
    plan = make_plan(config, output="none-such", overrides=["batch_bytes=8292"])
    assert estimates(plan, workers=1)["c4.documents"].memory == 300_000_000 + 1000 * 100


def test_a_bounded_sample_bounds_the_training(config: str, tmp_path: Path) -> None:
    bound, size = 1 << 16, 50_000
    (tmp_path / "0.json.gz").write_bytes(bytes(size))
    plan = make_plan(config, output="none-such", overrides=[f"data={tmp_path}", f"tokenizer.sample_bytes={bound}"])
    found = estimates(plan, workers=1)
    assert found["tokenizer"].read == pytest.approx(bound, abs=1)
    assert found["c4.tokenizer_sample"].written == pytest.approx(bound / 2, abs=1)
    assert found["c4.tokens"].read == 3 * size


def test_workers_are_no_more_than_units_and_a_large_unit_holds_the_stage_up(config: str, tmp_path: Path) -> None:
    for number, length in enumerate((600_000, 200_000, 200_000)):
        (tmp_path / f"{number}.json.gz").write_bytes(bytes(length))
    plan = make_plan(config, output="none-such", overrides=[f"data={tmp_path}"])
    first = estimates(plan, workers=500, is_cluster=True)["c4.documents"]
    assert first.workers == 3
    assert first.core_seconds == pytest.approx(500 * 1.0 + 3 * 2)
    assert first.seconds == pytest.approx(1 + 2 + 500 * 0.6)
    # On this machine a MB is not worth a second worker process.
    assert estimates(plan, workers=2)["c4.documents"].workers == 1


def test_cost_is_that_of_busy_workers_and_none_of_the_launcher(config: str, tmp_path: Path) -> None:
    (tmp_path / "0.json.gz").write_bytes(bytes(1_000_000))
    plan = make_plan(config, output="none-such", overrides=[f"data={tmp_path}"])
    found = estimates(plan, workers=1, is_cluster=True, prices=PRICES)
    # 500 s of a core at 3600 an hour, and of 10 GB at 360 each.
    assert found["c4.documents"].cost == pytest.approx(500 * (1 + 1))
    assert found["tokenizer"].cost == 0
    total = add_up(plan, list(found.values()), PRICES)
    assert total.disk_cost == pytest.approx(total.written)


def test_what_an_earlier_run_took_here_counts_before_the_table(config: str, finished: Path, size: int) -> None:
    plan = make_plan(config, output=str(finished), overrides=["batch_bytes=16384"])
    found = estimates(plan, workers=1)
    assert found["c4.documents"].is_here
    outputs = json.loads((finished / "manifest.json").read_text())["stages"]["c4.documents"]["outputs"]
    assert found["c4.documents"].written == pytest.approx(sum(output["bytes"] for output in outputs), abs=2)
    stats = json.loads((finished / "stats" / "c4.documents.json").read_text())
    assert found["c4.tokens"].read == pytest.approx(stats["bytes_out"], abs=2)
    assert found["c4.documents"].seconds == pytest.approx(1 + sum(stats["seconds"].values()), abs=0.01)
    assert not found["c4.tokenizer_sample"].is_here


def test_of_a_stage_that_resumes_the_rest_counts(config: str, own: Path) -> None:
    commits = sorted((own / "work" / "c4.tokenizer_sample" / "commits").iterdir())
    files = {path: path.stat().st_size for path in (own / "documents" / "c4").iterdir()}
    gone = commits[: len(commits) // 2]
    for commit in gone:
        commit.unlink()
    left = sum(
        size for path, size in files.items() if f"{path.stem.removeprefix('part-')}.json" in {c.name for c in gone}
    )
    plan = make_plan(config, output=str(own))
    found = estimates(plan, workers=1)["c4.tokenizer_sample"]
    assert found.core_seconds == pytest.approx(10 * found.read / 1e6 * left / sum(files.values()))
    assert estimates(plan, workers=1)["c4.documents"] == Estimate("c4.documents")


def test_samples_are_bounded_by_the_config_whatever_there_is(config: str) -> None:
    settings = load_settings(
        RunSettings, DEMO, ["sources.commoncrawl.language.languages=[en, de]", "tokenizer.sample_bytes=1000000"]
    )
    crawl = settings.sources.commoncrawl
    assert crawl is not None
    assert crawl.perplexity is not None
    bound = 2 * crawl.perplexity.training.sample_bytes
    assert sampled_bytes("commoncrawl.ngram_sample", bound - 1, 0, settings, 1.0) == bound - 1
    assert sampled_bytes("commoncrawl.ngram_sample", bound + 1, 0, settings, 1.0) == bound
    assert sampled_bytes("c4.tokenizer_sample", 500_000, 2_000_000, settings, 1.0) == 250_000
    assert sampled_bytes("c4.tokenizer_sample", 500_000, 900_000, settings, 1.0) == 500_000
    assert sampled_bytes("c4.documents", 7, 1, settings, 1.0) == 7
