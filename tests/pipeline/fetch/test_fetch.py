"""One download: what is asked for, what is on the disk afterwards, and what is refused."""

import contextlib
import fcntl
import gzip
import hashlib
import json
import os
import random
import resource
import signal
import time
from pathlib import Path

import pytest

from pipeline.fetch import Download, Source, fetch, read_source
from pipeline.fetch_checks import Checks
from pipeline.fetch_http import FetchError
from pipeline.fetch_partial import beside

BODY = random.Random(1).randbytes(300_000)
ETAG = {"ETag": '"v1"'}
CUT = 100_000


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def target(tmp_path) -> str:
    return str(tmp_path / "file.bin")


def test_a_file_comes_whole_with_a_note_of_where_it_came_from(server, reply, client, tmp_path, target):
    url = server.put("/f", reply(BODY, headers={**ETAG, "Last-Modified": "Sat, 01 Jan 2022 00:00:00 GMT"}))
    source = fetch(Download(url, target), client)
    assert Path(target).read_bytes() == BODY
    assert names(tmp_path) == [".file.bin.source.json", "file.bin"]
    sha256 = hashlib.sha256(BODY).hexdigest()
    date = "2001-09-09T01:46:40+00:00"  # the client's clock stands at 1e9 seconds
    assert source == Source(url, 300_000, sha256, '"v1"', "Sat, 01 Jan 2022 00:00:00 GMT", date)
    assert json.loads((tmp_path / ".file.bin.source.json").read_text())["sha256"] == sha256
    assert server.methods() == ["GET"]


def test_an_empty_file_is_a_file(server, client, target):
    assert fetch(Download(server.put("/f", b""), target), client).bytes == 0
    assert Path(target).read_bytes() == b""


def test_a_broken_connection_is_gone_on_with_where_it_broke(server, reply, client, time, tmp_path, target):
    url = server.put("/f", reply(BODY, headers=ETAG, cut=CUT), reply(BODY, headers=ETAG))
    fetch(Download(url, target), client)
    assert Path(target).read_bytes() == BODY
    assert server.ranges() == [None, f"bytes={CUT}-"]
    assert server.asked[1].headers["if-range"] == '"v1"'
    assert len(time.pauses) == 1
    assert names(tmp_path) == [".file.bin.source.json", "file.bin"]


def test_the_next_run_goes_on_where_the_last_one_gave_up(server, reply, make_client, said, tmp_path, target):
    url = server.put("/f", reply(BODY, headers=ETAG, cut=CUT))
    with pytest.raises(FetchError, match=r"\(tries: 1\)"):
        fetch(Download(url, target), make_client(tries=1))
    assert names(tmp_path) == [".file.bin.partial", ".file.bin.partial.json"]
    assert (tmp_path / ".file.bin.partial").read_bytes() == BODY[:CUT]
    server.put("/f", reply(BODY, headers=ETAG))
    fetch(Download(url, target), make_client())
    assert server.ranges() == [None, f"bytes={CUT}-"]
    assert f"file.bin: going on at byte {CUT}" in said.getvalue()
    assert Path(target).read_bytes() == BODY
    assert names(tmp_path) == [".file.bin.source.json", "file.bin"]


def test_last_modified_stands_in_for_a_missing_or_weak_etag(server, reply, client, target):
    headers = {"ETag": 'W/"1"', "Last-Modified": "Sat, 01 Jan 2022 00:00:00 GMT"}
    url = server.put("/f", reply(BODY, headers=headers, cut=CUT), reply(BODY, headers=headers))
    fetch(Download(url, target), client)
    assert server.asked[1].headers["if-range"] == "Sat, 01 Jan 2022 00:00:00 GMT"
    assert Path(target).read_bytes() == BODY


@pytest.mark.parametrize("etag", ['"v\xe41"', '"' + "v" * 1000 + '"'])
def test_a_version_that_cannot_be_sent_back_is_none(server, reply, client, target, etag):
    url = server.put("/f", reply(BODY, headers={"ETag": etag}, cut=CUT), reply(BODY))
    fetch(Download(url, target), client)
    assert server.ranges() == [None, None]
    assert Path(target).read_bytes() == BODY


def test_without_a_version_a_part_is_not_gone_on_with(server, reply, client, target):
    url = server.put("/f", reply(BODY, cut=CUT), reply(BODY))
    fetch(Download(url, target), client)
    assert server.ranges() == [None, None]
    assert Path(target).read_bytes() == BODY


