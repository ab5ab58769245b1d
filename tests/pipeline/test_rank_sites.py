"""Which sites of a dump are the largest, counted by hand and on real dumps; damaged files are reported."""

import io
from pathlib import Path

import py7zr
import pytest
import typer
import yaml
from typer.testing import CliRunner

from pipeline.cli_rank_sites import rank_sites
from pipeline.rank_sites import SiteCount, count_sites, find_sites, rank, read_ranking
from pipeline.settings import SettingsError

MINI = Path(__file__).parent.parent / "corpus" / "stackexchange"


def posts(questions: int, answers: int, day: str = "2020-01-02") -> bytes:
    row = '<row Id="{}" PostTypeId="{}" ParentId="1" Score="0" CreationDate="{}T00:00:00.000" Body="x" />\n'
    kinds = [1] * questions + [2] * answers + [5] * 40
    return f"<posts>{''.join(row.format(n + 1, kind, day) for n, kind in enumerate(kinds))}</posts>".encode()


def packed(content: bytes) -> bytes:
    sink = io.BytesIO()
    with py7zr.SevenZipFile(sink, "w") as archive:
        archive.writestr(content, "Posts.xml")
    return sink.getvalue()


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    folder = tmp_path / "dump"
    for name, content in {
        "b.example.com.7z": packed(posts(2, 3, "2021-05-06")),
        "c.example.com-Posts.7z": packed(posts(1, 4)),
        "c.example.com-Votes.7z": b"",
        "a.example.com/Posts.xml": posts(1, 1),
        "a.example.com/Comments.xml": b"<comments/>",
        "a.meta.example.com/Posts.xml": posts(9, 9),
        "readme.txt": b"",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def command(*arguments: str) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(rank_sites)
    result = CliRunner().invoke(app, [*arguments, "--workers", "1"])
    return result.exit_code, result.output


def test_questions_and_answers_count_and_equal_sites_stand_by_name(dump: Path, tmp_path: Path) -> None:
    output = tmp_path / "sites.yaml"
    status, shown = command(str(dump), "--output", str(output), "--top", "2")
    ranking = yaml.safe_load(output.read_text())
    assert status == 0
    assert "2 of 4 sites, 10 of 30 posts" in shown
    assert {name: ranking[name] for name in ("newest_post", "top")} == {"newest_post": "2021-05-06", "top": 2}
    assert ranking["sites"] == [
        {
            "site": "b.example.com",
            "posts": 5,
            "questions": 2,
            "answers": 3,
            "bytes": len(posts(2, 3)),
            "newest_post": "2021-05-06",
        },
        {
            "site": "c.example.com",
            "posts": 5,
            "questions": 1,
            "answers": 4,
            "bytes": len(posts(1, 4)),
            "newest_post": "2020-01-02",
        },
    ]
    assert [entry["site"] for entry in ranking["smaller"]] == ["a.example.com"]
    assert [entry["site"] for entry in ranking["meta"]] == ["a.meta.example.com"]
    assert read_ranking(str(output)) == ["b.example.com", "c.example.com"]


def test_meta_sites_are_ranked_when_asked_for(dump: Path) -> None:
    counts = count_sites(find_sites(str(dump)).shards, workers=1)
    ranking = rank(counts, top=28, include_meta=True)
    assert [entry["site"] for entry in ranking["sites"]] == [
        "a.meta.example.com",
        "b.example.com",
        "c.example.com",
        "a.example.com",
    ]
    assert ranking["meta"] == []


def test_workers_change_no_byte(dump: Path) -> None:
    assert count_sites(find_sites(str(dump)).shards, workers=2) == count_sites(find_sites(str(dump)).shards, workers=1)


def test_a_damaged_archive_is_reported_and_counted_only_when_allowed(dump: Path, tmp_path: Path) -> None:
    whole = packed(posts(2, 3))
    (dump / "b.example.com.7z").write_bytes(whole[:-5])
    (dump / "a.example.com" / "Posts.xml").write_bytes(posts(1, 1)[:-10])
    output = tmp_path / "sites.yaml"
    status, shown = command(str(dump), "--output", str(output))
    assert status == 1
    assert "error: b.example.com: 7z/truncated" in shown
    assert "error: a.example.com: stackexchange/truncated" in shown
    assert not output.exists()
    status, shown = command(str(dump), "--output", str(output), "--allow-damaged")
    assert status == 0
    assert "warning: b.example.com: 7z/truncated" in shown
    entries = {entry["site"]: entry for entry in yaml.safe_load(output.read_text())["sites"]}
    assert (entries["b.example.com"]["posts"], entries["b.example.com"]["faults"]) == (0, ["7z/truncated"])
    assert (entries["a.example.com"]["posts"], entries["a.example.com"]["faults"]) == (2, ["stackexchange/truncated"])


def test_a_broken_row_is_no_damage(dump: Path) -> None:
    (dump / "a.example.com" / "Posts.xml").write_bytes(posts(1, 1).replace(b'Score="0"', b'Score="x"', 1))
    counts = {count.site: count for count in count_sites(find_sites(str(dump)).shards, workers=1)}
    site = "a.example.com"
    assert counts[site] == SiteCount(site, 0, 1, len(posts(1, 1)), "2020-01-02", 1, ())


def test_a_folder_without_sites_is_refused(tmp_path: Path) -> None:
    (tmp_path / "none" / "odd").mkdir(parents=True)
    (tmp_path / "none" / "readme.txt").write_bytes(b"")
    with pytest.raises(SettingsError, match=r"no <site>\.7z and no <site>/Posts\.xml"):
        find_sites(str(tmp_path / "none"))
    (tmp_path / "none" / "odd" / "Posts.xml").write_bytes(posts(1, 1))
    with pytest.raises(SettingsError, match=r"odd/Posts\.xml does not tell its site"):
        find_sites(str(tmp_path / "none"))


def test_a_site_that_is_there_twice_is_refused_until_one_of_its_files_is_left_out(dump: Path, tmp_path: Path) -> None:
    (dump / "copies").mkdir()
    (dump / "copies" / "B.example.com-posts.7z").write_bytes(packed(posts(7, 7)))
    output = str(tmp_path / "sites.yaml")
    with pytest.raises(SettingsError, match=r"are both b\.example\.com; --exclude leaves one out"):
        find_sites(str(dump))
    status, shown = command(str(dump), "--output", output, "--exclude", "copies/*", "--exclude", "*.meta.*")
    assert status == 0
    assert "3 of 3 sites, 12 of 12 posts" in shown
    with pytest.raises(SettingsError, match="--exclude: 'copy/\\*' matches no file"):
        find_sites(str(dump), ["copy/*"])


def test_a_part_of_an_archive_is_refused(dump: Path) -> None:
    (dump / "d.example.com.7z.001").write_bytes(b"")
    with pytest.raises(SettingsError, match=r"FOLDER: .*d\.example\.com\.7z\.001 is a part of an archive; join them"):
        find_sites(str(dump))


def test_a_file_that_does_not_tell_its_site_is_left_out_with_a_warning(dump: Path, tmp_path: Path) -> None:
    for odd in ("a.example.com-2015", "old copies"):
        (dump / odd).mkdir()
        (dump / odd / "Posts.xml").write_bytes(posts(1000, 1))
    status, shown = command(str(dump), "--output", str(tmp_path / "sites.yaml"))
    assert status == 0
    assert [line.rpartition("/dump/")[2] for line in shown.splitlines() if line.startswith("warning: left out")] == [
        "a.example.com-2015/Posts.xml does not tell its site; named <site>/Posts.xml or <site>.7z it would count",
        "old copies/Posts.xml does not tell its site; named <site>/Posts.xml or <site>.7z it would count",
    ]
    assert "3 of 4 sites, 12 of 30 posts" in shown


def test_each_site_is_told_when_it_is_counted(dump: Path, tmp_path: Path) -> None:
    _, shown = command(str(dump), "--output", str(tmp_path / "sites.yaml"))
    lines = [line for line in shown.splitlines() if line.startswith("counted ")]
    assert [line.partition(":")[0] for line in lines] == [f"counted {number} of 4" for number in range(1, 5)]
    assert "b.example.com, 5 posts" in {line.partition(": ")[2] for line in lines}


def test_the_real_folder_is_ranked_without_the_copies_its_names_do_not_tell(real_data: Path, tmp_path: Path) -> None:
    status, shown = command(str(real_data / "stackexchange"), "--output", str(tmp_path / "sites.yaml"))
    assert status == 0
    assert shown.count("warning: left out") == 2
    assert "2 of 3 sites, 3,405 of 4,166 posts" in shown


def test_the_miniature_dump_is_ranked() -> None:
    counts = count_sites(find_sites(str(MINI)).shards, workers=1)
    names = [count.site.partition(".stackexchange")[0] for count in counts]
    assert names == ["kitchen", "jardin", "kitchen.meta"]
    assert [count.errors for count in counts] == [3, 0, 0]


def test_real_sites_are_counted_as_their_rows_say(real_data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "dump"
    folder.mkdir()
    for name in ("ai.stackexchange.com", "french.meta.stackexchange.com"):
        (folder / name).mkdir()
        (folder / name / "Posts.xml").write_bytes((real_data / "stackexchange" / name / "Posts.xml").read_bytes())
    archive = "beer.stackexchange.com.7z"
    (folder / archive).write_bytes((real_data / "stackexchange" / "7z" / archive).read_bytes())
    counts = {
        count.site.partition(".stack")[0]: count for count in count_sites(find_sites(str(folder)).shards, workers=1)
    }
    assert {name: (count.questions, count.answers) for name, count in counts.items()} == {
        "beer": (663, 1572),
        "ai": (421, 749),
        "french.meta": (274, 487),
    }
