"""Common Crawl: which files are taken, that none climbs out of the folder, and that a config finds them."""

import gzip
import os
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipeline.fetch_crawl import Choice, choose, config_lines, fetch_crawl, read_list
from pipeline.fetch_http import FetchError
from pipeline.fetch_places import Kind
from pipeline.inputs import list_shards
from pipeline.settings import RunSettings, SettingsError, load_settings

CORPUS = Path(__file__).parents[2] / "corpus" / "commoncrawl"
DUMP = "CC-MINI-2019-30"
WET = [f"crawl-data/{DUMP}/segments/1563195523840.34/wet/{name}.warc.wet.gz" for name in ("00000", "00001", "00003")]
REAL_PATH = (
    "crawl-data/CC-MAIN-2019-30/segments/1563195523840.34/wet/CC-MAIN-20190715175205-20190715201205-00000.warc.wet.gz"
)


@pytest.fixture
def dump(server):
    """A dump laid out as Common Crawl lays out its own, of three files of the miniature."""
    files = [next(CORPUS.glob(f"MINI-2019-30/*{Path(path).name}")) for path in WET]
    contents = [file.read_bytes() for file in files]
    for path, content in zip(WET, contents, strict=True):
        server.put(f"/{path}", content)
    listing = gzip.compress("".join(f"{path}\n" for path in WET).encode())
    server.put(f"/crawl-data/{DUMP}/wet.paths.gz", listing)
    return dict(zip(WET, contents, strict=True))


def test_the_first_files_come_under_their_own_paths_and_a_config_finds_them(server, client, dump, tmp_path):
    output = str(tmp_path / "data")
    part = fetch_crawl(DUMP, Kind.WET, Choice(2), output, client, base_url=server.url + "/")
    assert part.fetched == tuple(WET[:2])
    assert part.failed == ()
    for path in WET[:2]:
        assert (tmp_path / "data" / path).read_bytes() == dump[path]
    assert not (tmp_path / "data" / WET[2]).exists()
    assert not list(tmp_path.rglob("*.partial*"))

    (tmp_path / "run.yaml").write_text(config_lines(part, output))
    settings = load_settings(RunSettings, str(tmp_path / "run.yaml"))
    (described,) = settings.sources.commoncrawl.dumps
    shards = list_shards("commoncrawl", described.id, described.paths, data=settings.data, key="paths")
    assert [shard.path for shard in shards] == [f"{output}/{path}" for path in WET[:2]]
    assert [shard.size for shard in shards] == [len(dump[path]) for path in WET[:2]]


def test_a_second_run_asks_for_sizes_only_and_a_larger_one_for_what_is_missing(server, client, dump, tmp_path):
    def run(segments):
        del server.asked[:]
        fetch_crawl(DUMP, Kind.WET, Choice(segments), str(tmp_path), client, base_url=server.url)
        return server.methods()

    assert run(2) == ["GET", "GET", "GET"]
    assert run(2) == ["HEAD", "HEAD", "HEAD"]
    assert run(3) == ["HEAD", "HEAD", "HEAD", "GET"]
    assert (tmp_path / f"crawl-data/{DUMP}/wet.paths").read_text() == "".join(f"{path}\n" for path in WET)


def test_the_list_keeps_the_files_of_earlier_downloads(server, client, said, dump, tmp_path):
    def run(choice):
        part = fetch_crawl(DUMP, Kind.WET, choice, str(tmp_path), client, base_url=server.url)
        return part.fetched, (tmp_path / part.paths).read_text().split()

    assert run(Choice(1, first=2)) == ((WET[2],), [WET[2]])
    assert "earlier downloads" not in said.getvalue()
    assert run(Choice(1)) == ((WET[0],), [WET[0], WET[2]])
    assert f"crawl-data/{DUMP}/wet.paths: files of earlier downloads that stay listed: 1" in said.getvalue()
    assert run(Choice(1, first=1)) == ((WET[1],), WET)
    os.truncate(tmp_path / WET[0], 5)
    os.remove(tmp_path / WET[2])
    assert run(Choice(1, first=1)) == ((WET[1],), [WET[1]])