def test_a_server_without_ranges_sends_the_file_anew(server, reply, client, target):
    url = server.put("/f", reply(BODY, headers=ETAG, cut=CUT), reply(BODY, headers=ETAG, ranges=False))
    fetch(Download(url, target), client)
    assert server.ranges() == [None, f"bytes={CUT}-"]
    assert Path(target).read_bytes() == BODY


def test_a_file_that_changed_between_tries_is_fetched_from_its_start(server, reply, client, target):
    new = BODY[::-1]
    url = server.put("/f", reply(BODY, headers=ETAG, cut=CUT), reply(new, headers={"ETag": '"v2"'}))
    assert fetch(Download(url, target), client).etag == '"v2"'
    assert server.ranges() == [None, f"bytes={CUT}-"]
    assert Path(target).read_bytes() == new


def test_a_server_that_goes_on_with_another_version_is_not_believed(server, reply, client, target):
    new = BODY[::-1]
    mixed = reply(
        new[CUT:], 206, {"ETag": '"v2"', "Content-Range": f"bytes {CUT}-{len(new) - 1}/{len(new)}"}, ranges=False
    )
    url = server.put("/f", reply(BODY, headers=ETAG, cut=CUT), mixed, reply(new, headers={"ETag": '"v2"'}))
    fetch(Download(url, target), client)
    assert server.ranges() == [None, f"bytes={CUT}-", None]
    assert Path(target).read_bytes() == new


OLD, NEW = ({"Last-Modified": f"Sat, 0{day} Jan 2022 00:00:00 GMT"} for day in (1, 2))


@pytest.mark.parametrize(
    ("known", "named"),
    [
        (OLD, NEW),
        ({**OLD, "ETag": 'W/"1"'}, NEW),
        ({**OLD, **ETAG}, {**NEW, **ETAG}),
        (OLD, {**OLD, **ETAG}),
        (OLD, {}),
        (ETAG, {}),
    ],
)
def test_half_a_file_is_not_completed_with_half_of_another(server, reply, client, target, known, named):
    """The server ignores If-Range; its new file is as long as the old one."""
    new = BODY[::-1]
    rest = reply(new[CUT:], 206, {**named, "Content-Range": f"bytes {CUT}-299999/300000"}, ranges=False)
    url = server.put("/f", reply(BODY, headers=known, cut=CUT), rest, reply(new, headers=NEW))
    fetch(Download(url, target), client)
    assert server.ranges() == [None, f"bytes={CUT}-", None]
    assert Path(target).read_bytes() == new


@pytest.mark.parametrize("named", [OLD, ETAG, {**OLD, **ETAG}])
def test_either_name_of_the_version_is_enough_to_go_on(server, reply, client, target, named):
    rest = reply(BODY[CUT:], 206, {**named, "Content-Range": f"bytes {CUT}-299999/300000"}, ranges=False)
    url = server.put("/f", reply(BODY, headers={**OLD, **ETAG}, cut=CUT), rest)
    fetch(Download(url, target), client)
    assert server.ranges() == [None, f"bytes={CUT}-"]
    assert Path(target).read_bytes() == BODY


@pytest.mark.parametrize("content_range", ["bytes 0-99/300000", "bytes 100001-299999/300000", "pages 1-2/3", ""])
def test_another_range_than_asked_for_starts_the_file_over(server, reply, client, target, content_range):
    wrong = reply(BODY[CUT:], 206, {**ETAG, "Content-Range": content_range})
    url = server.put("/f", reply(BODY, headers=ETAG, cut=CUT), wrong, reply(BODY, headers=ETAG))
    fetch(Download(url, target), client)
    assert server.ranges() == [None, f"bytes={CUT}-", None]
    assert Path(target).read_bytes() == BODY


def test_a_range_of_unknown_length_is_taken_at_the_length_first_promised(server, reply, client, target):
    rest = reply(BODY[CUT:], 206, {**ETAG, "Content-Range": f"bytes {CUT}-299999/*"})
    url = server.put("/f", reply(BODY, headers=ETAG, cut=CUT), rest)
    fetch(Download(url, target), client)
    assert Path(target).read_bytes() == BODY


