"""GitHub from tables, folders and archives to documents: the fate of every planted file, traced by hand."""

import json
import os
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
import xxhash
import yaml
from rich.console import Console

from pipeline import launch as launching
from pipeline.github_settings import GithubSettings
from pipeline.run import Run, RunFailed
from pipeline.settings import SettingsError
from pipeline.sources import github
from tests.corpus.mini_code import BODY, C_BODY, HEADERS
from tests.shelf import FLAGS, Shelf

ROOT = Path(__file__).parent.parent.parent
MINI = ROOT / "tests" / "corpus"
EVERYTHING = ("documents", "dropped", "errors")
#: Small enough that tables have several batches, and contents several partitions.
SMALL = {"partition_bytes": 1 << 10}

Digests = Callable[..., dict[str, str]]


def mini_collections() -> list[dict[str, Any]]:
    found = yaml.safe_load((ROOT / "configs" / "demo.yaml").read_text())["sources"]["github"]["collections"]
    assert isinstance(found, list)
    return found


def drive(output: Path, data: Path | str, *, batch_bytes: int = 32 << 20, workers: int = 1, **asked: Any) -> Run:
    flags = asked.pop("flags", ())
    values = {"data": str(data), "batch_bytes": batch_bytes, "sources": {"github": asked}}
    config = output.parent / f"{output.name}.yaml"
    config.write_text(json.dumps({**values, "tokenizer": None, "tokens": None}))  # JSON is YAML
    run = launching.launch(
        str(config), output=str(output), workers=workers, bytes_per_worker=1, flags=flags, console=Console(quiet=True)
    )
    assert list(run.results) == github.stages(GithubSettings.model_validate(asked))
    return run


def rows_of(run: Run, folder: str) -> list[dict[str, Any]]:
    place = Path(run.folder) / folder / "github"
    return ds.dataset(place).to_table().to_pylist() if place.exists() else []


def kept(run: Run) -> dict[str, dict[str, Any]]:
    rows = rows_of(run, "documents")
    assert len({row["id"] for row in rows}) == len(rows)
    return {row["id"].removeprefix("github/"): row for row in rows}


def dropped(run: Run) -> list[tuple[str, str]]:
    return sorted((row["id"].removeprefix("github/"), row["reason"]) for row in rows_of(run, "dropped"))


def errors(run: Run) -> list[dict[str, Any]]:
    place = Path(run.folder) / "errors" / "github"
    return [json.loads(line) for file in sorted(place.glob("*")) for line in file.read_text().splitlines()]


def stats(run: Run, stage: str) -> dict[str, Any]:
    whole = json.loads((Path(run.folder) / "stats" / f"github.{stage}.json").read_text())
    assert all(seconds >= 0 for seconds in whole.pop("seconds").values())
    return whole


def row(repository: str, path: str, content: Any, **more: Any) -> dict[str, Any]:
    fields = {"repo_name": repository, "ref": "main", "path": path, "content": content, "license": "mit"}
    return {**fields, **more}


def run_rows(tmp_path: Path, rows: list[dict[str, Any]], name: str = "run", **asked: Any) -> Run:
    data = tmp_path / "data"
    data.mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), data / f"{name}.parquet")
    return drive(tmp_path / name, data, collections=[{"id": "tables", "rows": [f"{name}.parquet"]}], **asked)


# The miniature inputs: planted files, traced by hand.


@pytest.fixture(scope="module")
def mini(tmp_path_factory: pytest.TempPathFactory) -> Run:
    output = tmp_path_factory.mktemp("mini") / "run"
    return drive(output, MINI, batch_bytes=8 << 10, collections=mini_collections(), **SMALL)


MASTER, HEAD, MAIN = "@refs/heads/master:", "@HEAD:", "@refs/heads/main:"


