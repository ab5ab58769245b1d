import pickle

import numpy as np
import pytest

from tests.bucket import ENDPOINT, NAME, serve
from tests.token_source import write_source
from tokenizer.manifest import held_out_name, shard_name
from tokenizer.mixture import MixtureSettings, resolve
from tokenizer.stored import Stretch
from train import remote
from train.config import TrainSettings
from train.data import Mixture
from train.loop import train
from train.shards import open_drawing, open_held_out, open_sources, read_folder, read_plan

SHARDS = 3
TOKENS = {"a": 1500, "b": 601}  # in each shard
CONTEXT = 8
BATCH = 64
URL = f"gs://{NAME}/run"
SMALL = {
    "model": {"width": 16, "heads": 2, "layers": 1, "ffn_multiple": 8, "context": CONTEXT},
    "optimizer": {"warmup_steps": 0},
}
SECONDS = {"initial_delay": "1ms", "max_delay": "5ms"}


def shards(tokens, count=SHARDS):
    """Shards of two documents each, of random ids."""
    rng = np.random.default_rng(tokens)
    return [np.split(rng.integers(3, 300, tokens).astype(np.uint16), [10]) for _ in range(count)]


@pytest.fixture(scope="module")
def lasting(tmp_path_factory):
    """A bucket with a run in it, which no test may change."""
    folder = tmp_path_factory.mktemp("bucket")
    for source, tokens in TOKENS.items():
        write_source(folder / "run" / "tokens" / source, shards(tokens))
    write_source(folder / "run" / "held_out" / "b", shards(77, 1), names=[held_out_name("b", 2)])
    write_source(folder / "large" / "tokens" / "c", shards(2_000_000, 1))
    (folder / "run" / "tokenizer").mkdir()
    (folder / "run" / "tokenizer" / "tokenizer.model").write_bytes(b"pieces")
    with serve(folder) as bucket:
        yield bucket


@pytest.fixture
def bucket(lasting, monkeypatch):
    """The bucket, whose failures are soon given up on."""
    monkeypatch.setenv(ENDPOINT, lasting.endpoint)
    monkeypatch.setenv("GOOGLE_AUTH_TOKEN_FOR_TESTING", "none")
    monkeypatch.setitem(remote._CONTEXT, "gcs_request_retries", {"max_retries": 3, **SECONDS})
    remote._store.cache_clear()
    lasting.requests.clear()
    lasting.failing.clear()
    yield lasting
    remote._store.cache_clear()


def mixture(run, weights=None):
    drawing = open_drawing(str(run), weights, seed=3)
    return Mixture.of(
        drawing.sources,
        context=CONTEXT,
        batch_size=BATCH,
        seed=drawing.seed,
        weights=drawing.weights,
        shares=drawing.shares,
    )


def test_batches_from_a_bucket_are_those_from_disk(bucket):
    near, far = mixture(bucket.folder / "run"), mixture(URL)
    for step in (0, 7):
        np.testing.assert_array_equal(far.batch(step), near.batch(step))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(far)).batch(1), near.batch(1))


def test_each_window_of_a_batch_is_one_ranged_read_of_little_more_than_its_bytes(bucket):
    data = mixture(f"gs://{NAME}/large")
    bucket.requests.clear()
    data.batch(0)
    assert {(request.status, request.key[-4:]) for request in bucket.requests} == {(206, ".bin")}
    shared = BATCH - len(bucket.requests)  # TensorStore reads stretches that lie within 4 KB of each other as one
    assert 0 <= shared < BATCH // 4
    wanted = BATCH * 2 * (CONTEXT + 1)
    assert wanted <= sum(request.bytes for request in bucket.requests) <= wanted + shared * 4096


def test_distant_windows_cost_their_own_bytes_alone(bucket):
    (source,) = open_sources(URL, ["a"]).values()
    bucket.requests.clear()
    source.windows([0, 1500, 3000], 9)
    assert sorted(bucket.requests) == [
        (f"run/tokens/a/{shard_name('a', number, SHARDS)}", 206, 18) for number in range(SHARDS)
    ]


def test_a_source_is_opened_by_its_manifest_and_the_last_bytes_of_each_file(bucket):
    open_sources(URL, ["b"])
    manifest, *tails = bucket.requests
    assert (manifest.key, manifest.status) == ("run/tokens/b/manifest.json", 200)
    assert sorted(tails) == sorted(
        (f"run/tokens/b/{shard_name('b', number, SHARDS)[:-4]}{ending}", 206, size)
        for number in range(SHARDS)
        for ending, size in ((".bin", 2), (".ends", 8))
    )


def test_verifying_reads_each_file_whole(bucket):
    open_drawing(URL, None, seed=0, verify=True)
    whole = sum(request.bytes for request in bucket.reads(".bin"))
    assert whole == SHARDS * (2 + 2 * TOKENS["a"] + 2 + 2 * TOKENS["b"])


