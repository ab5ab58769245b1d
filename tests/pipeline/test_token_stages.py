"""From documents to token shards: what is trained on, what is held out, and the plan of the mixture."""

import hashlib
import json
import random
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from pipeline import tokens
from pipeline.batch import Batch
from pipeline.commits import list_commits, read_commits, summarize
from pipeline.document import Document
from pipeline.run import Run, RunFailed
from pipeline.runner import Engine
from pipeline.settings import RunSettings, SettingsError, parse_settings
from pipeline.stage import StageResult, digest_outputs
from pipeline.writing import Outputs, write_batch
from tokenizer.manifest import Manifest
from tokenizer.mixture import MixturePlan
from tokenizer.reader import TokenShards

FRACTION = 0.2
PARTS = ("tokens", "held_out")
WORDS = [
    "the",
    "river",
    "rose",
    "and",
    "fell",
    "while",
    "miller",
    "wrote",
    "his",
    "ledger",
    "in",
    "1847",
    "by",
    "light",
]
ODD = ["", " ", "  two  spaces ", "\t\n\x00", "😀\u200d👩🏽", "a▁b", "１２３ ٤٥ 67", "é" * 50, "\ufeff\u3000x"]
SOURCES: dict[str, Any] = {"c4": {"paths": ["x"]}, "wikipedia": {"dumps": [{"id": "1", "paths": ["x"]}]}}


def texts(count: int, seed: int) -> list[str]:
    draw = random.Random(seed)
    return [" ".join(draw.choices(WORDS, k=draw.randrange(1, 120))) for _ in range(count)]


#: Text of each document, by source and id.
DOCUMENTS = {
    "c4": {f"c4/{number}": text for number, text in enumerate([*texts(60, 1), *ODD])},
    "wikipedia": {f"enwiki/{number}": text for number, text in enumerate([*ODD, *texts(25, 2)])},
}


def is_held_out(id_: str, fraction: float = FRACTION) -> bool:
    """Hold the hash that is written down in the format to a fraction, once more."""
    hashed = hashlib.blake2b(b"held out\0" + id_.encode(), digest_size=8, key=bytes(8))
    return int.from_bytes(hashed.digest(), "big") < fraction * 2**64


def settings(**changes: Any) -> RunSettings:
    values = {
        "name": "t",
        "sources": SOURCES,
        "tokenizer": {"vocab_size": 400, "num_threads": 2, "proportions": {"c4": 1, "wikipedia": 1}},
        "tokens": {"shard_bytes": 1024},
        "held_out": {"fraction": FRACTION},
        **changes,
    }
    return parse_settings(RunSettings, values, origin="test")


def write_documents(run: Path, source: str, documents: dict[str, str], per_file: int = 7) -> StageResult:
    rows = [Document(id_, source, text) for id_, text in documents.items()]
    outputs = Outputs(str(run), f"{source}.documents", source, f"documents/{source}")
    for index, start in enumerate(range(0, len(rows), per_file)):
        kept = rows[start : start + per_file]
        write_batch(Batch("s", index, read=len(kept), documents=kept, last=start + per_file >= len(rows)), outputs)
    commits = read_commits(list_commits(str(run), outputs.stage))
    written = [output for commit in commits for output in commit.outputs]
    return StageResult(outputs.stage, commits, digest_outputs(written), summarize(commits))


def make_tokens(run: Path, documents: dict[str, dict[str, str]], **changes: Any) -> tuple[Run, list[str]]:
    """Run the stages from documents to the mixture; also give what the run said."""
    said: list[str] = []
    given = {source: write_documents(run, source, texts) for source, texts in documents.items()}
    console = Console(quiet=True)
    at_work = Run(str(run), settings(**changes), Engine(1), console)
    console.print = lambda line, **_: said.append(str(line))  # type: ignore[method-assign]
    at_work.execute(tokens.recipe(at_work, given))
    return at_work, said


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    make_tokens(folder, DOCUMENTS)
    return folder


def encoded(run: Path, chosen: Sequence[str]) -> list[tuple[int, ...]]:
    processor = sentencepiece.SentencePieceProcessor(model_file=str(run / "tokenizer" / "tokenizer.model"))
    return [(1, *processor.encode(text), 2) for text in chosen]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("source", DOCUMENTS)