def test_the_planted_files_that_stay_are_those_under_a_permitted_licence_without_their_headers(mini: Run) -> None:
    texts = {name: row["text"] for name, row in kept(mini).items() if "volume" not in name}
    headers, licences = f"kitchen/headers{MASTER}src/", f"kitchen/licences{MASTER}src/"
    assert texts == {
        **{f"{headers}oven.{suffix}": HEADERS[suffix][1] for suffix in ("c", "go", "sql", "html", "rb")},
        **{
            f"{licences}{name}.py": f"{BODY}# {name}\n"
            for name in ("mit", "apache-2.0", "bsd-2-clause", "bsd-3-clause")
        },
        f"kitchen/none{MASTER}src/own.py": f"{BODY}# own\n",
        f"kitchen/data{MASTER}src/dos.py": f"{BODY}# dos\n",
        first_of_heat(): HEADERS["py"][1],
        f"c/apache{MAIN}b.py": f"{BODY}# in five places\n",
        smallest(f"c/apache{MAIN}stove.rb", f"d/bsd{MAIN}stove.rb"): HEADERS["rb"][1].replace("Oven", "Stove"),
        f"bakers/oven{HEAD}src/oven.c": C_BODY.replace("weigh", "bake"),
        f"bakers/oven{HEAD}.hidden/oven.sh": "#!/bin/sh\n# Bakes.\nset -e\nbake rye 250\nbake wheat 230\n",
        f"bakers/unlicensed{HEAD}src/spdx.c": C_BODY.replace("weigh", "spdx"),
        f"bakers/packed{HEAD}src/packed.c": C_BODY.replace("weigh", "packed"),
        f"bakers/zipped{HEAD}a.c": C_BODY.replace("weigh", "zip"),
        "garden/tools@0123abcd:rake.go": HEADERS["go"][1].replace("Heat", "Rake"),
        "garden/tools@0123abcd:both.go": HEADERS["go"][1].replace("Heat", "Both"),
    }


def smallest(*names: str) -> str:
    return min(names, key=lambda name: xxhash.xxh3_64_intdigest(f"github/{name}".encode()))


def first_of_heat() -> str:
    """Three files are the same but for their headers."""
    own, copy = f"kitchen/headers{MASTER}src/oven.py", f"kitchen/headers{MASTER}src/copy.py"
    return smallest(own, copy, "kitchen/headers@0123abcd:src/again.py")


def test_what_is_left_out_says_why(mini: Run) -> None:
    data, headers = f"kitchen/data{MASTER}", f"kitchen/headers{MASTER}src/"
    heat = {f"{headers}oven.py", f"{headers}copy.py", "kitchen/headers@0123abcd:src/again.py"} - {first_of_heat()}
    stove = {f"c/apache{MAIN}stove.rb", f"d/bsd{MAIN}stove.rb"}
    found = [(name, reason) for name, reason in dropped(mini) if "/" in name]
    assert found == sorted(
        [
            *((f"kitchen/licences{MASTER}src/{name}.py", "licence/not_permitted") for name in OTHER_LICENCES),
            (f"kitchen/none{MASTER}src/none.py", "licence/missing"),
            (f"kitchen/odd{MASTER}src/odd.py", "licence/unknown"),
            (f"{headers}gnu.py", "licence/other_in_file"),
            (f"{headers}only.py", "code/empty"),
            (f"{headers}oven.lisp", "code/other_suffix"),
            (f"{headers}oven.erl", "code/other_suffix"),
            *((name, "duplicate/content") for name in heat | (stove - {smallest(*stove)})),
            (f"{data}dist/oven.min.js", "code/minified_name"),
            (f"{data}src/parser.py", "code/generated"),
            (f"{data}node_modules/oven/index.js", "code/vendored"),
            (f"{data}LICENSE", "code/licence_file"),
            (f"{data}oven.crt", "code/data_name"),
            (f"{data}src/numbers.py", "code/line_too_long"),
            (f"{data}src/link.py", "github/not_a_file"),
            (f"{data}src/nul.py", "encoding/not_text"),
            (f"{data}src/binary.py", "github/binary"),
            (f"{data}src/absent.py", "github/no_content"),
            (f"a/gnu{MAIN}only.py", "licence/not_permitted"),
            (f"b/mit{MAIN}node_modules/only.py", "code/vendored"),
            (f"b/mit{MAIN}link.py", "github/not_a_file"),
            (f"e/none{MAIN}free.py", "licence/missing"),
            (f"c/apache{MAIN}b.py", "duplicate/id"),
            (f"bakers/oven{HEAD}LICENSE", "code/licence_file"),
            (f"bakers/oven{HEAD}lib/gnu/COPYING", "licence/not_permitted"),
            (f"bakers/oven{HEAD}lib/gnu/gnu.c", "licence/not_permitted"),
            (f"bakers/unlicensed{HEAD}src/free.c", "licence/missing"),
            (f"bakers/packed{HEAD}LICENSE", "code/licence_file"),
            *((f"bakers/packed{HEAD}src/{name}.c", "github/not_a_file") for name in ("link", "hard", "device", "fifo")),
            (f"bakers/zipped{HEAD}LICENSE", "code/licence_file"),
            (f"bakers/zipped{HEAD}src/link.c", "github/not_a_file"),
            ("garden/tools@0123abcd:mixed.go", "licence/not_permitted"),
            ("garden/tools@0123abcd:none.go", "licence/missing"),
        ]
    )