def test_the_plan_names_the_sources_so_that_nothing_is_listed(bucket):
    path = bucket.folder / "run" / "tokens" / "mixture.json"
    assert read_plan(URL) is None
    plan = resolve(MixtureSettings(proportions={"b": 1}), {name: (SHARDS * TOKENS[name], 6) for name in TOKENS})
    path.write_text(plan.to_json())
    try:
        assert set(open_drawing(URL, None, seed=0).sources) == {"b"}
        assert "" not in {request.key for request in bucket.requests}
    finally:
        path.unlink()


def test_without_a_plan_the_sources_are_those_listed_with_a_manifest(bucket):
    assert list(open_sources(URL)) == list(TOKENS)
    assert [request.key for request in bucket.requests].count("") == 1
    (held_out,) = open_held_out(f"{URL}/").values()
    assert held_out.num_tokens == 77
    assert held_out.document(1).tolist() == held_out.window(10, 67).tolist()


def test_held_out_documents_are_read_by_whole_blocks_and_once(bucket):
    near, far = (open_held_out(run)["b"] for run in (str(bucket.folder / "run"), URL))
    bucket.requests.clear()
    for _ in range(2):
        for number in range(near.num_documents):
            np.testing.assert_array_equal(far.document(number), near.document(number))
        np.testing.assert_array_equal(far.windows(range(70), 7), near.windows(range(70), 7))
    refused, tail = ["b-00002.ends", "b-00002.bin"], {"b-00002.ends": 16, "b-00002.bin": 154}
    assert [request.key.rpartition("/")[2] for request in bucket.requests] == [name for name in refused for _ in (0, 1)]
    assert {request.key.rpartition("/")[2]: request.bytes for request in bucket.requests[1::2]} == tail


def test_stretches_of_blocks_are_those_of_the_file(bucket):
    name = shard_name("c", 0, 1)
    content = (bucket.folder / "large" / "tokens" / "c" / name).read_bytes()
    block, url = 1 << 20, f"gs://{NAME}/large/tokens/c/{name}"
    blocks = remote.Blocks()
    edges = [0, 1, block - 1, block, block + 1, 3 * block, len(content) - 1, len(content)]
    for start in edges:
        ends = [end for end in edges if end >= start]
        assert blocks([Stretch(url, start, end) for end in ends]) == [content[start:end] for end in ends]
    assert len(bucket.requests) == 4 + 1  # the last is shorter than a block and asked for a second time
    assert blocks([Stretch(url, len(content) - 4)]) == [content[-4:]]
    assert blocks([Stretch(url, 5 * block, 5 * block + 4), Stretch(url, 4, 4)]) == [b"", b""]


def test_no_more_blocks_are_kept_than_said_and_the_last_used_are(bucket, monkeypatch):
    monkeypatch.setattr(remote, "_MAX_BLOCKS", 2)
    monkeypatch.setattr(remote, "_BLOCK_BYTES", 100)
    url, blocks = f"{URL}/tokens/a/{shard_name('a', 0, SHARDS)}", remote.Blocks()
    for number, asked in ((0, 1), (1, 2), (0, 2), (2, 3), (0, 3), (1, 4)):
        blocks([Stretch(url, 100 * number, 100 * number + 50)])
        assert len(bucket.requests) == asked


def test_the_files_of_a_folder_are_read_by_name(bucket, tmp_path, monkeypatch):
    folder = tmp_path / "run" / "tokenizer"
    (folder / "more").mkdir(parents=True)
    for name in ("tokenizer.model", "card.json", "more/x"):
        (folder / name).write_text(name)
    monkeypatch.setattr(bucket, "folder", tmp_path)
    expected = {"card.json": b"card.json", "tokenizer.model": b"tokenizer.model"}
    for run in (URL, str(tmp_path / "run")):
        assert read_folder(f"{run}/tokenizer", ()) == expected
        assert read_folder(f"{run}/nothing", ()) == {}


def test_a_model_is_trained_and_measured_on_a_bucket(bucket, tmp_path):
    settings = TrainSettings(data=URL, output=str(tmp_path), batch=4, steps=1, tensorboard=False, **SMALL)
    summary = train(settings, report=lambda _: None)
    assert summary.steps == 1
    assert {name: loss.tokens for name, loss in summary.held_out.items()} == {"b": 76, "all": 76}
    assert {request.status for request in bucket.reads("a-00000-of-00003.bin")} == {206}


def test_listings_of_many_pages_are_followed_and_only_folders_with_the_file_are_found(bucket, tmp_path, monkeypatch):
    for name in ["a/x.bin", *(f"a/{number:04}.bin" for number in range(1001)), "b/deep/x", "b/x", "ab", "c/x"]:
        path = tmp_path / "r" / "t" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "r" / "t2").mkdir()
    monkeypatch.setattr(bucket, "folder", tmp_path)
    assert remote.folders_with(f"gs://{NAME}/r/t", "x") == ["b", "c"]
    assert [request.key for request in bucket.requests] == ["", ""]


def test_an_empty_stretch_asks_for_nothing(bucket):
    assert remote.read_stretches([Stretch(f"{URL}/tokens/a/manifest.json", 4, 4)]) == [b""]
    assert bucket.requests == []


