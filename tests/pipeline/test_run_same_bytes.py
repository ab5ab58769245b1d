"""The same input gives the same bytes: for any number of workers, order of files, runner and filesystem."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from distributed import LocalCluster

ROOT = Path(__file__).parent.parent.parent
DASK = "--runner=apache_beam.runners.dask.dask_runner.DaskRunner"

Digests = Callable[..., dict[str, str]]
RunDemo = Callable[..., Any]
EVERYTHING = ("documents", "dropped", "errors", "tokenizer", "tokens", "held_out")


def test_one_worker_writes_the_bytes_of_two(
    whole_demo: Path, run_demo: RunDemo, digests: Digests, tmp_path: Path
) -> None:
    run_demo(tmp_path / "run", workers=1, whole=True)
    assert digests(tmp_path / "run", (*EVERYTHING, "models")) == digests(whole_demo, (*EVERYTHING, "models"))


def test_the_order_in_which_files_are_given_changes_nothing(
    demo: Path, run_demo: RunDemo, digests: Digests, tmp_path: Path
) -> None:
    dumps = yaml.safe_load((ROOT / "configs" / "demo.yaml").read_text())["sources"]["commoncrawl"]["dumps"]
    for dump in dumps:
        (folder,) = dump["paths"]
        names = sorted(path.name for path in (ROOT / "tests" / "corpus" / folder).iterdir())
        moved = tmp_path / "data" / folder
        moved.mkdir(parents=True)
        for name in reversed(names):
            shutil.copy(ROOT / "tests" / "corpus" / folder / name, moved)
        dump["paths"] = [f"{folder}/**", f"{folder}/*.gz", folder]
    dumps.reverse()
    overrides = [f"sources.commoncrawl.dumps={json.dumps(dumps)}", f"data={tmp_path / 'data'}"]
    run_demo(tmp_path / "run", *overrides)
    assert digests(tmp_path / "run", EVERYTHING) == digests(demo, EVERYTHING)


@pytest.mark.filterwarnings("ignore")  # dask and its cluster warn of their own affairs
def test_a_dask_cluster_of_two_workers_writes_the_same_bytes(
    whole_demo: Path, run_demo: RunDemo, digests: Digests, tmp_path: Path
) -> None:
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        flags = [DASK, f"--dask_client_address={cluster.scheduler_address}"]
        run_demo(tmp_path / "run", flags=flags, whole=True)
    assert digests(tmp_path / "run", (*EVERYTHING, "models")) == digests(whole_demo, (*EVERYTHING, "models"))


@pytest.mark.filterwarnings("ignore")  # dask and its cluster warn of their own affairs
def test_texts_come_out_the_same_from_one_worker_two_and_a_dask_cluster(
    run_demo: RunDemo, digests: Digests, tmp_path: Path
) -> None:
    written = ("documents", "dropped", "errors")
    for workers in (1, 2):
        run_demo(tmp_path / str(workers), workers=workers, texts=True)
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        flags = [DASK, f"--dask_client_address={cluster.scheduler_address}"]
        run_demo(tmp_path / "dask", workers=2, flags=flags, texts=True)  # all five at once
    one = digests(tmp_path / "1", written)
    assert {path.split("/")[1] for path in one} == {"wikipedia", "stackexchange", "books", "arxiv", "github"}
    assert digests(tmp_path / "2", written) == one
    assert digests(tmp_path / "dask", written) == one


def test_taking_the_fingerprints_in_many_passes_changes_nothing(
    demo: Path, run_demo: RunDemo, digests: Digests, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline import duplicates
    from pipeline.sources import crawl_dedup

    passes: list[int] = []

    def tiny(files: Any, max_bytes: int | None) -> Any:
        planned = duplicates.plan_passes(files, None if max_bytes is None else 20_000)
        passes.append(len(planned))
        return planned

    monkeypatch.setattr(crawl_dedup, "plan_passes", tiny)
    run_demo(tmp_path / "run", "tokenizer=null", "tokens=null")
    assert max(passes) > 3
    assert digests(tmp_path / "run", ("documents",)) == digests(demo, ("documents",))