OTHER_LICENCES = ("gpl-3.0", "lgpl-2.1", "mpl-2.0", "isc")


def test_contents_that_stand_nowhere_or_are_no_text_are_known_by_their_hash(mini: Run) -> None:
    found = Counter(reason for name, reason in dropped(mini) if "/" not in name)
    assert found == {"github/no_place": 2, "github/binary": 1, "github/no_content": 1}
    assert all(len(name) == 40 for name, _ in dropped(mini) if "/" not in name)


def test_rows_and_members_that_cannot_be_used_are_errors(mini: Run) -> None:
    assert Counter(error["cause"] for error in errors(mini)) == {
        "github/bad_name": 1,
        "github/wrong_type": 2,
        "github/unsafe_member": 3,
    }


def test_a_document_says_where_it_stands_and_under_which_licence(mini: Run) -> None:
    document = kept(mini)[f"c/apache{MAIN}b.py"]
    assert (document["source"], document["language"], document["created"]) == ("github", "", "")
    assert document["url"] == "https://github.com/c/apache/blob/main/b.py"
    text = f"{BODY}# in five places\n"
    assert {name: value for name, value in document["metadata"].items() if value is not None} == {
        "dump": "bigquery",
        "encoding": "utf-8",
        "original_chars": len(text),
        "licence": "Apache-2.0",
        "repository": "c/apache",
        "ref": "refs/heads/main",
        "path": "b.py",
        "programming_language": "Python",
    }
    assert kept(mini)[f"bakers/oven{HEAD}src/oven.c"]["url"] == ""
    assert kept(mini)["garden/tools@0123abcd:both.go"]["metadata"]["licence"] == "MIT AND Apache-2.0"


def test_every_stage_accounts_for_every_record(mini: Run) -> None:
    assert stats(mini, "licences")["kept"] == 5
    places, contents, documents = (stats(mini, name) for name in ("places", "contents", "documents"))
    assert (places["read"], places["kept"], places["dropped"]) == (16, 15, {"github/not_a_file": 1})
    assert (contents["read"], contents["kept"]) == (11, 9)
    assert contents["dropped"] == {"github/binary": 1, "github/no_content": 1}
    volume = 36
    assert documents["read"] == 21 + volume + 3
    assert documents["dropped"] == {"duplicate/content": 3}
    assert documents["kept"] == len(kept(mini)) == 21 + volume
    facts = documents["facts"]
    by_language = Counter(row["metadata"]["programming_language"] for row in kept(mini).values())
    assert {name: facts[f"files of {name}"] for name in by_language} == by_language
    assert by_language["Python"] == 8 + volume
    assert sum(facts[name] for name in facts if name.startswith("bytes of")) == documents["bytes_out"]