def test_a_server_that_sends_less_than_the_rest_is_asked_for_what_is_still_missing(server, reply, client, target):
    some = {**ETAG, "Content-Range": f"bytes {CUT}-{2 * CUT - 1}/300000"}
    less = reply(BODY[CUT : 2 * CUT], 206, some, ranges=False)
    url = server.put("/f", reply(BODY, headers=ETAG, cut=CUT), less, reply(BODY, headers=ETAG))
    fetch(Download(url, target), client)
    assert server.ranges() == [None, f"bytes={CUT}-", f"bytes={2 * CUT}-"]
    assert Path(target).read_bytes() == BODY


def leave_part(target, content, **known):
    Path(beside(target, "partial")).write_bytes(content)
    note = {"etag": '"v1"', "last_modified": "", "length": None, **known}
    Path(beside(target, "partial.json")).write_text(json.dumps(note))


def test_a_part_that_is_whole_already_asks_for_nothing(server, reply, client, target):
    url = server.put("/f", reply(BODY, headers=ETAG))
    leave_part(target, BODY, url=url, length=len(BODY))
    fetch(Download(url, target), client)
    assert server.asked == []
    assert Path(target).read_bytes() == BODY


def test_no_more_bytes_means_whole_if_the_server_has_as_many(server, reply, client, target):
    url = server.put("/f", reply(BODY, headers=ETAG))
    leave_part(target, BODY, url=url)
    fetch(Download(url, target), client)
    assert server.ranges() == [f"bytes={len(BODY)}-"]
    assert Path(target).read_bytes() == BODY


def test_no_more_bytes_starts_over_if_the_server_has_fewer(server, reply, client, target):
    url = server.put("/f", reply(BODY, headers=ETAG))
    leave_part(target, BODY + b"more", url=url)
    fetch(Download(url, target), client)
    assert server.ranges() == [f"bytes={len(BODY) + 4}-", None]
    assert Path(target).read_bytes() == BODY


@pytest.mark.parametrize(
    "note",
    ["not JSON", "[]", '{"url": "http://elsewhere/", "etag": "\\"v1\\"", "last_modified": "", "length": null}', "{}"],
)
def test_a_part_of_unknown_origin_is_not_gone_on_with(server, reply, client, target, note):
    url = server.put("/f", reply(BODY, headers=ETAG))
    leave_part(target, b"something else")
    Path(beside(target, "partial.json")).write_text(note)
    fetch(Download(url, target), client)
    assert server.ranges() == [None]
    assert Path(target).read_bytes() == BODY


def test_fewer_bytes_than_promised_never_make_a_file(server, reply, make_client, tmp_path, target):
    url = server.put("/f", reply(BODY, headers={**ETAG, "Content-Length": "300001"}, cut=300_000, ranges=False))
    with pytest.raises(FetchError, match=r"tries: 3"):
        fetch(Download(url, target), make_client(tries=3))
    assert len(server.asked) == 3
    assert names(tmp_path) == [".file.bin.partial", ".file.bin.partial.json"]


def test_chunks_that_break_off_are_not_taken_for_the_end(server, reply, client, target):
    url = server.put("/f", reply(BODY, headers=ETAG, chunked=True, cut=CUT), reply(BODY, headers=ETAG, chunked=True))
    fetch(Download(url, target), client)
    assert server.ranges() == [None, f"bytes={CUT}-"]
    assert Path(target).read_bytes() == BODY


def test_a_body_without_length_needs_a_checksum(server, reply, client, tmp_path, target):
    url = server.put("/f", reply(BODY, headers={"Content-Length": None}))
    with pytest.raises(FetchError, match="does not say how long the file is, and no checksum is known"):
        fetch(Download(url, target), client)
    assert names(tmp_path) == []
    checks = Checks(sha256=hashlib.sha256(BODY).hexdigest())
    fetch(Download(url, target, checks), client)
    assert Path(target).read_bytes() == BODY


def test_a_body_without_end_is_given_up_at_the_limit(server, reply, client, tmp_path, target):
    url = server.put("/f", reply(BODY, endless=True))
    with pytest.raises(FetchError, match="the server sends more than 1000000 bytes"):
        fetch(Download(url, target, max_bytes=1_000_000), client)
    assert len(server.asked) == 1
    assert names(tmp_path) == []


