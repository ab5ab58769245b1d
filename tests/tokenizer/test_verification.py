import numpy as np
import pytest

from tokenizer.encoding import Encoder
from tokenizer.settings import TokenShardSettings
from tokenizer.verification import encode_verified

NAMES = [f"book/{number}" for number in range(400)]
TEXTS = [f"The river rose {number} feet." for number in range(400)]


def batches(size=150):
    for start in range(0, len(NAMES), size):
        yield NAMES[start : start + size], TEXTS[start : start + size]


def encoder_wrong_on(trained, wrong):
    right = Encoder.from_bytes(trained.model)

    def engine(text):
        ids = right.encode_documents([text], bos=False, eos=False)[0].tobytes()
        return ids + ids[-2:] if text in wrong else ids

    return Encoder.from_bytes(trained.model, engine=engine)


def tokens_of(shard):
    return [document.tolist() for document in shard.documents]


def test_a_shard_is_its_documents_encoded_one_by_one(encoder):
    shard = encode_verified(encoder, batches, TokenShardSettings())
    assert shard.names == NAMES
    assert tokens_of(shard) == [document.tolist() for document in encoder.encode_documents(TEXTS, bos=True, eos=True)]
    assert shard.text_bytes == sum(len(text.encode()) for text in TEXTS)


@pytest.mark.parametrize(("fraction", "verified"), [(0, 1), (1, 400)])
def test_the_share_is_verified_and_at_least_the_first_document(encoder, fraction, verified):
    shard = encode_verified(encoder, batches, TokenShardSettings(verified_fraction=fraction))
    assert shard.facts == {"verified_documents": verified, "differing_documents": 0}


def test_about_the_share_asked_for_is_verified_and_the_seed_decides_which(encoder):
    counts = [
        encode_verified(encoder, batches, TokenShardSettings(verified_fraction=0.1, seed=seed)).verified
        for seed in (0, 0, 1)
    ]
    assert counts[0] == counts[1]
    assert all(20 <= count <= 61 for count in counts)  # 40 expected, within three deviations and the first


def test_one_document_that_differs_has_the_whole_shard_encoded_by_sentencepiece(trained, encoder):
    wrong = encoder_wrong_on(trained, {TEXTS[0], TEXTS[7]})
    settings = TokenShardSettings(verified_fraction=0)
    assert not np.array_equal(*(e.encode_documents([TEXTS[7]], bos=True, eos=True)[0] for e in (wrong, encoder)))
    shard = encode_verified(wrong, batches, settings)
    assert shard.facts == {"verified_documents": 1, "differing_documents": 1}
    assert tokens_of(shard) == tokens_of(encode_verified(encoder, batches, settings))


def test_a_document_that_differs_and_is_not_in_the_share_goes_unseen(trained):
    shard = encode_verified(encoder_wrong_on(trained, {TEXTS[7]}), batches, TokenShardSettings(verified_fraction=0))
    assert shard.differing == 0


def test_a_shard_without_documents_is_empty(encoder):
    shard = encode_verified(encoder, lambda: [([], [])], TokenShardSettings())
    assert (shard.names, shard.documents, shard.verified) == ([], [], 0)