def test_a_file_without_a_note_is_not_listed_unless_asked_for(server, client, dump, tmp_path):
    (tmp_path / WET[2]).parent.mkdir(parents=True)
    (tmp_path / WET[2]).write_bytes(dump[WET[2]])
    for choice, listed in [(Choice(1), WET[:1]), (Choice(1, first=2), [WET[0], WET[2]])]:
        part = fetch_crawl(DUMP, Kind.WET, choice, str(tmp_path), client, base_url=server.url)
        assert (tmp_path / part.paths).read_text().split() == listed


def test_a_file_that_was_whole_and_is_no_more_on_the_server_either_is_left_out(server, reply, client, dump, tmp_path):
    fetch_crawl(DUMP, Kind.WET, Choice(2), str(tmp_path), client, base_url=server.url)
    server.put(f"/{WET[0]}", dump[WET[0]][:-3])  # another length: fetched again, and no gzip
    part = fetch_crawl(DUMP, Kind.WET, Choice(2), str(tmp_path), client, base_url=server.url)
    assert (part.fetched, part.failed) == ((WET[1],), (WET[0],))
    assert (tmp_path / part.paths).read_text() == f"{WET[1]}\n"


@pytest.mark.parametrize("status", [403, 404, 503])
def test_a_dump_that_is_here_stays_listed_whatever_the_server_says(server, reply, make_client, dump, tmp_path, status):
    client = make_client(tries=2)
    first = fetch_crawl(DUMP, Kind.WET, Choice(3), str(tmp_path), client, base_url=server.url)
    for path in (*WET, f"crawl-data/{DUMP}/wet.paths.gz"):
        server.put(f"/{path}", reply(b"no", status))
    del server.asked[:]
    assert fetch_crawl(DUMP, Kind.WET, Choice(3), str(tmp_path), client, base_url=server.url) == first
    assert (tmp_path / first.paths).read_text().split() == WET
    assert len(server.asked) == {403: 1, 404: 4, 503: 2}[status]


def test_a_folder_that_is_downloaded_to_holds_nothing_but_crawl_files_as_input(server, reply, client, dump, tmp_path):
    cut = reply(dump[WET[1]], headers={"ETag": '"1"'}, cut=100)
    server.put(f"/{WET[1]}", cut)
    with pytest.raises(FetchError):
        fetch_crawl(DUMP, Kind.WET, Choice(2), str(tmp_path), client, base_url=server.url)
    (tmp_path / f"crawl-data/{DUMP}/wet.paths").write_text(f"{WET[0]}\n")
    assert len(list(tmp_path.rglob("*.partial"))) == 1
    for entry in ("crawl-data", "crawl-data/**"):
        shards = list_shards("commoncrawl", DUMP, [entry], data=str(tmp_path), key="paths")
        assert [shard.path for shard in shards] == [str(tmp_path / WET[0])]


def test_a_file_that_is_missing_or_broken_is_left_out_and_told(server, reply, client, said, dump, tmp_path):
    server.put(f"/{WET[0]}", dump[WET[0]][:-3])
    server.put(f"/{WET[1]}", reply(b"no", 404))
    part = fetch_crawl(DUMP, Kind.WET, Choice(3), str(tmp_path), client, base_url=server.url)
    assert (part.fetched, part.failed) == ((WET[2],), (WET[0], WET[1]))
    assert (tmp_path / part.paths).read_text() == f"{WET[2]}\n"
    assert "ends inside gzip member" in said.getvalue()
    assert "answered 404" in said.getvalue()


def test_being_refused_ends_everything_at_once(server, reply, client, dump, tmp_path):
    server.put(f"/{WET[1]}", reply(b"go away", 403))
    with pytest.raises(FetchError, match=r"answered 403: refused, as Common Crawl refuses .* --requests-per-second"):
        fetch_crawl(DUMP, Kind.WET, Choice(3), str(tmp_path), client, base_url=server.url)
    assert [one.path for one in server.asked[1:]] == [f"/{WET[0]}", f"/{WET[1]}"]
    assert (tmp_path / WET[0]).exists()
    assert not (tmp_path / f"crawl-data/{DUMP}/wet.paths").exists()


