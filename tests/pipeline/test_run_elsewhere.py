"""The same graphs on other people's machines: an object store's filesystem, and Dataflow as far as it goes offline."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from pipeline import launch as launch_module
from pipeline.runner import Engine
from pipeline.stage import Job
from tests.kenlm import needs_kenlm
from tokenizer.reader import TokenShards

ROOT = Path(__file__).parent.parent.parent
PLUGINS = ROOT / "tests" / "plugins"
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


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty shelf, its filesystem known to this process and to workers."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    monkeypatch.setenv("SHELF", str(folder))
    monkeypatch.setenv("PYTHONPATH", str(PLUGINS))
    monkeypatch.syspath_prepend(str(PLUGINS))
    import shelf_filesystem

    assert shelf_filesystem.ShelfFileSystem.scheme() == "shelf"
    return folder


def upload(shelf: Path, folder: Path, bucket: str) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            name = f"{bucket}/{path.relative_to(folder)}".replace("/", "%2F")
            (shelf / name).write_bytes(path.read_bytes())


def download(shelf: Path, bucket: str, folder: Path) -> None:
    for file in shelf.iterdir():
        key = unquote(file.name)
        if key.startswith(f"{bucket}/"):
            target = folder / key.removeprefix(f"{bucket}/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())


@pytest.mark.parametrize("workers", [1, 2])
def test_inputs_and_run_folder_may_lie_on_an_object_store(
    workers: int, shelf: Path, demo: Path, run_demo: RunDemo, digests: Digests, tmp_path: Path
) -> None:
    upload(shelf, ROOT / "tests" / "corpus" / "commoncrawl", "dumps/commoncrawl")
    flags = ["--beam_plugins=shelf_filesystem.ShelfFileSystem"]
    run_demo("shelf://results/run", "data=shelf://dumps", workers=workers, flags=flags)
    download(shelf, "results/run", tmp_path / "run")
    folders = ("documents", "dropped", "errors", "tokenizer", "tokens")
    assert digests(tmp_path / "run", folders) == digests(demo, folders)
    assert not [file for file in shelf.iterdir() if file.name.endswith((".partial", ".upload"))]


def test_token_shards_are_read_from_an_object_store_by_ranges(shelf: Path, demo: Path, digests: Digests) -> None:
    from pipeline.files import open_read

    upload(shelf, demo / "tokens", "tokens")
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
    run = run_demo(tmp_path / "run", c4, whole=True, others=True)
    finds = {name for name in TRANSLATED if ".duplicate_" in name}
    assert len(finds) == 6
    shuffles = {**{name: {"Meet", "Gather"} for name in finds}, "books.shared": {"Meet"}}
    assert {name: {"Spread"} | shuffles.get(name, set()) for name in TRANSLATED} == TRANSLATED
    launched = {"ngram_models", "cutoffs", "cited_urls", "reference_model"}
    books = {"books.candidates", "books.duplicates"}
    here = {"tokenizer", "token_manifests", *books, *(f"commoncrawl.{name}" for name in launched)}
    assert set(run.results) - set(TRANSLATED) == here
    inputs = json.loads((tmp_path / "run" / "manifest.json").read_text())["inputs"]
    sources = {"wikipedia", "stackexchange", "books", "c4", "commoncrawl"}
    assert {name for name, files in inputs.items() if files} == {*sources, "wikipedia citations"}
