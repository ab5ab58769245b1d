import hashlib
import json
import os
import pickle
import struct
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenizer.manifest import TokenShardError, build_manifest, shard_name
from tokenizer.reader import TokenShards
from tokenizer.settings import TokenShardSettings
from tokenizer.shards import pack_shard, write_shards

TOKENIZER = "ab" * 32

open_raw = partial(open, mode="rb", buffering=0)
open_buffered = partial(open, mode="rb")


def write(folder, shards, dtype="<u2", vocab_size=1000):
    """Write shards, each a list of documents, as the pipeline does: bytes of packed shards and a manifest."""
    entries = []
    for index, documents in enumerate(shards):
        packed = pack_shard([np.array(document, dtype) for document in documents], np.dtype(dtype))
        name = shard_name("s", index, len(shards))
        for file_name, content in packed.files(name):
            (folder / file_name).write_bytes(content)
        entries.append(packed.entry(name))
    manifest = build_manifest(
        "s", entries, vocab_size=vocab_size, tokenizer_sha256=TOKENIZER, dtype=np.dtype(dtype),
        bos_id=1, eos_id=2, bos=True, eos=True,
    )  # fmt: skip
    (folder / "manifest.json").write_text(manifest.to_json())


def edit_manifest(folder, **changes):
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | changes))


def edit_entry(folder, **changes):
    manifest = json.loads((folder / "manifest.json").read_text())
    edit_manifest(folder, shards=[manifest["shards"][0] | changes, *manifest["shards"][1:]])


@pytest.fixture
def folder(tmp_path):
    write(tmp_path, [[[1, 10, 11, 2], [1, 2]], [[1, 12, 2]]])
    return tmp_path


def refusal(folder, **options):
    with pytest.raises(TokenShardError) as error:
        TokenShards.open(str(folder), **options)
    assert "\n" not in str(error.value)
    return str(error.value)


SHARDS = st.lists(st.lists(st.lists(st.integers(0, 999), max_size=4), max_size=4), min_size=1, max_size=4)


def read_stretches(stretches):
    """Read as from an object store, from disk."""
    contents = []
    for path, start, end in stretches:
        with open(path, "rb") as file:
            file.seek(start)
            contents.append(file.read() if end is None else file.read(end - start))
    return contents


WAYS = {"mapped": {}, "streams": {"open_file": open_raw}, "stored": {"read_stretches": read_stretches}}


@pytest.mark.parametrize("way", WAYS)
@given(shards=SHARDS, dtype=st.sampled_from(["<u2", "<u4"]))
@settings(max_examples=30, deadline=None)
def test_every_window_and_document_equals_the_naive_concatenation(tmp_path_factory, way, shards, dtype):
    folder = tmp_path_factory.mktemp("shards")
    write(folder, shards, dtype)
    documents = [document for shard in shards for document in shard]
    row = [token for document in documents for token in document]
    with TokenShards.open(str(folder), **WAYS[way], verify=True) as tokens:
        assert (tokens.num_tokens, tokens.num_documents) == (len(row), len(documents))
        assert [tokens.document(i).tolist() for i in range(len(documents))] == documents
        for length in range(len(row) + 1):
            starts = list(range(len(row) - length + 1))
            expected = [row[start : start + length] for start in starts]
            assert [tokens.window(start, length).tolist() for start in starts] == expected
            windows = tokens.windows(starts[::-1], length)
            assert (windows.tolist(), windows.dtype) == (expected[::-1], np.dtype(dtype))
            assert windows.shape == (len(starts), length)


def test_what_was_encoded_reads_back(tmp_path, encoder):
    texts = ["the river", "", "12 days\n", "漢"]
    documents = encoder.encode_documents(texts, bos=True, eos=True)
    write_shards(str(tmp_path), "s", documents, encoder, TokenShardSettings())
    tokens = TokenShards.open(str(tmp_path), tokenizer_sha256=encoder.sha256, verify=True)
    assert [encoder.decode(tokens.document(i)) for i in range(4)] == texts


@pytest.mark.parametrize("way", WAYS)
def test_opened_shards_go_to_another_process_which_opens_their_files_itself(folder, way):
    tokens = TokenShards.open(str(folder), **WAYS[way])
    there = pickle.loads(pickle.dumps(tokens))
    assert there.manifest == tokens.manifest
    assert there.windows([0, 4], 5).tolist() == [[1, 10, 11, 2, 1], [1, 2, 1, 12, 2]]
    assert there.document(2).tolist() == [1, 12, 2]


@pytest.mark.parametrize(("start", "length"), [(-1, 2), (0, 10), (9, 1), (3, -1), (8, 2)])
def test_a_window_outside_the_tokens_is_refused(folder, start, length):
    tokens = TokenShards.open(str(folder))
    with pytest.raises(IndexError, match="9 tokens"):
        tokens.window(start, length)
    with pytest.raises(IndexError, match="9 tokens"):
        tokens.windows([0, start], length)


def test_no_windows_are_an_empty_array(folder):
    assert TokenShards.open(str(folder)).windows([], 5).shape == (0, 5)