def test_other_stores_are_read_the_same_way(bucket):
    expected = mixture(bucket.folder / "run").batch(0)
    for url in (f"file://{bucket.folder}/run", f"{bucket.endpoint}/storage/v1/b/{NAME}/o/run"):
        weights = None if url.startswith("file") else {"a": 1500.0, "b": 601.0}
        drawing = open_drawing(url, weights, seed=3)
        data = Mixture.of(drawing.sources, context=CONTEXT, batch_size=BATCH, seed=drawing.seed)
        np.testing.assert_array_equal(data.batch(0), expected)


def test_a_model_is_trained_over_plain_http_on_sources_that_are_named(bucket, tmp_path):
    url = f"{bucket.endpoint}/storage/v1/b/{NAME}/o/run"
    settings = TrainSettings(data=url, output=str(tmp_path), batch=4, steps=1, tensorboard=False, **SMALL)
    named = settings.model_copy(update={"sources": {"a": 1, "b": 1}, "held_out": None})
    assert train(named, report=lambda _: None).steps == 1
    assert not (tmp_path / "tokenizer").exists()  # there is one, but of another model than the shards
    names = ("card.json", "tokenizer.model", "tokenizer.json")
    assert read_folder(f"{url}/tokenizer", names) == {"tokenizer.model": b"pieces"}
    assert read_folder(f"{URL}/tokenizer", ()) == {"tokenizer.model": b"pieces"}


def test_plain_http_can_not_be_listed(bucket):
    with pytest.raises(remote.StoreError, match="plain HTTP has no listing, so sources must be named"):
        open_sources(f"{bucket.endpoint}/storage/v1/b/{NAME}/o/run")


def one_line(error):
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_server_that_is_busy_is_asked_again(bucket):
    key = "run/tokens/a/manifest.json"
    bucket.failing[key] = [503, 429]
    (content,) = remote.read_stretches([Stretch(f"gs://{NAME}/{key}")])
    assert content
    assert [request.status for request in bucket.requests] == [503, 429, 200]


@pytest.mark.parametrize(("status", "asked"), [(403, 1), (503, 4)])
def test_what_finally_fails_is_one_line_that_names_the_file(bucket, status, asked):
    name = shard_name("a", 1, SHARDS)
    data = mixture(URL, {"a": 1.0})
    bucket.requests.clear()
    bucket.failing[f"run/tokens/a/{name}"] = [status] * 100
    with pytest.raises(remote.StoreError) as error:
        data.batch(0)
    assert one_line(error).startswith(f"{URL}/tokens/a/{name}: ")
    assert str(status) in one_line(error)


def test_a_listing_that_is_refused_is_one_line_that_names_the_folder(bucket):
    with pytest.raises(remote.StoreError) as error:
        open_sources("gs://elsewhere/run")
    assert one_line(error).startswith("gs://elsewhere/run/tokens: ")


def test_what_is_not_there_is_named_by_its_url(bucket):
    with pytest.raises(ValueError, match=rf"^{URL}/tokens/c/manifest\.json is missing$"):
        open_drawing(URL, {"c": 1.0}, seed=0)
    with pytest.raises(ValueError, match=rf"^data=gs://{NAME}/none holds no token shards"):
        open_drawing(f"gs://{NAME}/none", None, seed=0)
    assert open_held_out(f"gs://{NAME}/none") == {}


@pytest.mark.parametrize(
    ("ending", "size", "message"),
    [
        (".bin", 152, "has less than 154 bytes, its manifest says 154"),
        (".bin", 153, "has 153 bytes, its manifest says 154"),
        (".bin", 155, "has 155 bytes, its manifest says 154"),
        (".ends", 8, "has less than 16 bytes, its manifest says 16"),
        (".ends", 24, "has 24 bytes, its manifest says 16"),
        (".ends", 0, "has less than 16 bytes, its manifest says 16"),
        (".ends", None, "is missing"),
    ],
)
def test_a_shard_of_another_size_is_refused(bucket, tmp_path, monkeypatch, ending, size, message):
    write_source(tmp_path / "run" / "tokens" / "d", shards(77, 1))
    path = tmp_path / "run" / "tokens" / "d" / f"d-00000-of-00001{ending}"
    monkeypatch.setattr(bucket, "folder", tmp_path)
    if size is None:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:size].ljust(size, b"\0"))
    with pytest.raises(ValueError, match=message) as error:
        open_sources(URL)
    assert one_line(error) == f"{URL}/tokens/d/{path.name} {message}"


def test_held_out_shards_of_another_tokenizer_are_refused(bucket):
    with pytest.raises(ValueError, match=rf"{URL}/held_out/b was written with tokenizer a+, expected b+$"):
        open_held_out(URL, tokenizer_sha256="b" * 64)


@pytest.mark.parametrize("url", ["gcs://bucket/run", "memory://bucket/run", "gs://UPPER/run", "gs:///run"])
def test_a_url_that_can_not_be_read_is_refused(url):
    with pytest.raises(ValueError, match=url.removesuffix("run")) as error:
        open_drawing(url, None, seed=0)
    assert "\n" not in str(error.value)


def test_a_folder_is_no_url():
    assert not any(map(remote.is_url, ["runs/demo", "/mnt/gs:/x", "C:\\runs", "gs:bucket"]))