@pytest.mark.parametrize(("limit", "fits"), [(300_000, True), (299_999, False)])
def test_a_length_is_held_to_the_limit_before_the_body_is_read(server, client, target, limit, fits):
    url = server.put("/f", BODY)
    refused = (
        contextlib.nullcontext() if fits else pytest.raises(FetchError, match="300000 bytes, more than the 299999")
    )
    with refused:
        fetch(Download(url, target, max_bytes=limit), client)
    assert os.path.exists(target) == fits


def test_more_than_promised_by_a_range_is_refused(server, reply, client, tmp_path, target):
    more = reply(BODY[CUT:] + b"!", 206, {**ETAG, "Content-Range": f"bytes {CUT}-299999/300000"})
    url = server.put("/f", reply(BODY, headers=ETAG, cut=CUT), more)
    with pytest.raises(FetchError, match="sends more than 300000 bytes"):
        fetch(Download(url, target), client)
    assert names(tmp_path) == []


def test_what_follows_the_promised_length_is_not_read(server, reply, client, target):
    url = server.put("/f", reply(BODY + b"HTTP/1.1 200 OK\r\n", headers={"Content-Length": "300000"}))
    fetch(Download(url, target), client)
    fetch(Download(url, target), client)
    assert Path(target).read_bytes() == BODY
    assert server.methods() == ["GET", "HEAD"]


def test_a_checksum_that_fails_is_tried_once_more_and_then_told(server, client, tmp_path, target):
    url = server.put("/f", BODY)
    wrong = "0" * 64
    with pytest.raises(FetchError, match=f"SHA-256 {hashlib.sha256(BODY).hexdigest()} instead of {wrong}") as caught:
        fetch(Download(url, target, Checks(sha256=wrong)), client)
    assert not caught.value.others_too
    assert server.ranges() == [None, None]
    assert names(tmp_path) == []


def test_bytes_flipped_on_the_way_are_fetched_again(server, client, target):
    flipped = b"\0" + BODY[1:]
    url = server.put("/f", flipped, BODY)
    fetch(Download(url, target, Checks(md5=hashlib.md5(BODY).hexdigest())), client)
    assert Path(target).read_bytes() == BODY


def test_another_format_than_the_models_is_refused(server, client, tmp_path, target):
    url = server.put("/f", b"not a model")
    with pytest.raises(FetchError, match=r"begins with b'not ' instead of b'\\xba\\x16O/'"):
        fetch(Download(url, target, Checks(head=b"\xba\x16\x4f\x2f")), client)
    assert names(tmp_path) == []


@pytest.mark.parametrize("checks", [Checks(), Checks(head=b"\n"), Checks(sha256="0" * 64)])
def test_a_page_in_place_of_a_file_is_refused_whatever_is_known_of_it(server, client, tmp_path, target, checks):
    url = server.put("/f", b"\n <!DOCTYPE html><title>Sign in</title>")
    with pytest.raises(FetchError, match="the file begins with HTML: an error page, or one to sign in"):
        fetch(Download(url, target, checks), client)
    assert names(tmp_path) == []


def test_gzip_that_is_cut_short_at_its_source_is_refused(server, client, tmp_path, target):
    whole = gzip.compress(b"one") + gzip.compress(b"two")
    url = server.put("/f", whole[:-1])
    with pytest.raises(FetchError, match="ends inside gzip member 2"):
        fetch(Download(url, target, Checks(gzip=True)), client)
    assert names(tmp_path) == []
    server.put("/f", whole)
    fetch(Download(url, target, Checks(gzip=True)), client)
    assert Path(target).read_bytes() == whole


def test_gzip_files_labelled_as_encoded_stay_as_they_are(server, reply, client, target):
    content = gzip.compress(b"text")
    url = server.put("/f", reply(content, headers={"Content-Encoding": "gzip"}))
    fetch(Download(url, target, Checks(gzip=True)), client)
    assert Path(target).read_bytes() == content
    assert server.asked[0].headers["accept-encoding"] == "identity"


def test_other_files_must_not_come_encoded(server, reply, client, tmp_path, target):
    url = server.put("/f", reply(gzip.compress(b"text"), headers={"Content-Encoding": "gzip"}))
    with pytest.raises(FetchError, match="compresses what it sends"):
        fetch(Download(url, target), client)
    assert names(tmp_path) == []