def test_starts_of_two_dimensions_are_refused(folder):
    with pytest.raises(ValueError, match="one dimension"):
        TokenShards.open(str(folder)).windows([[0]], 1)


@pytest.mark.parametrize("number", [-1, 3])
def test_a_document_that_is_not_there_is_refused(folder, number):
    with pytest.raises(IndexError, match="of 3"):
        TokenShards.open(str(folder)).document(number)


def test_windows_are_a_copy_and_single_windows_can_not_change_the_file(folder):
    tokens = TokenShards.open(str(folder))
    tokens.windows([0], 3)[:] = 0
    with pytest.raises(ValueError, match="read-only"):
        tokens.window(0, 3)[:] = 0
    assert tokens.window(0, 3).tolist() == [1, 10, 11]


def test_more_shards_are_read_than_files_stay_open(tmp_path):
    write(tmp_path, [[[i]] for i in range(300)])
    opened = []

    def open_file(path):
        opened.append(open_buffered(path))
        return opened[-1]

    tokens = TokenShards.open(str(tmp_path), open_file=open_file)
    assert tokens.window(0, 300).tolist() == list(range(300))
    assert tokens.windows(range(299), 2).tolist() == [[i, i + 1] for i in range(299)]
    assert 0 < sum(not file.closed for file in opened) <= 512 + 2
    tokens.close()
    assert all(file.closed for file in opened)


def test_a_raw_stream_may_return_less_than_asked_for(folder):
    class Stuttering:
        def __init__(self, path):
            self.file = open_buffered(path)
            self.seek, self.close = self.file.seek, self.file.close

        def __enter__(self):
            return self.file

        def __exit__(self, *_):
            self.file.close()

        def read(self, size):
            return self.file.read(min(size, 3))

    tokens = TokenShards.open(str(folder), open_file=Stuttering)
    assert tokens.window(0, 9).tolist() == [1, 10, 11, 2, 1, 2, 1, 12, 2]
    tokens.close()


def test_a_file_that_shrinks_while_it_is_read_is_an_error(folder):
    tokens = TokenShards.open(str(folder), open_file=open_raw)
    os.truncate(folder / "s-00000-of-00002.bin", 4)
    with pytest.raises(EOFError, match="ends 8 bytes early"):
        tokens.window(0, 6)
    tokens.close()


def test_a_stored_file_that_shrinks_is_an_error(folder):
    tokens = TokenShards.open(str(folder), read_stretches=read_stretches)
    os.truncate(folder / "s-00000-of-00002.bin", 4)
    assert tokens.windows([0], 2).tolist() == [[1, 10]]
    for read in (lambda: tokens.windows([0, 3], 3), lambda: tokens.window(0, 6), lambda: tokens.document(0)):
        with pytest.raises(TokenShardError, match=r"s-00000-of-00002\.bin ends before byte"):
            read()


def test_a_store_is_asked_for_manifest_and_tails_when_opened_and_once_for_many_windows(tmp_path):
    write(tmp_path, [[[i, i], [i]] for i in range(100)])
    calls = []

    def counted(stretches):
        calls.append(list(stretches))
        return read_stretches(stretches)

    tokens = TokenShards.open(str(tmp_path), read_stretches=counted)
    assert [len(call) for call in calls] == [1, 200]
    assert sum(len(content) for content in read_stretches(calls[1])) == 100 * (2 + 8)
    assert tokens.windows(range(0, 299, 2), 2).shape == (150, 2)
    within, across = 100, 2 * 50  # of 3 tokens a shard, each second window of two lies over a border
    assert [len(call) for call in calls[2:]] == [within + across]


def test_the_first_shard_that_is_not_as_it_should_be_is_named_however_many_are_verified_at_once(tmp_path):
    write(tmp_path, [[[i]] for i in range(40)])
    for number in (17, 33, 5):
        (tmp_path / f"s-{number:05d}-of-00040.bin").write_bytes(struct.pack("<H", 999))
    assert refusal(tmp_path, verify=True).startswith("s-00005-of-00040.bin has SHA-256")


def test_the_tokenizer_that_is_expected_is_taken(folder):
    assert TokenShards.open(str(folder), tokenizer_sha256=TOKENIZER).num_tokens == 9


def test_another_tokenizer_is_refused(folder):
    assert f"written with tokenizer {TOKENIZER}, expected {'cd' * 32}" in refusal(folder, tokenizer_sha256="cd" * 32)


@pytest.mark.parametrize("way", WAYS)
def test_a_missing_manifest_is_refused(folder, way):
    (folder / "manifest.json").unlink()
    assert refusal(folder, **WAYS[way]).endswith("manifest.json is missing")


def test_a_manifest_that_is_no_json_is_refused(folder):
    (folder / "manifest.json").write_text("{")
    assert "manifest.json is not JSON" in refusal(folder)


@pytest.mark.parametrize("content", ["[]", '{"format": "other", "version": 1}'])
def test_another_format_is_refused(folder, content):
    (folder / "manifest.json").write_text(content)
    assert "no manifest of format llama-corpus-token-shards" in refusal(folder)