def test_cleaning_counts_what_became_of_every_file_and_of_every_header(mini: Run) -> None:
    volume = 36
    headers = [
        *(HEADERS[suffix][0] for suffix in ("c", "go", "py", "sql", "html", "rb")),
        "# Copyright 2021 Someone else\n\n",  # copy.py
        HEADERS["py"][0],  # only.py, where nothing stands behind it
        "# SPDX-License-Identifier: Apache-2.0\n",  # own.py
        *["# Copyright 2000 The bakers\n\n"] * (volume // 3),
        "# Copyright 2020 Another\n\n",  # stove.rb
        HEADERS["c"][0],  # oven.c of the folder
        "// SPDX-License-Identifier: MIT\n",  # spdx.c
    ]
    gone = [row for row in rows_of(mini, "dropped") if row["stage"] == "github.cleaned"]
    copies = [row for row in rows_of(mini, "dropped") if row["reason"] == "duplicate/content"]
    text = sum(len(row["text"].encode()) for row in [*rows_of(mini, "documents"), *copies])
    judged = {"code/generated", "code/line_too_long", "licence/missing", "licence/other_in_file"}
    text_gone = sum(len(row["text"].encode()) for row in gone if row["reason"] in judged)
    assert stats(mini, "cleaned") == {
        "stage": "github.cleaned",
        "counts": "files",
        # the joined table, The Stack's, three partitions, two archives, the folder
        "shards": 1 + 1 + 3 + 2 + 1,
        # the joined table alone has more than a batch: 55 KB of text and 512 bytes a row, in batches of 8 KiB
        "batches": 10 + 1 + 3 + 2 + 1,
        # 8 licences, 8 headers, 20 others of the joined table; 9 contents; 5 of the stack; 7, 8 and 4 of repositories
        "read": 8 + 8 + 20 + volume + 9 + 5 + 7 + 8 + 4,
        "kept": 21 + volume + 3,
        "dropped": {
            "code/data_name": 1,
            "code/empty": 1,
            "code/generated": 1,
            "code/licence_file": 4,  # of the joined table, the folder and both archives
            "code/line_too_long": 1,
            "code/minified_name": 1,
            "code/other_suffix": 2,
            "code/vendored": 1 + 1,
            "duplicate/id": 1,
            "encoding/not_text": 1,
            "github/binary": 1,
            "github/no_content": 1,
            "github/no_place": 2,
            "github/not_a_file": 1 + 4 + 1,  # of the joined table, the tar and the zip
            "licence/missing": 1 + 1 + 1 + 1,  # of the joined table, BigQuery's, the folder and The Stack's
            "licence/not_permitted": 4 + 1 + 2 + 1,
            "licence/other_in_file": 1,
            "licence/unknown": 1,
        },
        "errors": {"github/bad_name": 1, "github/unsafe_member": 3, "github/wrong_type": 2},
        "gaps": {},
        "bytes_in": text + text_gone + sum(map(len, headers)),
        "bytes_out": text,
        "facts": {
            "chars of headers": sum(map(len, headers)),
            "headers removed": len(headers),
            "lines": 0,
            "places beside the one taken": 4 + 1 + 1,
            "places without content": 3,
        },
    }


def test_workers_batches_and_partitions_change_no_document(mini: Run, tmp_path: Path, digests: Digests) -> None:
    asked = {"collections": mini_collections(), **SMALL}
    again = drive(tmp_path / "two", MINI, batch_bytes=8 << 10, workers=2, **asked)
    assert digests(again.folder, EVERYTHING) == digests(mini.folder, EVERYTHING)
    whole = drive(tmp_path / "whole", MINI, collections=mini_collections())
    assert stats(whole, "cleaned")["batches"] < stats(mini, "cleaned")["batches"]
    assert kept(whole) == kept(mini)
    assert dropped(whole) == dropped(mini)


def test_the_order_of_collections_changes_no_document(mini: Run, tmp_path: Path) -> None:
    again = drive(tmp_path / "run", MINI, collections=mini_collections()[::-1])
    assert kept(again) == kept(mini)
    assert dropped(again) == dropped(mini)


def test_lost_commits_are_made_again_with_the_same_bytes(mini: Run, tmp_path: Path, digests: Digests) -> None:
    run, asked = tmp_path / "run", {"batch_bytes": 8 << 10, "collections": mini_collections(), **SMALL}
    drive(run, MINI, **asked)
    for stage in ("licences", "places", "contents", "cleaned", "duplicate_ids", "duplicate_files", "documents"):
        for path in sorted((run / "work" / f"github.{stage}" / "commits").iterdir())[::2]:
            path.unlink()
    drive(run, MINI, **asked)
    assert digests(run, EVERYTHING) == digests(mini.folder, EVERYTHING)


def test_inputs_and_run_folder_may_lie_on_an_object_store(
    mini: Run, tmp_path: Path, shelf: Shelf, digests: Digests
) -> None:
    shelf.upload(MINI / "github", "dumps/github")
    values = {
        "data": "shelf://dumps",
        "batch_bytes": 8 << 10,
        "sources": {"github": {"collections": mini_collections(), **SMALL}},
    }
    config = tmp_path / "run.yaml"
    config.write_text(json.dumps({**values, "tokenizer": None, "tokens": None}))
    launching.launch(str(config), output="shelf://results/run", workers=1, flags=FLAGS, console=Console(quiet=True))
    shelf.download("results", tmp_path / "results")
    assert digests(tmp_path / "results" / "run", EVERYTHING) == digests(mini.folder, EVERYTHING)


# Deduplication, against brute force


def test_of_equal_texts_the_one_whose_id_has_the_smallest_hash_stays_and_ids_stay_once(tmp_path: Path) -> None:
    draw = random.Random(7)
    rows = []
    for _ in range(400):
        header = draw.choice(
            ["", "# Copyright 2019 The bakers\n\n", "# Copyright 2020 Others\n# SPDX-License-Identifier: MIT\n\n"]
        )
        rows.append(
            row(f"o/r{draw.randrange(9)}", f"{draw.randrange(60)}.py", f"{header}{BODY}# {draw.randrange(90)}\n")
        )
    first: dict[str, dict[str, Any]] = {}
    for one in rows:
        first.setdefault(f"github/{one['repo_name']}@main:{one['path']}", one)
    expected: dict[str, str] = {}
    for name in first:
        text = (
            first[name]["content"].partition("\n\n")[2]
            if "Copyright" in first[name]["content"]
            else first[name]["content"]
        )
        best = expected.get(text)
        expected[text] = name if best is None else min((name, best), key=hash_of)
    run = run_rows(tmp_path, rows, batch_bytes=8 << 10)
    assert {row["text"]: row["id"] for row in rows_of(run, "documents")} == expected
    found = Counter(row["reason"] for row in rows_of(run, "dropped"))
    assert found == {"duplicate/id": len(rows) - len(first), "duplicate/content": len(first) - len(expected)}
    shuffled = sorted(first.values(), key=lambda one: hash_of(one["content"]))
    again = run_rows(tmp_path, shuffled, "shuffled", batch_bytes=16 << 10)
    assert kept(again) == {name: {**one, "metadata": kept(run)[name]["metadata"]} for name, one in kept(run).items()}


def hash_of(text: str) -> int:
    return xxhash.xxh3_64_intdigest(text.encode())


def test_of_one_id_in_two_collections_the_file_of_the_newer_stays(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for name in ("2019", "2022"):
        pq.write_table(pa.Table.from_pylist([row("o/r", "a.py", f"{BODY}# {name}\n")]), data / f"{name}.parquet")
    for order in ("2019", "2022"), ("2022", "2019"):
        collections = [{"id": name, "rows": [f"{name}.parquet"]} for name in order]
        run = drive(tmp_path / "-".join(order), data, collections=collections)
        assert [row["text"] for row in rows_of(run, "documents")] == [f"{BODY}# 2022\n"]
        assert dropped(run) == [("o/r@main:a.py", "duplicate/id")]


# Edges and settings


def test_a_file_exactly_as_long_as_allowed_stays_and_a_longer_one_goes(tmp_path: Path) -> None:
    fits = BODY + "# é" + "x" * 30 + "\n"
    size = len(fits.encode())
    rows = [row("o/r", "fits.py", fits), row("o/r", "breaks.py", fits.replace("\n", "y\n", 1).replace(":y", "y:"))]
    run = run_rows(tmp_path, rows, max_file_bytes=size)
    assert list(kept(run)) == ["o/r@main:fits.py"]
    (gone,) = rows_of(run, "dropped")
    assert (gone["reason"], gone["measured"], gone["limit"]) == ("github/too_long", size + 1, size)


@pytest.mark.parametrize("entry", ["repositories", "repositories/**"])
def test_links_pipes_and_links_to_folders_are_left_out_with_a_reason(tmp_path: Path, entry: str) -> None:
    root = tmp_path / "repositories"
    (root / "o" / "r" / "src").mkdir(parents=True)
    (root / "o" / "r" / "src" / "a.c").write_text("// SPDX-License-Identifier: MIT\n" + C_BODY)
    for name, target in {
        "o/r/folder": "src",
        "o/r/file.c": "src/a.c",
        "o/r/nothing.c": "absent.c",
        "o/r/LICENSE": "src",
        "o/r/.git": "src",
        "o/packed.zip": "r",
    }.items():
        (root / name).symlink_to(target)
    os.mkfifo(root / "o" / "r" / "pipe.c")
    run = drive(tmp_path / "run", tmp_path, collections=[{"id": "mine", "repositories": [entry]}])
    assert list(kept(run)) == ["o/r@HEAD:src/a.c"]
    details = {row["id"].removeprefix("github/"): (row["reason"], row["detail"]) for row in rows_of(run, "dropped")}
    link = ("github/not_a_file", "link")
    assert details == {
        **{f"o/r@HEAD:{name}": link for name in ("folder", "file.c", "nothing.c", "LICENSE")},
        "o/packed@HEAD:": link,
        "o/r@HEAD:pipe.c": ("github/not_a_file", "special"),
    }
    assert stats(run, "cleaned")["read"] == 7


def test_families_that_are_not_asked_for_go(tmp_path: Path) -> None:
    rows = [
        row("o/r", f"{name}.py", f"{BODY}# {name}\n", license=name) for name in ("mit", "apache-2.0", "bsd-3-clause")
    ]
    assert list(kept(run_rows(tmp_path, rows, licences=["apache"]))) == ["o/r@main:apache-2.0.py"]


def test_a_column_named_in_the_config_must_be_there_and_others_may_be_missing(tmp_path: Path) -> None:
    rows = [row("o/r", "a.py", BODY)]
    assert list(kept(run_rows(tmp_path, rows))) == ["o/r@main:a.py"]
    collection = {"id": "tables", "rows": ["run.parquet"], "columns": {"mode": "modus"}}
    with pytest.raises(RunFailed, match="github/missing_column"):
        drive(tmp_path / "named", tmp_path / "data", collections=[collection])


@pytest.mark.parametrize(
    ("collections", "message"),
    [
        ([{"id": "x"}], "give rows, which are tables, or repositories"),
        ([{"id": "x", "rows": ["a"], "repositories": ["b"]}], "give rows, which are tables, or repositories"),
        ([{"id": "x", "repositories": ["b"], "licenses": ["c"]}], "files and licenses are tables beside rows"),
        ([{"id": "x", "rows": ["a"], "url": "https://x/{owner}"}], r"only \{repository\}, \{ref\} and \{path\}"),
        ([{"id": "a+b", "rows": ["a"]}], r"sources.github.collections.0.id = 'a\+b'"),
        ([{"id": "x", "rows": ["a"]}, {"id": "x", "rows": ["b"]}], "collections must have different ids"),
        ([{"id": "x", "rows": ["absent"]}], "sources.github.collections.0.rows.0: no file matches"),
        ([{"id": "x", "repositories": ["github/repositories/bakers/oven"], "depth": 7}], "is depth right"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(collections: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=message):
        drive(tmp_path / "run", MINI, collections=collections)
    assert not (tmp_path / "run").exists()