def test_a_dump_that_is_not_there_points_to_the_list_of_dumps(server, client, tmp_path):
    with pytest.raises(FetchError, match=r"answered 404: no such file; .*index\.commoncrawl\.org/collinfo\.json"):
        fetch_crawl("CC-MAIN-1066-41", Kind.WET, Choice(1), str(tmp_path), client, base_url=server.url)
    assert len(server.asked) == 1


@pytest.mark.parametrize("dump", ["", "..", ".hidden", "a/b", "CC-MAIN-2019-30\n", "x" * 101, "C C"])
def test_a_dump_whose_id_is_none_is_refused(client, dump, tmp_path, server):
    with pytest.raises(SettingsError, match="must be an id as listed at"):
        fetch_crawl(dump, Kind.WET, Choice(1), str(tmp_path), client, base_url=server.url)
    assert server.asked == []


@pytest.mark.parametrize("url", ["ftp://x", "data.commoncrawl.org", "http://x/?a=b", "http://x/#y", "http://a b/"])
def test_a_server_that_is_no_web_address_is_refused(client, tmp_path, url):
    with pytest.raises(SettingsError, match="--base-url"):
        fetch_crawl(DUMP, Kind.WET, Choice(1), str(tmp_path), client, base_url=url)


def test_the_output_must_be_a_local_folder(client, tmp_path, server):
    (tmp_path / "file").touch()
    for output in ("gs://bucket/data", str(tmp_path / "file")):
        with pytest.raises(SettingsError, match="must be a local folder"):
            fetch_crawl(DUMP, Kind.WET, Choice(1), output, client, base_url=server.url)


def write_list(tmp_path, text):
    path = tmp_path / "wet.paths.gz"
    path.write_bytes(gzip.compress(text.encode()))
    return str(path)


def test_a_list_is_read_in_its_order_each_path_once(tmp_path):
    text = f"{REAL_PATH}\r\n\n b/2.wet.gz \nb/1.wet.gz\n{REAL_PATH}\n"
    assert read_list(write_list(tmp_path, text), Kind.WET) == [REAL_PATH, "b/2.wet.gz", "b/1.wet.gz"]


@pytest.mark.parametrize(
    "line",
    [
        "../x.wet.gz",
        "a/../../x.wet.gz",
        "/etc/x.wet.gz",
        "a//x.wet.gz",
        "./x.wet.gz",
        "a/.hidden.wet.gz",
        "http://elsewhere/x.wet.gz",
        "//elsewhere/x.wet.gz",
        "gs://bucket/x.wet.gz",
        "a\\..\\x.wet.gz",
        "a/x%2e%2e.wet.gz",
        "a/*.wet.gz",
        "a/x y.wet.gz",
        "a/x\0.wet.gz",
        "a/é.wet.gz",
        "a/x.warc.gz",
        "a/x.wet.gz.partial",
        "crawl-data/D/wet.paths.gz",
        f"{'a' * 201}/x.wet.gz",
        "a/" * 500 + "x.wet.gz",
    ],
)
def test_a_list_that_names_anything_but_files_below_the_root_is_refused(tmp_path, line):
    with pytest.raises(FetchError, match=r"is no path of a \.wet\.gz file below the root") as caught:
        read_list(write_list(tmp_path, f"{REAL_PATH}\n{line}\n"), Kind.WET)
    assert len(str(caught.value)) < 500


def test_a_list_of_the_other_kind_is_refused(tmp_path):
    with pytest.raises(FetchError, match=r"no path of a \.warc\.gz file"):
        read_list(write_list(tmp_path, REAL_PATH), Kind.WARC)


def test_a_list_that_lists_nothing_is_refused(tmp_path):
    with pytest.raises(FetchError, match="lists nothing"):
        read_list(write_list(tmp_path, "\n \n"), Kind.WET)


