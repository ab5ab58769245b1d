"""The same graphs on other people's machines: an object store's filesystem, and Dataflow as far as it goes offline."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline import launch as launch_module
from pipeline.runner import Engine
from pipeline.stage import Job
from tests.kenlm import needs_kenlm
from tests.shelf import FLAGS, Shelf
from tokenizer.reader import TokenShards

ROOT = Path(__file__).parent.parent.parent
DATAFLOW = (
    "--runner=DataflowRunner",
    "--project=my-project",
    "--region=us-central1",
    "--temp_location=gs://my-bucket/t",
    "--staging_location=gs://my-bucket/s",
    "--dry_run=True",
    "--sdk_location=container",
    "--no_auth",
    "--sdk_container_image=x/y:1",
)

Digests = Callable[..., dict[str, str]]
RunDemo = Callable[..., Any]


@pytest.mark.parametrize("workers", [1, 2])
def test_inputs_and_run_folder_may_lie_on_an_object_store(
    workers: int, shelf: Shelf, demo: Path, run_demo: RunDemo, digests: Digests, tmp_path: Path
) -> None:
    shelf.upload(ROOT / "tests" / "corpus" / "commoncrawl", "dumps/commoncrawl")
    run_demo("shelf://results/run", "data=shelf://dumps", workers=workers, flags=FLAGS)
    shelf.download("results/run", tmp_path / "run")
    folders = ("documents", "dropped", "errors", "tokenizer", "tokens", "held_out")
    assert digests(tmp_path / "run", folders) == digests(demo, folders)
    assert not [file for file in shelf.folder.iterdir() if file.name.endswith((".partial", ".upload"))]


def test_token_shards_are_read_from_an_object_store_by_ranges(shelf: Shelf, demo: Path, digests: Digests) -> None:
    from pipeline.files import open_read

    shelf.upload(demo / "tokens", "tokens")
    here = TokenShards.open(str(demo / "tokens" / "commoncrawl"))
    there = TokenShards.open("shelf://tokens/commoncrawl", open_file=open_read, verify=True)
    for start in (0, 1000, here.num_tokens - 128):
        assert there.window(start, 128).tolist() == here.window(start, 128).tolist()
    here.close()
    there.close()


class Translated:
    """An engine that hands every graph to Dataflow's translation before it runs it here."""

    def __init__(self, workers: int, flags: tuple[str, ...], bytes_per_worker: int) -> None:
        self._here = Engine(1)
        self.graphs: list[set[str]] = []
        self.templates: list[Path] = []

    def run(self, job: Job, log: str) -> None:
        if job.build is not None:
            template = FOLDER / f"template-{len(TRANSLATED)}.json"
            root = Engine(1, (*DATAFLOW, f"--template_location={template}")).pipeline(1, log)
            job.build(root)
            TRANSLATED[Path(log).stem] = grouped(root.to_runner_api().components.transforms.values())
            root.run()
        self._here.run(job, log)


TRANSLATED: dict[str, set[str]] = {}
FOLDER = Path()


def grouped(transforms: Any) -> set[str]:
    """Name the transforms of a graph that shuffle."""
    found = [step.unique_name for step in transforms if step.spec.urn == "beam:transform:group_by_key:v1"]
    return {name.rsplit("/", 1)[-1] for name in found}


@needs_kenlm
@pytest.mark.filterwarnings("ignore")  # the cloud client libraries warn of their own affairs
def test_every_graph_builds_for_dataflow_and_shuffles_nothing_but_units_and_fingerprints(
    run_demo: RunDemo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[__name__], "FOLDER", tmp_path)
    monkeypatch.setattr(launch_module, "Engine", Translated)
    TRANSLATED.clear()
    c4 = "sources.c4={dumps: [{id: MINI-2019-30, paths: [commoncrawl/MINI-2019-30]}]}"
    ready = "sources.corpora={ready: {paths: [c4/*.json.gz], id: url, created: timestamp}}"
    run = run_demo(tmp_path / "run", c4, ready, whole=True, others=True)
    finds = {name for name in TRANSLATED if ".duplicate_" in name}
    assert len(finds) == 10
    shuffles = {**{name: {"Meet", "Gather"} for name in finds}, "books.shared": {"Meet"}}
    assert {name: {"Spread"} | shuffles.get(name, set()) for name in TRANSLATED} == TRANSLATED
    launched = {"ngram_models", "cutoffs", "cited_urls", "reference_model"}
    books = {"books.candidates", "books.duplicates"}
    own = {"tokenizer", "token_manifests", "mixture", "evaluation_ngrams", "matched_ngrams"}
    here = {*own, *books, *(f"commoncrawl.{name}" for name in launched)}
    assert set(run.results) - set(TRANSLATED) == here
    quoted = {
        name: run.results[f"{name}.decontaminated"].stats for name in ("books", "arxiv", "github", "stackexchange")
    }
    assert {name: stats["read"] - stats["kept"] for name, stats in quoted.items()} == dict.fromkeys(quoted, 1)
    inputs = json.loads((tmp_path / "run" / "manifest.json").read_text())["inputs"]
    sources = {"wikipedia", "stackexchange", "books", "arxiv", "github", "c4", "commoncrawl", "ready"}
    assert {name for name, files in inputs.items() if files} == {*sources, "wikipedia citations", "evaluation sets"}
