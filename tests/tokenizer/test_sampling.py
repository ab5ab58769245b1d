import hashlib

from hypothesis import given
from hypothesis import strategies as st

from tokenizer.sampling import bounded, is_held_out, is_sampled, seeded_order
from tokenizer.settings import HeldOutSettings

IDS = [f"enwiki/{number}" for number in range(2000)]


def test_a_fraction_of_documents_is_sampled():
    chosen = sum(is_sampled(i, 0.25, seed=7) for i in IDS)
    assert 420 < chosen < 580  # 500 expected, 19 the standard deviation


def test_all_documents_or_none_are_sampled_at_the_ends():
    assert all(is_sampled(i, 1.0, seed=7) for i in IDS)
    assert not any(is_sampled(i, 0.0, seed=7) for i in IDS)


def test_samples_of_one_seed_are_nested_and_of_another_seed_differ():
    small = {i for i in IDS if is_sampled(i, 0.1, seed=7)}
    assert small < {i for i in IDS if is_sampled(i, 0.2, seed=7)}
    assert small != {i for i in IDS if is_sampled(i, 0.1, seed=8)}


@given(st.permutations(IDS[:20]))
def test_the_seeded_order_does_not_depend_on_the_order_of_arrival(shuffled):
    assert [shuffled[i] for i in seeded_order(shuffled, 3)] == [IDS[i] for i in seeded_order(IDS[:20], 3)]


def test_the_seeded_order_is_that_of_the_keyed_hash_and_changes_with_the_seed():
    def key(document_id, seed):
        return hashlib.blake2b(document_id.encode(), digest_size=8, key=bytes([seed, 0, 0, 0, 0, 0, 0, 0])).digest()

    assert [IDS[i] for i in seeded_order(IDS[:50], 3)] == sorted(IDS[:50], key=lambda i: key(i, 3))
    assert seeded_order(IDS[:50], 3) != seeded_order(IDS[:50], 4)


def test_a_share_of_documents_is_held_out_whatever_is_sampled():
    settings = HeldOutSettings(fraction=0.25, seed=7)
    held_out = [i for i in IDS if is_held_out(i, settings)]
    assert 420 < len(held_out) < 580  # 500 expected, 19 the standard deviation
    both = sum(is_sampled(i, 0.25, seed=7) for i in held_out)
    assert 85 < both < 165  # a quarter of them: the same seed does not tie the two choices together
    assert not any(is_held_out(i, None) for i in IDS)


def test_no_more_documents_are_held_out_than_about_the_bound():
    settings = HeldOutSettings(fraction=0.5, max_documents=200)
    lowered = bounded(settings, len(IDS))
    assert lowered.fraction == 0.1
    held_out = {i for i in IDS if is_held_out(i, lowered)}
    assert 150 < len(held_out) < 250  # 200 expected, 13 the standard deviation
    assert held_out < {i for i in IDS if is_held_out(i, settings)}


def test_a_bound_that_is_not_reached_or_not_there_changes_nothing():
    assert bounded(HeldOutSettings(fraction=0.5, max_documents=1000), 2000).fraction == 0.5
    assert bounded(HeldOutSettings(fraction=0.5, max_documents=1000), 2001).fraction < 0.5
    assert bounded(HeldOutSettings(fraction=0.5, max_documents=None), 10**12).fraction == 0.5
    assert bounded(HeldOutSettings(), 0).fraction == 0.001
    assert bounded(None, 5) is None