@pytest.mark.parametrize(("limit", "fits"), [(21, True), (20, False)])
def test_a_list_that_unpacks_to_too_much_is_refused(tmp_path, limit, fits):
    path = write_list(tmp_path, "a/1.wet.gz\na/2.wet.gz")  # 21 bytes
    if fits:
        assert read_list(path, Kind.WET, max_bytes=limit) == ["a/1.wet.gz", "a/2.wet.gz"]
        return
    with pytest.raises(FetchError, match="more than 20 bytes"):
        read_list(path, Kind.WET, max_bytes=limit)


def test_a_list_of_too_many_paths_is_refused(tmp_path, monkeypatch):
    path = write_list(tmp_path, "a/1.wet.gz\na/2.wet.gz\n")
    monkeypatch.setattr("pipeline.fetch_crawl._MAX_PATHS", 2)
    assert len(read_list(path, Kind.WET)) == 2
    monkeypatch.setattr("pipeline.fetch_crawl._MAX_PATHS", 1)
    with pytest.raises(FetchError, match="or 1 paths"):
        read_list(path, Kind.WET)


def test_a_list_that_is_no_gzip_is_refused_before_it_is_read(server, client, tmp_path):
    server.put(f"/crawl-data/{DUMP}/wet.paths.gz", b"an error in plain text")
    with pytest.raises(FetchError, match="begins with"):
        fetch_crawl(DUMP, Kind.WET, Choice(1), str(tmp_path), client, base_url=server.url)
    (tmp_path / "list.gz").write_bytes(b"garbage")
    with pytest.raises(FetchError, match="not gzip"):
        read_list(str(tmp_path / "list.gz"), Kind.WET)


@given(st.integers(1, 300), st.data())
def test_a_spread_choice_takes_one_file_of_every_equal_run_in_order(count, data):
    wanted = data.draw(st.integers(1, count))
    seed = data.draw(st.integers(0, 5))
    chosen = choose([str(number) for number in range(count)], Choice(wanted, seed=seed))
    assert len(chosen) == wanted
    for run, name in enumerate(chosen):
        assert run * count // wanted <= int(name) < (run + 1) * count // wanted


def test_seeds_choose_differently_and_repeatably():
    paths = [str(number) for number in range(1000)]
    choices = [choose(paths, Choice(5, seed=seed)) for seed in (1, 1, 2)]
    assert choices[0] == choices[1] != choices[2]


def test_neighbours_from_a_place_on_are_a_shard_of_ccnet():
    paths = [str(number) for number in range(64_000)]
    shard = 7
    assert choose(paths, Choice(40, first=shard * 64_000 // 1600)) == paths[280:320]


@pytest.mark.parametrize(
    ("choice", "why"),
    [
        (Choice(5), "--segments 5: D has 4 files; ask for 1 to 4"),
        (Choice(4, first=1), "--segments 4: D has 4 files; ask for 1 to 3 from --first 1 on"),
        (Choice(1, first=4), "--first 4: D has 4 files, positions 0 to 3"),
        (Choice(5, seed=1), "--segments 5: D has 4 files; ask for 1 to 4"),
    ],
)
def test_more_files_than_there_are_cannot_be_chosen(choice, why):
    with pytest.raises(SettingsError) as caught:
        choose(list("abcd"), choice, "D")
    assert str(caught.value) == why


def test_neighbours_and_spread_exclude_each_other():
    with pytest.raises(SettingsError, match="--first and --seed exclude each other"):
        Choice(1, first=1, seed=1)


def test_the_lines_for_a_config_are_yaml_whatever_the_folder_is_called(server, client, dump, tmp_path):
    output = str(tmp_path / "a: #b")
    part = fetch_crawl(DUMP, Kind.WET, Choice(1), output, client, base_url=server.url)
    assert yaml.safe_load(config_lines(part, output)) == {
        "data": output,
        "sources": {"commoncrawl": {"dumps": [{"id": DUMP, "paths": [f"crawl-data/{DUMP}/wet.paths"]}]}},
    }
