"""Input made to cost more than its size: work stays in proportion, and odd values do not stop a run."""

import gzip
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.commits import Commit, damaged_commits, list_commits, read_commits, write_commit
from pipeline.document import Document
from pipeline.inputs import list_shards
from pipeline.settings import SettingsError
from pipeline.sources.http_response import BadHttp, HttpResponse, decode_body, parse_response
from pipeline.sources.pages import read_pages

CLOCK = time.process_time


def seconds(call: Callable[[], object]) -> float:
    start = CLOCK()
    call()
    return CLOCK() - start


def test_many_empty_gzip_members_are_undone_in_linear_time() -> None:
    member = gzip.compress(b"", mtime=0)

    def undo(members: int) -> float:
        response = HttpResponse(200, {"content-encoding": "gzip"}, member * members)
        return seconds(lambda: decode_body(response, max_bytes=1 << 20))

    small, large = undo(20_000), undo(160_000)
    assert large < 30 * small + 0.5  # eight times the input; quadratic would be 64 times


def test_members_one_after_the_other_come_out_whole() -> None:
    body = gzip.compress(os.urandom(10_000), mtime=0) + gzip.compress(b"<p>end</p>", mtime=0)
    response = HttpResponse(200, {"content-encoding": "gzip"}, body)
    assert decode_body(response, max_bytes=1 << 20) == gzip.decompress(body)


def test_a_header_without_an_end_is_refused_and_not_folded_together() -> None:
    block = b"HTTP/1.1 200 OK\r\nx: y\r\n" + b" z\r\n" * 200_000
    with pytest.raises(BadHttp) as refused:
        parse_response(block)
    assert refused.value.cause == "http/bad_header"


@pytest.mark.parametrize("date", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-01:00", "yesterday"])
def test_a_date_out_of_range_is_left_empty(date: str, record: Callable[..., bytes], tmp_path: Path) -> None:
    path = tmp_path / "x.wet"
    path.write_bytes(record(b"Title\nText\n", fields={"WARC-Date": date}))
    with path.open("rb") as stream:
        ((page, _),) = read_pages(stream)
    assert isinstance(page, Document)
    assert page.created == ""


def test_a_commit_cut_by_a_power_failure_is_found(tmp_path: Path) -> None:
    for index in range(3):
        write_commit(str(tmp_path), "s", Commit("a", index))
    cut = list_commits(str(tmp_path), "s")[1]
    Path(cut).write_bytes(b"")
    assert damaged_commits(str(tmp_path), "s") == [cut]
    Path(cut).unlink()
    assert [commit.index for commit in read_commits(list_commits(str(tmp_path), "s"))] == [0, 2]


def test_stars_match_files_in_the_root_too_as_a_shell_does(tmp_path: Path) -> None:
    for name in ("a.wet", "b/a.wet", "b/c/a.wet"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    shards = list_shards("s", "d", ["**/*.wet"], data=str(tmp_path), key="k")
    assert [shard.name for shard in shards] == ["d~a.wet", "d~b~a.wet", "d~b~c~a.wet"]


@pytest.mark.parametrize("target", ["elsewhere", "nowhere"])
def test_a_link_that_would_be_passed_over_is_refused(target: str, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.wet").write_bytes(b"x")
    (tmp_path / "in" / "link").symlink_to(tmp_path / target)
    for entry in ("in", "in/*.wet"):
        with pytest.raises(SettingsError, match="link to a folder or to nothing"):
            list_shards("s", "d", [entry], data=str(tmp_path), key="k")


def test_a_pipe_among_inputs_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "a.wet").write_bytes(b"x")
    os.mkfifo(tmp_path / "b.wet")
    with pytest.raises(SettingsError, match=r"b\.wet is no file, which is not read"):
        list_shards("s", "d", [str(tmp_path)], data="", key="k")
