"""StackExchange from dumps to documents: answers meet their question, and every post is accounted for."""

import io
import json
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

import py7zr
import pyarrow.dataset as ds
import pytest
from rich.console import Console

from filters.post_html import post_to_text
from pipeline import launch as launching
from pipeline.run import Run, RunFailed
from pipeline.settings import SettingsError
from pipeline.sources import stackexchange
from pipeline.stackexchange_settings import StackExchangeSettings
from tests.shelf import FLAGS, Shelf

ROOT = Path(__file__).parent.parent.parent
MINI = ROOT / "tests" / "corpus" / "stackexchange"
KITCHEN, GARDEN = "kitchen.stackexchange.example", "jardin.stackexchange.example"
META = "kitchen.meta.stackexchange.example"
EVERYTHING = ("documents", "dropped", "errors")
MINI_DUMP = {"id": "2020-01", "paths": ("*.7z", "*/Posts.xml")}
#: Small enough that files have several ranges, ranges several batches, and sites several partitions.
SMALL = {"partition_bytes": 16 << 10, "split_bytes": 20_000}

Digests = Callable[..., dict[str, str]]


def drive(output: Path, data: Path | str, *, batch_bytes: int = 32 << 20, workers: int = 1, **asked: Any) -> Run:
    flags = asked.pop("flags", ())
    values = {"data": str(data), "batch_bytes": batch_bytes, "sources": {"stackexchange": asked}}
    config = output.parent / f"{output.name}.yaml"
    config.write_text(json.dumps({**values, "tokenizer": None, "tokens": None}))  # JSON is YAML
    run = launching.launch(
        str(config), output=str(output), workers=workers, bytes_per_worker=1, flags=flags, console=Console(quiet=True)
    )
    assert list(run.results) == stackexchange.stages(StackExchangeSettings.model_validate(asked))
    return run


def rows_of(run: Run, folder: str) -> list[dict[str, Any]]:
    place = Path(run.folder) / folder / "stackexchange"
    return ds.dataset(place).to_table().to_pylist() if place.exists() else []


def kept(run: Run) -> dict[str, dict[str, Any]]:
    rows = rows_of(run, "documents")
    assert len({row["id"] for row in rows}) == len(rows)
    return {row["id"]: row for row in rows}


def dropped(run: Run) -> Counter[tuple[str, str]]:
    return Counter((row["id"], row["reason"]) for row in rows_of(run, "dropped"))


def errors(run: Run) -> list[dict[str, Any]]:
    place = Path(run.folder) / "errors" / "stackexchange"
    return [json.loads(line) for file in sorted(place.glob("*")) for line in file.read_text().splitlines()]


def stats(run: Run, stage: str) -> dict[str, Any]:
    whole = json.loads((Path(run.folder) / "stats" / f"stackexchange.{stage}.json").read_text())
    assert all(seconds >= 0 for seconds in whole.pop("seconds").values())
    return whole


def post(number: int, kind: int = 1, *, parent: int | None = None, score: int = 0, **more: str) -> dict[str, str]:
    fields = {
        "Id": str(number),
        "PostTypeId": str(kind),
        "Score": str(score),
        "CreationDate": "2019-01-02T03:04:05.678",
    }
    if parent is not None:
        fields["ParentId"] = str(parent)
    if kind == 1:
        fields["Title"] = f"Title {number}"
    return {**fields, "Body": f"<p>Body {number}.</p>", **more}


def answer(number: int, parent: int, score: int = 0, **more: str) -> dict[str, str]:
    return post(number, 2, parent=parent, score=score, **more)


def posts_xml(posts: Iterable[dict[str, str]]) -> bytes:
    rows = (" ".join(f"{name}={quoteattr(value)}" for name, value in post.items()) for post in posts)
    return ("<?xml version='1.0'?>\n<posts>\n" + "".join(f"  <row {row} />\n" for row in rows) + "</posts>").encode()


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def packed(members: dict[str, bytes]) -> bytes:
    sink = io.BytesIO()
    with py7zr.SevenZipFile(sink, "w") as archive:
        for name, content in members.items():
            archive.writestr(content, name)
    return sink.getvalue()