def test_a_file_that_is_there_costs_one_question_for_its_size(server, reply, client, said, target):
    url = server.put("/f", reply(BODY, headers=ETAG))
    first = fetch(Download(url, target), client)
    assert fetch(Download(url, target), client) == first
    assert server.methods() == ["GET", "HEAD"]
    assert said.getvalue().splitlines()[-1] == "file.bin: already there, 300000 bytes"


@pytest.mark.parametrize(
    ("served", "etag", "why"),
    [
        (BODY + b"!", '"v1"', "has 300000 bytes here and 300001 on the server"),
        (BODY[::-1], '"v2"', "has changed on the server"),
    ],
)
def test_a_file_that_the_server_has_otherwise_is_fetched_again(server, reply, client, said, target, served, etag, why):
    url = server.put("/f", reply(BODY, headers=ETAG))
    fetch(Download(url, target), client)
    server.put("/f", reply(served, headers={"ETag": etag}))
    fetch(Download(url, target), client)
    assert Path(target).read_bytes() == served
    assert server.methods() == ["GET", "HEAD", "GET"]
    assert f"file.bin: {why}; fetched again" in said.getvalue()


def test_only_verify_notices_a_byte_that_changed_on_the_disk(server, client, said, target):
    url = server.put("/f", BODY)
    fetch(Download(url, target), client)
    damaged = b"\0" + BODY[1:]
    Path(target).write_bytes(damaged)
    fetch(Download(url, target), client)
    assert Path(target).read_bytes() == damaged
    fetch(Download(url, target), client, verify=True)
    assert Path(target).read_bytes() == BODY
    assert f"instead of {hashlib.sha256(BODY).hexdigest()}; fetched again" in said.getvalue()
    assert server.methods() == ["GET", "HEAD", "HEAD", "GET"]


def test_a_file_of_the_users_own_is_checked_and_noted(server, client, target):
    url = server.put("/f", BODY)
    Path(target).write_bytes(BODY)
    fetch(Download(url, target, Checks(sha256=hashlib.sha256(BODY).hexdigest())), client)
    assert server.methods() == ["HEAD"]
    assert read_source(target).sha256 == hashlib.sha256(BODY).hexdigest()


def test_a_file_of_the_users_own_that_fails_the_checks_is_replaced(server, client, target):
    url = server.put("/f", BODY)
    Path(target).write_bytes(BODY[::-1])
    fetch(Download(url, target, Checks(sha256=hashlib.sha256(BODY).hexdigest())), client)
    assert Path(target).read_bytes() == BODY


@pytest.mark.parametrize("status", [405, 501])
def test_a_server_that_knows_no_head_is_believed_by_the_note(server, reply, client, target, status):
    url = server.put("/f", reply(BODY, headers=ETAG))
    fetch(Download(url, target), client)
    server.put("/f", reply(b"no", status))
    assert fetch(Download(url, target), client).bytes == len(BODY)
    assert server.methods() == ["GET", "HEAD"]


@pytest.mark.parametrize(("status", "requests"), [(403, 1), (404, 1), (503, 3)])
@pytest.mark.parametrize("verify", [False, True])
def test_a_file_with_a_note_stays_where_the_server_does_not_tell(
    server, reply, make_client, said, target, status, requests, verify
):
    url = server.put("/f", reply(BODY, headers=ETAG))
    client = make_client(tries=3)
    first = fetch(Download(url, target), client)
    server.put("/f", reply(b"no", status))
    assert fetch(Download(url, target), client, verify=verify) == first
    assert server.methods() == ["GET"] + ["HEAD"] * requests
    told = said.getvalue().splitlines()[-1]
    why = f"{url}: the server answered {status}"
    assert told.startswith(f"file.bin: already there, 300000 bytes; could not be compared with the server's: {why}")


def test_files_with_notes_stay_without_a_server_which_is_waited_for_once(server, make_client, time, said, tmp_path):
    downloads = [Download(server.put(f"/{name}", BODY), str(tmp_path / name)) for name in "ab"]
    first = [fetch(download, make_client()) for download in downloads]
    server.close()
    client = make_client(tries=3)
    assert [fetch(download, client) for download in downloads] == first
    assert len(time.pauses) == 2
    assert said.getvalue().count("could not be compared with the server's") == 2
    with pytest.raises(FetchError, match="refused"):
        fetch(Download(downloads[0].url, str(tmp_path / "c")), client)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: os.remove(beside(path, "source.json")),
        lambda path: os.truncate(path, CUT),
    ],
    ids=["no note", "another size"],
)
def test_a_file_that_is_not_known_to_be_whole_needs_the_server(server, reply, client, target, spoil):
    url = server.put("/f", BODY)
    fetch(Download(url, target), client)
    spoil(target)
    server.put("/f", reply(b"no", 404))
    with pytest.raises(FetchError, match="answered 404"):
        fetch(Download(url, target), client)