def test_the_shards_hold_bare_sentencepieces_ids_of_each_document_once_in_its_part(
    run: Path, source: str, part: str
) -> None:
    chosen = [text for id_, text in DOCUMENTS[source].items() if is_held_out(id_) is (part == "held_out")]
    with TokenShards.open(str(run / part / source), verify=True) as shards:
        assert shards.num_documents == len(chosen) > 0
        found = Counter(tuple(shards.document(number).tolist()) for number in range(shards.num_documents))
    assert found == Counter(encoded(run, chosen))


@pytest.mark.parametrize("part", PARTS)
@given(data=st.data())
def test_any_window_is_a_slice_of_the_files_one_after_the_other(run: Path, part: str, data: st.DataObject) -> None:
    names = [shard["name"] for shard in json.loads((run / part / "c4" / "manifest.json").read_text())["shards"]]
    assert names == sorted(names)
    plain = np.concatenate([np.fromfile(run / part / "c4" / name, "<u2") for name in names])
    start = data.draw(st.integers(0, len(plain)))
    length = data.draw(st.integers(0, len(plain) - start))
    with TokenShards.open(str(run / part / "c4")) as shards:
        assert shards.num_tokens == len(plain)
        assert shards.window(start, length).tolist() == plain[start : start + length].tolist()
        assert shards.windows([start], length).tolist() == [plain[start : start + length].tolist()]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("source", DOCUMENTS)
def test_a_manifest_lists_the_files_that_there_are_and_none_is_empty(run: Path, source: str, part: str) -> None:
    folder = run / part / source
    manifest = Manifest.from_json((folder / "manifest.json").read_bytes())
    listed = {name for shard in manifest.shards for name in (shard.name, shard.ends_name)}
    assert {path.name for path in folder.iterdir()} == {*listed, "manifest.json"}
    assert all(shard.documents and shard.tokens for shard in manifest.shards)
    pattern = rf"{source}-\d{{5}}-of-\d{{5}}\.bin" if part == "tokens" else rf"{source}-\d{{5}}\.bin"
    assert all(re.fullmatch(pattern, shard.name) for shard in manifest.shards)


def test_statistics_and_plan_count_what_the_manifests_count(run: Path) -> None:
    plan = MixturePlan.from_json((run / "tokens" / "mixture.json").read_bytes())
    for source, documents in DOCUMENTS.items():
        stats = json.loads((run / "stats" / f"{source}.tokens.json").read_text())
        trained, held_out = (Manifest.from_json((run / part / source / "manifest.json").read_bytes()) for part in PARTS)
        assert stats["facts"] == {
            "tokens": trained.tokens,
            "held_out_documents": held_out.documents,
            "held_out_tokens": held_out.tokens,
            "verified_documents": stats["facts"]["verified_documents"],
            "differing_documents": 0,
        }
        assert stats["read"] == stats["kept"] == len(documents) == trained.documents + held_out.documents
        assert stats["tokens_per_worker_second"] > 0
        assert (plan.sources[source].tokens, plan.sources[source].documents) == (trained.tokens, trained.documents)


def test_without_held_out_documents_all_are_trained_on(tmp_path: Path) -> None:
    _, said = make_tokens(tmp_path, {"c4": DOCUMENTS["c4"]}, held_out=None)
    assert any(re.search(r"^c4\.tokens: 69 documents in, 69 kept, .*, [\d,]+ tokens/s a worker", line) for line in said)
    assert not (tmp_path / "held_out").exists()
    with TokenShards.open(str(tmp_path / "tokens" / "c4")) as shards:
        assert shards.num_documents == len(DOCUMENTS["c4"])


def test_a_shard_whose_documents_are_all_held_out_is_not_written_and_its_number_is_missing(tmp_path: Path) -> None:
    held_out = [id_ for id_ in (f"c4/{number}" for number in range(500)) if is_held_out(id_)][:14]
    trained = [id_ for id_ in (f"c4/{number}" for number in range(500)) if not is_held_out(id_)][:7]
    long = [text * 9 for text in texts(21, 3)]  # each file of seven is more than a shard
    documents = dict(zip([*held_out, *trained], long, strict=True))
    make_tokens(tmp_path, {"c4": documents})
    (shard,) = Manifest.from_json((tmp_path / "tokens" / "c4" / "manifest.json").read_bytes()).shards
    parts = Manifest.from_json((tmp_path / "held_out" / "c4" / "manifest.json").read_bytes()).shards
    assert re.fullmatch(r"c4-0000[0-2]-of-00003\.bin", shard.name)
    assert (shard.documents, [entry.documents for entry in parts]) == (7, [7, 7])
    assert {entry.name[3:8] for entry in parts} | {shard.name[3:8]} == {"00000", "00001", "00002"}


