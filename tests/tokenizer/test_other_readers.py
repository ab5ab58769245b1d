"""Other people's code reads the token shards as they are: the files only get the names that it looks for."""

import os

import numpy as np
import pytest
from datatrove.utils.dataset import DatatroveFileDataset, DatatroveFolderDataset

from tokenizer.reader import TokenShards
from tokenizer.settings import TokenShardSettings
from tokenizer.shards import write_shards

CONTEXT = 31


@pytest.fixture(scope="module")
def folder(tmp_path_factory, encoder, sample):
    """Three shards of documents of many lengths, some of them shorter than a window, with datatrove's names beside."""
    folder = tmp_path_factory.mktemp("shards")
    texts = [text * (1 + number % 4) if number % 5 else text[:7] for number, text in enumerate(sample * 12)]
    documents = encoder.encode_documents([*texts, "", " \x00\t😀"], bos=True, eos=True)
    size = sum(document.nbytes for document in documents)
    write_shards(str(folder), "web", documents, encoder, TokenShardSettings(shard_bytes=size // 3 + 100))
    for name in sorted(os.listdir(folder)):
        stem, ending = os.path.splitext(name)
        if ending in {".bin", ".ends"}:
            os.link(folder / name, folder / (stem + {".bin": ".ds", ".ends": ".ds.index"}[ending]))
    return folder


@pytest.fixture(scope="module")
def shards(folder):
    with TokenShards.open(str(folder), verify=True) as opened:
        assert len(opened.manifest.shards) == 3
        yield opened


def test_datatrove_reads_the_windows_of_each_shard(folder, shards):
    first = 0
    for shard in shards.manifest.shards:
        theirs = DatatroveFileDataset(str(folder / shard.name.replace(".bin", ".ds")), CONTEXT)
        starts = first + (CONTEXT + 1) * np.arange(len(theirs))
        assert len(theirs) == shard.tokens // (CONTEXT + 1) > 10
        ours = shards.windows(starts, CONTEXT + 1)
        np.testing.assert_array_equal([theirs[item]["input_ids"].numpy() for item in range(len(theirs))], ours)
        first += shard.tokens


def test_datatrove_finds_the_same_shards_in_the_folder_in_the_same_order(folder, shards):
    theirs = DatatroveFolderDataset(str(folder), CONTEXT, filename_pattern="*.ds")
    firsts = np.cumsum([0, *(shard.tokens for shard in shards.manifest.shards)])
    counts = [shard.tokens // (CONTEXT + 1) for shard in shards.manifest.shards]
    starts = [first + (CONTEXT + 1) * at for first, count in zip(firsts, counts, strict=False) for at in range(count)]
    assert len(theirs) == len(starts)
    ours = shards.windows(np.array(starts), CONTEXT + 1)
    np.testing.assert_array_equal([theirs[item]["input_ids"].numpy() for item in range(len(theirs))], ours)


def test_datatrove_finds_the_documents_ends_where_they_are(folder, shards):
    shard = shards.manifest.shards[0]
    theirs = DatatroveFileDataset(str(folder / shard.name.replace(".bin", ".ds")), CONTEXT, return_positions=True)
    lengths = [len(shards.document(number)) for number in range(shard.documents)]
    within = np.concatenate([np.arange(length) for length in lengths])
    for item in range(len(theirs)):
        start = item * (CONTEXT + 1)
        window = within[start : start + CONTEXT + 1]
        open_document = np.minimum.accumulate(np.where(window == 0, 0, 1)) == 1  # begun before the window
        expected = np.where(open_document, window - window[0], window)
        np.testing.assert_array_equal(theirs[item]["positions"].numpy(), expected)
