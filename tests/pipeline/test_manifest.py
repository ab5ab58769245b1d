"""The manifest: what is recorded comes back, and what is no manifest is refused."""

import json
from pathlib import Path

import pytest

from pipeline.inputs import InputFile
from pipeline.manifest import FORMAT, Manifest, ManifestError, StageOrder, versions

ENTRY = {"key": "k", "code": "c", "digest": "d", "outputs": [{"path": "x", "bytes": 1, "sha256": "s", "rows": 0}]}
FILES = [InputFile("D~a", "/data/a", 12, 1.5, "sha256:00"), InputFile("D~b", "/data/b", 13, 2.25, "sha256:01")]


def test_stages_and_inputs_come_back_as_they_were_recorded(tmp_path: Path) -> None:
    manifest = Manifest(str(tmp_path))
    manifest.record_inputs("commoncrawl", FILES)
    manifest.record_stage("cc.scored", ENTRY)
    again = Manifest(str(tmp_path))
    assert again.stages == {"cc.scored": ENTRY}
    assert again.known_inputs("commoncrawl") == {"/data/a": FILES[0], "/data/b": FILES[1]}
    assert again.known_inputs("wikipedia") == {}


def test_a_new_run_has_an_empty_manifest_and_writes_none_by_itself(tmp_path: Path) -> None:
    assert Manifest(str(tmp_path)).stages == {}
    assert list(tmp_path.iterdir()) == []


def test_a_stage_that_runs_again_is_forgotten_with_all_that_came_after_it(tmp_path: Path) -> None:
    manifest = Manifest(str(tmp_path))
    seal = {**ENTRY, "outputs": [{"path": "tokens/s/manifest.json"}, {"path": "tokens/s/s-0.bin"}]}
    for name, entry in (("a", ENTRY), ("b", ENTRY), ("c", seal)):
        manifest.record_stage(name, entry)
    assert manifest.forget_from("never there") == []
    assert manifest.forget_from("b") == ["tokens/s/manifest.json"]
    assert list(Manifest(str(tmp_path)).stages) == ["a"]


def test_entries_are_put_into_the_order_of_the_run_and_those_of_no_part_of_it_taken_away(tmp_path: Path) -> None:
    manifest = Manifest(str(tmp_path))
    for name in ("late", "gone", "early"):
        manifest.record_stage(name, ENTRY)
    assert manifest.order_stages(["early", "late", "never ran"]) == ["gone"]
    assert list(Manifest(str(tmp_path)).stages) == ["early", "late"]


#: Two chains, a third that reads something of the first, and what reads all.
ORDER = StageOrder({"a": ["a1", "a2"], "b": ["b1", "b2"], "c": ["c1"]}, {"c": frozenset({"a"})}, ["end"])


def full_manifest(folder: Path) -> Manifest:
    for name in ("end", "c1", "b2", "b1", "a2", "a1"):
        Manifest(str(folder), ORDER).record_stage(name, ENTRY)
    return Manifest(str(folder), ORDER)


def test_entries_stand_in_the_order_of_the_chains_whichever_was_recorded_first(tmp_path: Path) -> None:
    assert list(full_manifest(tmp_path).stages) == ORDER.names() == ["a1", "a2", "b1", "b2", "c1", "end"]


@pytest.mark.parametrize(
    ("again", "left"),
    [
        ("a1", ["b1", "b2"]),
        ("a2", ["a1", "b1", "b2"]),
        ("b1", ["a1", "a2", "c1"]),
        ("c1", ["a1", "a2", "b1", "b2"]),
        ("end", ["a1", "a2", "b1", "b2", "c1"]),
    ],
)
def test_a_stage_that_runs_again_is_forgotten_with_what_may_read_it_and_no_other_chain(
    again: str, left: list[str], tmp_path: Path
) -> None:
    full_manifest(tmp_path).forget_from(again)
    assert list(Manifest(str(tmp_path)).stages) == left


def test_a_stage_of_no_chain_is_forgotten_too(tmp_path: Path) -> None:
    manifest = full_manifest(tmp_path)
    manifest.record_stage("of another config", ENTRY)
    manifest.forget_from("b1")
    assert list(manifest.stages) == ["a1", "a2", "c1"]


def test_what_this_run_has_confirmed_or_recorded_did_not_wait_and_stays(tmp_path: Path) -> None:
    manifest = full_manifest(tmp_path)
    assert manifest.confirm("c1")
    manifest.forget_from("a1")
    assert list(manifest.stages) == ["b1", "b2", "c1"]
    assert not manifest.confirm("a1")
    manifest.record_stage("a1", ENTRY)
    manifest.record_stage("end", ENTRY)
    manifest.forget_from("a2")
    manifest.forget_from("b1")
    assert list(manifest.stages) == ["a1", "c1", "end"]


def test_it_tells_its_format_and_the_versions_of_what_made_it(tmp_path: Path) -> None:
    Manifest(str(tmp_path)).record_stage("a", ENTRY)
    content = json.loads((tmp_path / "manifest.json").read_text())
    assert content["format"] == FORMAT
    assert content["versions"] == versions()
    assert {"llama-corpus", "python", "apache-beam", "numpy", "pyarrow"} <= set(versions())


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "3", "{}", '{"stages": {}}', '{"format": "llama-corpus-manifest/1"}', "\\xff"],
)
def test_what_is_no_manifest_is_refused_in_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(ManifestError, match=r"^\S+manifest\.json: not a manifest of this program$"):
        Manifest(str(tmp_path))


def test_a_manifest_of_another_format_is_refused_with_both_names(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"format": "llama-corpus-manifest/2", "inputs": {}, "stages": {}}')
    with pytest.raises(ManifestError, match=r"written in format llama-corpus-manifest/2, this version reads .*/1"):
        Manifest(str(tmp_path))