def test_another_version_is_refused_before_its_fields_are_read(folder):
    edit_manifest(folder, version=2, new_field=True)
    assert refusal(folder) == f"{folder}/manifest.json has version 2, this reader reads 1"


def test_an_unknown_field_is_refused(folder):
    edit_manifest(folder, new_field=True)
    assert "new_field" in refusal(folder)


@pytest.mark.parametrize("dtype", ["int32", "uint8", ">u2", 2])
def test_an_unknown_dtype_is_refused(folder, dtype):
    edit_manifest(folder, dtype=dtype)
    assert "manifest.json: dtype: Input should be 'uint16' or 'uint32'" in refusal(folder)


def test_another_dtype_than_the_sizes_say_is_refused(folder):
    edit_manifest(folder, dtype="uint32")
    assert "6 tokens of uint32 are not 12 bytes" in refusal(folder)


def test_another_byte_order_is_refused(folder):
    edit_manifest(folder, byte_order="big")
    assert "byte_order" in refusal(folder)


def test_a_vocabulary_that_does_not_fit_the_dtype_is_refused(folder):
    edit_manifest(folder, vocab_size=65_537)
    assert "a vocabulary of 65537 does not fit into uint16" in refusal(folder)


@pytest.mark.parametrize("key", ["tokens", "documents"])
def test_totals_that_are_not_the_sum_are_refused(folder, key):
    edit_manifest(folder, **{key: 8})
    assert f"{key} is 8, the shards hold" in refusal(folder)


def test_a_shard_outside_the_folder_is_refused(folder):
    edit_entry(folder, name="../s-00000-of-00002.bin")
    assert "shards.0.name" in refusal(folder)


@pytest.mark.parametrize("name", ["s-00001-of-00002.bin", "s-00001-of-00002.ends"])
@pytest.mark.parametrize("way", WAYS)
def test_a_missing_shard_is_refused(folder, name, way):
    (folder / name).unlink()
    assert refusal(folder, **WAYS[way]).endswith(f"{name} is missing")


@pytest.mark.parametrize("change", [-2, -1, 1, 2])
@pytest.mark.parametrize("way", WAYS)
def test_a_shard_of_another_size_is_refused(folder, change, way):
    path = folder / "s-00000-of-00002.bin"
    path.write_bytes((path.read_bytes() + b"\0\0")[: 12 + change])
    found = "less than 12" if way == "stored" and change == -2 else 12 + change
    assert f"has {found} bytes, its manifest says 12" in refusal(folder, **WAYS[way])


@pytest.mark.parametrize("way", WAYS)
def test_ends_of_another_size_are_refused(folder, way):
    (folder / "s-00000-of-00002.ends").write_bytes(struct.pack("<Q", 6))
    found = "less than 16" if way == "stored" else 8
    assert f"s-00000-of-00002.ends has {found} bytes, its manifest says 16" in refusal(folder, **WAYS[way])


@pytest.mark.parametrize("way", WAYS)
def test_ends_that_do_not_reach_the_token_count_are_refused(folder, way):
    (folder / "s-00000-of-00002.ends").write_bytes(struct.pack("<2Q", 4, 5))
    assert "s-00000-of-00002.ends ends at token 5, its shard has 6" in refusal(folder, **WAYS[way])


def test_ends_out_of_order_are_refused_when_the_document_is_read_or_all_is_verified(tmp_path):
    write(tmp_path, [[[1], [2], [3, 4]]])
    ends = struct.pack("<3Q", 3, 2, 4)
    (tmp_path / "s-00000-of-00001.ends").write_bytes(ends)
    tokens = TokenShards.open(str(tmp_path))
    with pytest.raises(TokenShardError, match=r"document 1 is 3\.\.2"):
        tokens.document(1)
    edit_entry(tmp_path, ends_sha256=hashlib.sha256(ends).hexdigest())
    assert refusal(tmp_path, verify=True) == "s-00000-of-00001.ends is not in ascending order"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("ending", "content"), [("bin", struct.pack("<3H", 1, 13, 2)), ("ends", struct.pack("<2Q", 5, 6))]
)
def test_a_wrong_checksum_is_refused_when_all_is_verified(folder, ending, content, way):
    number = 1 if ending == "bin" else 0
    path = folder / f"s-0000{number}-of-00002.{ending}"
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    path.write_bytes(content)
    TokenShards.open(str(folder), **WAYS[way])
    found = hashlib.sha256(content).hexdigest()
    assert refusal(folder, **WAYS[way], verify=True) == f"{path.name} has SHA-256 {found}, its manifest says {expected}"


def test_an_id_beyond_the_vocabulary_is_refused_when_all_is_verified(tmp_path):
    write(tmp_path, [[[1, 999]], [[1000]]], vocab_size=1000)
    TokenShards.open(str(tmp_path))
    assert refusal(tmp_path, verify=True) == "s-00001-of-00002.bin holds id 1000, the vocabulary 1000 ids"