def test_other_proportions_run_the_mixture_and_nothing_else(run: Path, tmp_path: Path) -> None:
    def times() -> dict[str, int]:
        return {str(path.relative_to(run)): path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()}

    before = times()
    _, said = make_tokens(run, DOCUMENTS, mixture={"proportions": {"c4": 3}, "epochs": {"c4": 2}, "budget_tokens": 100})
    after = times()
    changed = {path for path in after if after[path] != before.get(path) and not path.startswith("documents/")}
    changed = {path for path in changed if "documents/commits" not in path and not path.startswith("logs/")}
    assert changed == {
        "manifest.json",
        "stats/mixture.json",
        "tokens/mixture.json",
        "work/mixture/commits/mixture-00000.json",
        "work/mixture/figures.json",
        "work/mixture/key.json",
    }
    assert re.search(r"^mixture: wikipedia has no proportion: its [\d,]+ tokens are not trained on$", said[-2])
    assert re.search(r"^mixture: over 100 tokens epochs are not those asked for: c4 0\.\d\d for 2\.00$", said[-1])
    stats = json.loads((run / "stats" / "mixture.json").read_text())
    assert (stats["read"], stats["kept"], stats["dropped"]) == (2, 1, {"mixture/no_proportion": 1})
    entry = json.loads((run / "manifest.json").read_text())["stages"]["mixture"]
    assert entry["settings"]["proportions"] == {"c4": 3}
    assert [output["path"] for output in entry["outputs"]] == ["tokens/mixture.json"]
    make_tokens(run, DOCUMENTS)  # as it was, for the tests that follow


def test_another_fraction_writes_the_shards_again_and_leaves_no_old_file(tmp_path: Path) -> None:
    documents = {"c4": DOCUMENTS["c4"]}
    make_tokens(tmp_path, documents)
    before = {path.name for path in (tmp_path / "held_out" / "c4").iterdir()}
    make_tokens(tmp_path, documents, held_out={"fraction": FRACTION, "max_documents": 2})
    after = {path.name for path in (tmp_path / "held_out" / "c4").iterdir()}
    assert after < before
    with TokenShards.open(str(tmp_path / "held_out" / "c4"), verify=True) as shards:
        found = [tuple(shards.document(number).tolist()) for number in range(shards.num_documents)]
    lowered = 2 / len(documents["c4"])
    chosen = [text for id_, text in documents["c4"].items() if is_held_out(id_, lowered)]
    assert Counter(found) == Counter(encoded(tmp_path, chosen))
    assert 0 < len(found) < 7


def test_a_mixture_of_a_source_without_training_tokens_fails_with_one_line(tmp_path: Path) -> None:
    id_ = next(id_ for id_ in (f"enwiki/{number}" for number in range(500)) if is_held_out(id_))
    documents = {"c4": DOCUMENTS["c4"], "wikipedia": {id_: "all there is"}}
    with pytest.raises(RunFailed, match=r"mixture: .*the token shards of wikipedia hold no tokens"):
        make_tokens(tmp_path, documents, mixture={"proportions": {"c4": 1, "wikipedia": 1}})
    make_tokens(tmp_path, documents)
    plan = MixturePlan.from_json((tmp_path / "tokens" / "mixture.json").read_bytes())
    assert (list(plan.sources), plan.left_out) == (["c4"], {"wikipedia": 0})


@pytest.mark.parametrize("key", ["proportions", "epochs"])
def test_a_mixture_that_names_a_source_that_is_not_read_is_refused_when_the_config_is(key: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings(mixture={key: {"c4": 1, "books": 1}})
    assert str(caught.value) == f"test: mixture.{key}.books: there is no such source; there are c4, wikipedia"
    assert settings(mixture={key: {"c4": 1, "books": 1}}, tokens=None).mixture is not None