SITE = "beer.example.com"


def run_posts(tmp_path: Path, posts: Iterable[dict[str, str]], **asked: Any) -> Run:
    write(tmp_path / "data" / SITE / "Posts.xml", posts_xml(posts))
    return drive(tmp_path / "run", tmp_path / "data", dumps=[{"id": "D", "paths": [SITE]}], **asked)


# The miniature dump: its planted posts, traced by hand.


@pytest.fixture(scope="module")
def mini(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return drive(tmp_path_factory.mktemp("mini") / "run", MINI, batch_bytes=16 << 10, dumps=[MINI_DUMP], **SMALL)


def test_answers_come_from_the_highest_score_to_the_lowest_as_numbers_and_equal_ones_by_age(mini: Run) -> None:
    row = kept(mini)[f"{KITCHEN}/1"]
    assert row["text"] == (
        "Q: Why do 9, 10, 100 and -1 not stand in the order of their digits?\n\nThey are numbers.\n\nA: A hundred.\n\n"
        "A: Ten, the first.\n\nA: Ten, the second.\n\nA: Nine.\n\nA: Less than nothing."
    )
    assert (row["url"], row["source"], row["language"]) == (f"https://{KITCHEN}/questions/1", "stackexchange", "")
    assert row["created"] == "2019-02-02T12:00:01.001000+00:00"
    found = {name: value for name, value in row["metadata"].items() if value is not None}
    assert found == {"dump": "2020-01", "title": row["text"][3:67], "score": 7, "answers": 5, "tags": "numbers,order"}


def test_an_answer_may_stand_before_its_question_and_tags_between_bars(mini: Run) -> None:
    row = kept(mini)[f"{KITCHEN}/20"]
    assert row["text"] == (
        "Q: Which answers come first?\n\nThose with a smaller number.\n\nA: Twelve comes before its question."
    )
    assert row["metadata"]["tags"] == "order"


def test_code_lists_and_tables_keep_their_shape(mini: Run) -> None:
    assert kept(mini)[f"{KITCHEN}/21"]["text"] == (
        "Q: How do I take loaves out?\n\nWith code:\n\n"
        "for loaf in loaves:\n    if loaf.weight < 500 && loaf.is_done:\n        take_out(loaf)\n\nIs it right?\n\n"
        "A: Three steps:\n\n1. Flour:\n   - rye\n   - wheat\n2. Water\n\nThen:\n\n3. Salt.\n\n   Not much.\n\n"
        "And &lt; is not <."
    )
    assert kept(mini)[f"{KITCHEN}/29"]["text"] == (
        "Q: How much is $a &lt; b$ & <b>more</b>?\n\nSizes\n\n10^6 grams, $\\frac{a}{b} < c$, press Ctrl.\n"
        "Next line.\n\nflour | grams\nrye | 500\n\n> It is rye.\n>\n> Truly."
    )


def test_what_is_in_no_document_says_why(mini: Run) -> None:
    assert dropped(mini) == {
        (f"{KITCHEN}/7", "stackexchange/orphan_answer"): 1,
        (f"{KITCHEN}/8", "stackexchange/deleted"): 1,
        (f"{KITCHEN}/9", "stackexchange/other_post_type"): 1,
        (f"{KITCHEN}/10", "stackexchange/other_post_type"): 1,
        (f"{KITCHEN}/11", "stackexchange/other_post_type"): 1,
        (f"{KITCHEN}/24", "stackexchange/empty"): 1,
    }
    rows = {row["id"].rpartition("/")[2]: row for row in rows_of(mini, "dropped")}
    assert [rows[number]["measured"] for number in ("9", "10", "11")] == [5, 4, 7]
    assert (rows["7"]["text"], rows["7"]["detail"], rows["7"]["url"]) == (
        "Nobody asked.",
        "no question 999",
        f"https://{KITCHEN}/a/7",
    )
    assert (rows["24"]["measured"], rows["24"]["limit"]) == (0, 1)
    assert rows["8"]["text"] is None


def test_broken_rows_are_errors_and_cost_themselves_alone(mini: Run) -> None:
    found = errors(mini)
    assert Counter(error["cause"] for error in found) == {
        "stackexchange/bad_xml": 1,
        "stackexchange/missing_field": 1,
        "stackexchange/bad_number": 1,
    }
    assert all(error["is_record"] and error["shard"] == f"2020-01~{KITCHEN}" for error in found)
    assert f"{KITCHEN}/26" not in kept(mini)


def test_every_stage_accounts_for_every_post(mini: Run) -> None:
    with py7zr.SevenZipFile(MINI / f"{KITCHEN}.7z") as archive:
        assert archive.namelist() == ["Badges.xml", "Posts.xml"]
    files = [MINI / GARDEN / "Posts.xml", MINI / META / "Posts.xml"]
    kinds = Counter(row.get("PostTypeId") for file in files for row in ElementTree.parse(file).getroot())
    posts, documents = stats(mini, "posts"), stats(mini, "documents")
    rows = kinds["1"] + kinds["2"]
    kitchen = posts["read"] - rows
    assert posts["kept"] == rows + kitchen - 4 - 3
    assert {name: posts[name] for name in ("stage", "counts", "dropped", "errors", "gaps", "facts")} == {
        "stage": "stackexchange.posts",
        "counts": "posts",
        "dropped": {"stackexchange/deleted": 1, "stackexchange/other_post_type": 3},
        "errors": {"stackexchange/bad_number": 1, "stackexchange/bad_xml": 1, "stackexchange/missing_field": 1},
        "gaps": {},
        "facts": {},
    }
    assert posts["bytes_in"] == posts["bytes_out"] > 0
    assert posts["batches"] > posts["shards"] > 3
    assert documents["read"] == documents["kept"] + 2
    assert documents["dropped"] == {"stackexchange/empty": 1, "stackexchange/orphan_answer": 1}
    assert documents["facts"] == {
        "answers": sum(row["metadata"]["answers"] for row in kept(mini).values()),
        "answers_empty": 1,
        "answers_of_dropped_questions": 1,
        "documents searched for leftovers": documents["kept"],
    }
    facts = documents["facts"]
    assert posts["kept"] == documents["read"] + facts["answers"] + 1 + 1
    assert documents["shards"] > 6


def test_workers_batches_partitions_and_ranges_change_no_document(mini: Run, tmp_path: Path, digests: Digests) -> None:
    again = drive(tmp_path / "two", MINI, batch_bytes=16 << 10, workers=2, dumps=[MINI_DUMP], **SMALL)
    assert digests(again.folder, EVERYTHING) == digests(mini.folder, EVERYTHING)
    whole = drive(tmp_path / "whole", MINI, dumps=[{**MINI_DUMP, "paths": (".",)}])
    assert stats(whole, "documents")["shards"] == 3
    assert kept(whole) == kept(mini)
    assert dropped(whole) == dropped(mini)


def test_lost_commits_are_made_again_with_the_same_bytes(mini: Run, tmp_path: Path, digests: Digests) -> None:
    run = tmp_path / "run"
    asked = {"batch_bytes": 16 << 10, "dumps": [MINI_DUMP], **SMALL}
    drive(run, MINI, **asked)
    for stage in ("posts", "documents"):
        for path in sorted((run / "work" / f"stackexchange.{stage}" / "commits").iterdir())[::2]:
            path.unlink()
    for path in sorted((run / "documents" / "stackexchange").iterdir())[::3]:
        path.unlink()
    drive(run, MINI, **asked)
    assert digests(run, EVERYTHING) == digests(mini.folder, EVERYTHING)


def test_inputs_and_run_folder_may_lie_on_an_object_store(
    mini: Run, tmp_path: Path, shelf: Shelf, digests: Digests
) -> None:
    shelf.upload(MINI, "dumps")
    dump = {"id": "2020-01", "paths": ("shelf://dumps/**",)}
    values = {
        "data": "shelf://dumps",
        "batch_bytes": 16 << 10,
        "sources": {"stackexchange": {"dumps": [dump], **SMALL}},
    }
    config = write(tmp_path / "run.yaml", json.dumps({**values, "tokenizer": None, "tokens": None}).encode())
    launching.launch(str(config), output="shelf://results/run", workers=1, flags=FLAGS, console=Console(quiet=True))
    shelf.download("results", tmp_path / "results")
    assert digests(tmp_path / "results" / "run", EVERYTHING) == digests(mini.folder, EVERYTHING)


# Rules, each with posts of its own.


def test_a_low_answer_is_left_out_and_one_at_the_limit_is_not(tmp_path: Path) -> None:
    posts = [post(1), answer(2, 1, score=2), answer(3, 1, score=3), answer(4, 1, score=-3)]
    run = run_posts(tmp_path, posts, min_answer_score=3)
    assert kept(run)[f"{SITE}/1"]["text"] == "Q: Title 1\n\nBody 1.\n\nA: Body 3."
    assert stats(run, "documents")["facts"] == {
        "answers": 1,
        "answers_low_score": 2,
        "documents searched for leftovers": 1,
    }


def test_markers_are_settings_and_a_question_may_have_no_title_or_no_body(tmp_path: Path) -> None:
    posts = [post(1, Title=""), answer(2, 1), post(3, Body=""), post(4, Title=" \n"), answer(5, 4)]
    run = run_posts(tmp_path, posts, question_marker="", answer_marker="")
    assert {name.rpartition("/")[2]: row["text"] for name, row in kept(run).items()} == {
        "1": "Body 1.\n\nBody 2.",
        "3": "Title 3",
        "4": "Body 4.\n\nBody 5.",
    }


def test_a_question_whose_posts_are_too_long_goes_and_one_at_the_limit_stays(tmp_path: Path) -> None:
    limit = 1 << 10
    posts = [post(1, Body="x" * 1000), answer(2, 1, Body="y" * 24)]
    posts += [post(3, Body="x" * 1000), answer(4, 3, Body="y" * 25), answer(5, 3, Body="")]
    posts += [answer(6, 7, Body="z" * 1025), post(8)]
    run = run_posts(tmp_path, posts, limits={"max_question_bytes": limit})
    assert set(kept(run)) == {f"{SITE}/1", f"{SITE}/8"}
    rows = {row["id"]: row for row in rows_of(run, "dropped")}
    row = rows[f"{SITE}/3"]
    assert (row["reason"], row["measured"], row["limit"], row["text"]) == ("stackexchange/too_long", 1025, limit, None)
    orphan = rows[f"{SITE}/6"]
    assert (orphan["reason"], orphan["text"]) == ("stackexchange/orphan_answer", None)
    facts = {"answers": 1, "answers_of_dropped_questions": 2, "documents searched for leftovers": 2}
    assert stats(run, "documents")["facts"] == facts


def test_rounds_of_any_size_give_the_same_documents(tmp_path: Path) -> None:
    posts = [post(number) if number % 3 == 0 else answer(number, number - number % 3) for number in range(3, 90)]
    one = run_posts(tmp_path, posts, partition_bytes=1 << 20)
    many = run_posts(tmp_path / "many", posts, partition_bytes=1 << 10)
    assert stats(one, "documents")["shards"] == 1
    assert stats(many, "documents")["shards"] > 9
    assert kept(one) == kept(many)
    assert len(kept(one)) == 29


def test_of_two_dumps_the_newest_with_a_question_gives_it_whole(tmp_path: Path) -> None:
    old = [post(1, Body="old"), answer(2, 1), answer(3, 1), post(4), answer(5, 4)]
    new = [post(1, Body="new"), answer(2, 1, Body="new answer"), answer(6, 1), answer(7, 4)]
    write(tmp_path / "data" / "2015" / "Posts.xml", posts_xml(old))
    write(tmp_path / "data" / f"{SITE}.7z", packed({"Posts.xml": posts_xml(new)}))
    dumps = [{"id": "2017", "paths": ["*.7z"]}, {"id": "2015", "site": SITE, "paths": ["2015"]}]
    run = drive(tmp_path / "run", tmp_path / "data", dumps=dumps)
    texts = {name.rpartition("/")[2]: row["text"] for name, row in kept(run).items()}
    assert texts == {
        "1": "Q: Title 1\n\nnew\n\nA: new answer\n\nA: Body 6.",
        "4": "Q: Title 4\n\nBody 4.\n\nA: Body 5.",
    }
    assert kept(run)[f"{SITE}/4"]["metadata"]["dump"] == "2015"
    found = {(row["id"], row["reason"], row["detail"], row["text"]) for row in rows_of(run, "dropped")}
    assert found == {
        (f"{SITE}/1", "duplicate/id", "dump 2017", "old"),
        (f"{SITE}/7", "stackexchange/orphan_answer", "no question 4", "Body 7."),
    }
    assert stats(run, "documents")["facts"]["answers_in_older_dumps"] == 2


def test_a_post_twice_in_a_dump_counts_where_it_stands_first(tmp_path: Path) -> None:
    posts = [post(1), answer(2, 1), post(1, Body="again"), answer(2, 1, Body="once more"), answer(3, 1, score=5)]
    run = run_posts(tmp_path, posts)
    assert kept(run)[f"{SITE}/1"]["text"] == "Q: Title 1\n\nBody 1.\n\nA: Body 3.\n\nA: Body 2."
    assert dropped(run) == {(f"{SITE}/1", "duplicate/id"): 1, (f"{SITE}/2", "stackexchange/duplicate_answer"): 1}


def test_a_dump_of_a_large_site_has_its_posts_in_an_archive_of_their_own(tmp_path: Path) -> None:
    write(tmp_path / "data" / "stackoverflow.com-Posts.7z", packed({"Posts.xml": posts_xml([post(1)])}))
    write(tmp_path / "data" / "stackoverflow.com-Votes.7z", packed({"Votes.xml": b"<votes/>"}))
    write(tmp_path / "data" / "readme.txt", b"Read me.")
    run = drive(tmp_path / "run", tmp_path / "data", dumps=[{"id": "D", "paths": ["."]}])
    assert {row["url"] for row in kept(run).values()} == {"https://stackoverflow.com/questions/1"}


def test_a_damaged_archive_gives_what_lies_before_the_damage_and_its_cause(tmp_path: Path) -> None:
    content = bytearray(packed({"Posts.xml": posts_xml(post(n, Body=f"{n * 7919:x}" * 300) for n in range(1, 3000))}))
    content[len(content) // 2] ^= 0x55
    write(tmp_path / "data" / f"{SITE}.7z", bytes(content))
    write(tmp_path / "data" / "empty.example.com.7z", packed({"Users.xml": b"<users/>"}))
    write(tmp_path / "data" / "cut.example.com.7z", packed({"Posts.xml": posts_xml([post(1)])})[:-10])
    run = drive(tmp_path / "run", tmp_path / "data", dumps=[{"id": "D", "paths": ["."]}])
    found = stats(run, "posts")
    assert found["read"] == found["kept"] + sum(found["errors"].values())
    assert 0 < found["kept"] < 2999
    faults = Counter(error["cause"] for error in errors(run))
    assert faults["7z/truncated"] == faults["stackexchange/no_posts"] == 1
    assert sum(faults.values()) == 3
    assert len(set(faults) & {"7z/bad_data", "7z/bad_crc", "stackexchange/bad_xml"}) == 1


def test_an_archive_with_the_posts_of_several_sites_is_not_taken_for_one(tmp_path: Path) -> None:
    both = {"Cooking/posts.xml": posts_xml([post(1)]), "Photos/posts.xml": posts_xml([answer(2, 1)])}
    write(tmp_path / "data" / f"{SITE}.7z", packed(both))
    write(tmp_path / "data" / "one.example.com.7z", packed({"one.example.com\\Posts.xml": posts_xml([post(3)])}))
    run = drive(tmp_path / "run", tmp_path / "data", dumps=[{"id": "D", "paths": ["."]}])
    assert set(kept(run)) == {"one.example.com/3"}
    (error,) = errors(run)
    assert (error["cause"], error["is_record"]) == ("stackexchange/several_posts", False)
    assert "Cooking/posts.xml, Photos/posts.xml" in error["detail"]


def test_a_dump_without_a_question_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(RunFailed, match="kept nothing of 1 records: stackexchange/orphan_answer 1"):
        run_posts(tmp_path, [answer(2, 1)])


# Which files and sites are read.


@pytest.fixture
def dumps(tmp_path: Path) -> Path:
    for name in ("a.example.com/Posts.xml", "b.example.com/Posts.xml", "Posts.xml", "b-2015/Posts.xml"):
        write(tmp_path / "data" / name, posts_xml([post(1)]))
    write(tmp_path / "data" / "b.example.com.7z", b"")
    write(tmp_path / "data" / "c.example.com.7z.001", b"")
    write(tmp_path / "data" / "Users.xml", b"<users/>")
    write(tmp_path / "data" / "sites.yaml", b"sites:\n- {site: b.example.com, posts: 1}\n")
    write(tmp_path / "data" / "none.yaml", b"rule: x\n")
    write(tmp_path / "data" / "wrong.yaml", b"sites: [Beer]\n")
    return tmp_path / "data"


BOTH = {"id": "D", "paths": ["a.example.com", "b.example.com"]}


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ({"dumps": [BOTH]}, ["D~a.example.com", "D~b.example.com"]),
        ({"dumps": [BOTH], "sites": ["b.example.com"]}, ["D~b.example.com"]),
        ({"dumps": [BOTH], "sites": "sites.yaml"}, ["D~b.example.com"]),
        ({"dumps": [{"id": "D", "paths": ["*/Posts.xml", "*.7z"]}], "sites": ["a.example.com"]}, ["D~a.example.com"]),
        ({"dumps": [{"id": "D", "paths": ["b-2015"], "site": "b.example.com"}]}, ["D~b.example.com"]),
        ({"dumps": [{"id": "D", "paths": ["a.example.com/Posts.xml", "a.example.com"]}]}, ["D~a.example.com"]),
    ],
)
def test_files_are_listed_by_dump_and_site(asked: dict[str, Any], names: list[str], dumps: Path) -> None:
    settings = StackExchangeSettings.model_validate(asked)
    shards = stackexchange.list_inputs(settings, str(dumps))
    assert [shard.name for shard in shards] == names
    assert all(shard.size > 0 and shard.dump == "D" for shard in shards)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"dumps": [{"id": "D", "paths": ["nowhere"]}]}, "dumps.0.paths.0: no file matches"),
        ({"dumps": [{"id": "D", "paths": ["a.example.com", "nowhere"]}]}, "dumps.0.paths.1: no file matches"),
        ({"dumps": [{"id": "D", "paths": ["Users.xml"]}]}, "no <site>.7z and no <site>/Posts.xml among the files"),
        ({"dumps": [{"id": "D", "paths": ["b-2015"]}]}, "dumps.0.site: needed, since .*b-2015"),
        ({"dumps": [{"id": "D", "paths": ["b.example.com", "*.7z"]}]}, "are both D~b.example.com"),
        ({"dumps": [{"id": "D", "paths": ["*/Posts.xml", "*.7z"]}], "sites": "sites.yaml"}, "both D~b.example.com"),
        ({"dumps": [{"id": "D", "paths": ["*.001"]}]}, r"c\.example\.com\.7z\.001 is a part of an archive"),
        ({"dumps": [BOTH], "sites": ["c.example.com", "d.example.com"]}, r"no file of c.example.com .*\(and 1 more\)"),
        ({"dumps": [BOTH], "sites": "none.yaml"}, "none.yaml has no list of sites; llama-corpus rank-sites writes one"),
        ({"dumps": [BOTH], "sites": "wrong.yaml"}, "'Beer' is no site"),
        ({"dumps": [BOTH], "sites": "nowhere.yaml"}, "cannot read .*nowhere.yaml"),
    ],
)
def test_what_is_not_there_is_one_line_before_anything_starts(asked: dict[str, Any], message: str, dumps: Path) -> None:
    with pytest.raises(SettingsError, match=message):
        stackexchange.list_inputs(StackExchangeSettings.model_validate(asked), str(dumps))


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"dumps": []}, "at least 1 item"),
        ({"dumps": [BOTH], "question_marker": "Q:\n"}, "question_marker: must be printable"),
        ({"dumps": [{**BOTH, "site": "beer"}]}, "'beer' is no site, such as beer.stackexchange.com"),
        ({"dumps": [BOTH], "sites": []}, "sites\n.*an empty list; null reads all sites"),
        ({"dumps": [BOTH], "sites": ["a.example.com", "Beer"]}, "'Beer' is no site, such as beer.stackexchange.com"),
        ({"dumps": [BOTH], "partition_bytes": 10}, "greater than or equal to 1024"),
        ({"dumps": [BOTH], "partition_size": 10}, "Extra inputs"),
    ],
)
def test_wrong_settings_are_refused(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        StackExchangeSettings.model_validate(asked)


# Real dumps, beside a join in a dictionary.


def join_in_a_dictionary(file: Path) -> dict[str, str]:
    """Each question's text, its answers from the highest score to the lowest."""
    rows = [row.attrib for _, row in ElementTree.iterparse(file) if row.tag == "row"]
    answers: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        if row["PostTypeId"] == "2" and post_to_text(row["Body"]).text:
            answers.setdefault(row["ParentId"], []).append(row)
    found = {}
    for row in rows:
        if row["PostTypeId"] == "1":
            mine = sorted(answers.get(row["Id"], []), key=lambda one: int(one["Id"]))
            mine.sort(key=lambda one: int(one["Score"]), reverse=True)
            parts = [row["Title"], post_to_text(row["Body"]).text]
            parts += [post_to_text(one["Body"]).text for one in mine]
            found[row["Id"]] = "\n\n".join(parts)
    return found


def test_real_sites_are_joined_as_in_a_dictionary(real_data: Path, tmp_path: Path) -> None:
    data = real_data / "stackexchange"
    sites = ("ai.stackexchange.com", "french.meta.stackexchange.com")
    dumps = [{"id": "D", "paths": [*sites, "7z"]}]
    plain = {"question_marker": "", "answer_marker": ""}
    small = {"partition_bytes": 300_000, "split_bytes": 500_000, "batch_bytes": 200_000}
    run = drive(tmp_path / "run", data, dumps=dumps, **plain, **small)
    texts = {name: row["text"] for name, row in kept(run).items()}
    files = {site: data / site / "Posts.xml" for site in sites}
    files["beer.stackexchange.com"] = data / "beer.stackexchange.com-2017" / "Posts.xml"
    expected = {
        f"{site}/{number}": text for site, file in files.items() for number, text in join_in_a_dictionary(file).items()
    }
    assert texts == expected
    assert len(texts) == 421 + 274 + 663
    assert dropped(run).total() == 109 + 20 + 119
    assert not errors(run)
    assert {fact for fact in stats(run, "documents")["facts"] if fact.startswith("leftover")} == set()


def test_posts_of_a_site_meet_in_as_many_partitions_as_its_bytes_ask_for(mini: Run) -> None:
    commits = Path(mini.folder) / "work" / "stackexchange.documents" / "commits"
    units = {path.name.rpartition("-")[0] for path in commits.iterdir()}
    size = (MINI / GARDEN / "Posts.xml").stat().st_size
    count = -(-size // SMALL["partition_bytes"])
    garden = {name for name in units if name.startswith(f"{GARDEN}~")}
    assert garden == {f"{GARDEN}~{index:05d}-of-{count:05d}" for index in range(count)}
