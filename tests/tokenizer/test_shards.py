import hashlib
import os
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenizer.manifest import Manifest, TokenShardError, build_manifest, shard_name
from tokenizer.settings import TokenShardSettings
from tokenizer.shards import build_megatron_index, group_documents, pack_shard, write_shards

UINT16, UINT32 = np.dtype("<u2"), np.dtype("<u4")
THREE = [np.array(ids, np.uint16) for ids in ([1, 300, 2], [], [1, 65535, 7, 2])]


def contents(packed, name="s-00000-of-00001.bin"):
    return {file: bytes(content) for file, content in packed.files(name)}


def test_a_shard_is_its_ids_and_the_cumulative_ends():
    files = contents(pack_shard(THREE, UINT16))
    assert files == {
        "s-00000-of-00001.bin": struct.pack("<7H", 1, 300, 2, 1, 65535, 7, 2),
        "s-00000-of-00001.ends": struct.pack("<3Q", 3, 3, 7),
    }


def test_a_wide_shard_has_four_bytes_an_id():
    packed = pack_shard([np.array([1, 70_000, 2], np.uint32)], UINT32)
    assert contents(packed)["s-00000-of-00001.bin"] == struct.pack("<3I", 1, 70_000, 2)


def test_the_entry_says_what_the_files_hold():
    packed = pack_shard(THREE, UINT16, megatron_index=True)
    files = contents(packed)
    entry = packed.entry("s-00000-of-00001.bin")
    assert (entry.tokens, entry.documents, entry.bytes) == (7, 3, 14)
    assert entry.sha256 == hashlib.sha256(files["s-00000-of-00001.bin"]).hexdigest()
    assert entry.ends_sha256 == hashlib.sha256(files["s-00000-of-00001.ends"]).hexdigest()
    assert entry.index_sha256 == hashlib.sha256(files["s-00000-of-00001.idx"]).hexdigest()


@pytest.mark.parametrize(("itemsize", "code"), [(2, 8), (4, 4)])
def test_megatrons_index_has_its_layout(itemsize, code):
    lengths = np.array([3, 0, 4])
    assert build_megatron_index(lengths, itemsize) == b"".join(
        [
            b"MMIDIDX\x00\x00",
            struct.pack("<Q", 1),
            struct.pack("<B", code),
            struct.pack("<QQ", 3, 4),
            struct.pack("<3i", 3, 0, 4),
            struct.pack("<3q", 0, 3 * itemsize, 3 * itemsize),
            struct.pack("<4q", 0, 1, 2, 3),
        ]
    )


def test_a_document_too_long_for_megatrons_index_is_refused():
    build_megatron_index(np.array([2**31 - 1]), 2)
    with pytest.raises(TokenShardError, match="2147483647 tokens a document"):
        build_megatron_index(np.array([2**31]), 2)


@pytest.mark.parametrize("document", [np.array([65_536]), np.array([-1]), np.array([1.5])])
def test_ids_that_do_not_fit_the_type_are_refused(document):
    with pytest.raises(TokenShardError, match=r"do not fit into uint16|must be integers"):
        pack_shard([document], UINT16)


def test_the_largest_id_of_the_type_is_written():
    assert bytes(pack_shard([np.array([65_535])], UINT16).ids) == b"\xff\xff"


@pytest.mark.parametrize("dtype", ["<i4", "<u8", ">u2"])
def test_other_types_are_refused(dtype):
    with pytest.raises(TokenShardError, match="little-endian uint16 or uint32"):
        pack_shard(THREE, np.dtype(dtype))


def test_ids_of_the_other_byte_order_are_written_little_endian():
    assert bytes(pack_shard([np.array([258], dtype=">u2")], UINT16).ids) == b"\x02\x01"


def test_a_shard_without_documents_has_empty_files():
    packed = pack_shard([], UINT16)
    assert contents(packed) == {"s-00000-of-00001.bin": b"", "s-00000-of-00001.ends": b""}
    assert packed.sha256 == hashlib.sha256(b"").hexdigest()


@pytest.mark.parametrize(
    ("lengths", "groups"),
    [
        ([], [range(0)]),
        ([5], [range(1)]),
        ([4, 4, 4], [range(2), range(2, 3)]),
        ([8, 8], [range(1), range(1, 2)]),
        ([100, 1, 1], [range(1), range(1, 3)]),
        ([0, 0], [range(2)]),
    ],
)
def test_a_shard_is_closed_when_it_reaches_its_size(lengths, groups):
    assert group_documents(lengths, 2, 16) == groups


@given(st.lists(st.integers(0, 50)), st.integers(1, 200))
def test_every_document_lies_in_one_shard_and_in_order(lengths, shard_bytes):
    groups = group_documents(lengths, 2, shard_bytes)
    assert [position for group in groups for position in group] == list(range(len(lengths)))


def test_shards_are_named_by_source_number_and_count():
    assert shard_name("c4", 3, 12) == "c4-00003-of-00012.bin"
    with pytest.raises(ValueError, match="shard 12 of 12"):
        shard_name("c4", 12, 12)


def test_a_folder_holds_all_files_and_no_others(tmp_path, encoder):
    documents = encoder.encode_documents(["the river " * 300] * 3, bos=True, eos=True)
    settings = TokenShardSettings(shard_bytes=1024, megatron_index=True)
    manifest = write_shards(str(tmp_path / "new"), "books", documents, encoder, settings)
    assert sorted(os.listdir(tmp_path / "new")) == sorted(
        [f"books-0000{i}-of-00003{ending}" for i in range(3) for ending in (".bin", ".ends", ".idx")]
        + ["manifest.json"]
    )
    assert Manifest.from_json((tmp_path / "new" / "manifest.json").read_bytes()) == manifest
    assert (manifest.documents, manifest.tokens) == (3, sum(map(len, documents)))
    assert (manifest.tokenizer_sha256, manifest.vocab_size) == (encoder.sha256, 500)
    assert (manifest.dtype, manifest.bos_id, manifest.eos_id, manifest.bos, manifest.eos) == (
        "uint16",
        1,
        2,
        True,
        True,
    )


def test_equal_documents_give_equal_files(tmp_path, encoder):
    documents = encoder.encode_documents(["one", "two"], bos=True, eos=False)
    for folder in ("a", "b"):
        write_shards(str(tmp_path / folder), "s", documents, encoder, TokenShardSettings(eos=False))
    for name in os.listdir(tmp_path / "a"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_manifest_sums_its_shards_and_survives_json():
    entries = [pack_shard(THREE, UINT16).entry(shard_name("s", i, 2)) for i in range(2)]
    manifest = build_manifest(
        "s", entries, vocab_size=65_536, tokenizer_sha256="0" * 64, dtype=UINT16, bos_id=1, eos_id=2, bos=True, eos=True
    )
    assert (manifest.tokens, manifest.documents) == (14, 6)
    assert Manifest.from_json(manifest.to_json()) == manifest