def test_a_file_with_another_checksum_than_wanted_needs_the_server(server, reply, client, target):
    url = server.put("/f", BODY)
    fetch(Download(url, target), client)
    server.put("/f", reply(b"no", 404))
    with pytest.raises(FetchError, match="answered 404"):
        fetch(Download(url, target, Checks(sha256="0" * 64)), client)


def test_damage_is_not_kept_for_want_of_a_server(server, reply, client, target):
    url = server.put("/f", BODY)
    fetch(Download(url, target), client)
    Path(target).write_bytes(BODY[::-1])
    server.put("/f", reply(b"no", 404))
    with pytest.raises(FetchError, match="answered 404"):
        fetch(Download(url, target), client, verify=True)


def test_a_note_without_its_file_is_none(server, client, target):
    fetch(Download(server.put("/f", BODY), target), client)
    os.remove(target)
    assert read_source(target) is None


def test_another_process_at_the_same_file_is_not_disturbed(server, client, target):
    url = server.put("/f", BODY)
    with open(beside(target, "partial"), "wb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        with pytest.raises(FetchError, match=r"file\.bin: another process is downloading it"):
            fetch(Download(url, target), client)
    assert server.asked == []


def test_a_disk_that_takes_no_more_keeps_what_came(server, reply, client, target):
    url = server.put("/f", reply(BODY, headers=ETAG))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (CUT, limits[1]))
    try:
        with pytest.raises(FetchError, match=f"File too large; .*keeps {CUT} bytes") as caught:
            fetch(Download(url, target), client)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.others_too
    assert len(server.asked) == 1
    fetch(Download(url, target), client)
    assert server.ranges() == [None, f"bytes={CUT}-"]
    assert Path(target).read_bytes() == BODY


def test_ctrl_c_keeps_what_came(server, reply, client, target):
    part = Path(beside(target, "partial"))

    def interrupt():
        for _ in range(5000):
            if part.stat().st_size == CUT:
                break
            time.sleep(0.001)
        os.kill(os.getpid(), signal.SIGINT)

    cut = reply(BODY, headers=ETAG, cut=CUT, stall=True, then=interrupt)
    url = server.put("/f", cut, reply(BODY, headers=ETAG))
    with pytest.raises(KeyboardInterrupt):
        fetch(Download(url, target), client)
    assert part.read_bytes() == BODY[:CUT]
    fetch(Download(url, target), client)
    assert server.ranges() == [None, f"bytes={CUT}-"]
    assert Path(target).read_bytes() == BODY


def test_a_large_file_over_a_bad_line_comes_as_long_as_it_gains_ground(server, reply, make_client, target):
    body = random.Random(2).randbytes(5 << 20)
    cuts = [reply(body, headers=ETAG, cut=(1 << 20) + 1) for _ in range(5)]
    url = server.put("/f", *cuts)
    fetch(Download(url, target), make_client(tries=2))
    assert Path(target).read_bytes() == body
    assert len(server.asked) == 5


def test_a_line_that_gains_too_little_is_given_up(server, reply, make_client, target):
    url = server.put("/f", *[reply(BODY, headers=ETAG, cut=1000)] * 20)
    with pytest.raises(FetchError, match="tries: 4"):
        fetch(Download(url, target), make_client(tries=4))
    assert len(server.asked) == 4


def test_a_part_that_another_process_has_just_finished_is_left_alone(server, client, monkeypatch, target):
    url = server.put("/f", BODY[::-1])
    Path(beside(target, "partial")).write_bytes(BODY)
    lock = fcntl.flock

    def finish_elsewhere(file, operation):
        os.replace(beside(target, "partial"), target)
        lock(file, operation)

    monkeypatch.setattr("pipeline.fetch_partial.fcntl.flock", finish_elsewhere)
    with pytest.raises(FetchError, match="another process"):
        fetch(Download(url, target), client)
    assert Path(target).read_bytes() == BODY
    assert server.asked == []
