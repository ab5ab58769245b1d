"""N-grams shared with evaluation sets, beside a plain search for runs of equal words."""

import string
import unicodedata

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from filters import decontamination, ngram_words
from filters.decontamination import DecontaminationReason, check_shared, find_shared, gather_ngrams
from filters.ngram_words import fold_character, hash_words, split_words

PUNCTUATION = "".join(map(chr, range(0x2010, 0x2028))) + string.punctuation + "«»¿。，！？、「」"
#: Texts that share words often: few words, in many spellings.
WORDS = ["the", "The", "THE,", "cat", "cat’s", "cats", "sat", "on", "ÉCOLE", "école", "漢字", "x漢", "a" * 9, "b" * 41]
TEXTS = st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)


def plain_words(text: str) -> list[str]:
    """The rule once more, by regular means: what is no letter, number, mark or space goes."""
    out = []
    for character in text:
        if character.isspace():
            out.append(" ")
        elif unicodedata.category(character)[0] in "PS" or unicodedata.category(character) in ("Cc", "Cf"):
            continue
        elif "CJK" in unicodedata.name(character, "") or "KANA LETTER" in unicodedata.name(character, ""):
            out.append(f" {character} ")
        else:
            out.append(character.lower())
    return "".join(out).split()


def shared_by_hand(documents: list[str], items: list[str], size: int, least: int | None) -> list[tuple[int, int, str]]:
    """Document, place and words of each run of words that an item has too."""
    wanted = set()
    for item in items:
        words = split_words(item)
        if len(words) >= size:
            wanted |= {tuple(words[at : at + size]) for at in range(len(words) - size + 1)}
        elif least is not None and len(words) >= least:
            wanted.add(tuple(words))
    found = []
    for number, document in enumerate(documents):
        words = split_words(document)
        for at in range(len(words)):
            found += [(number, at, " ".join(one)) for one in wanted if tuple(words[at : at + len(one)]) == one]
    return sorted(found)


def search(documents: list[str], items: list[str], size: int, least: int | None) -> list[tuple[int, int, str]]:
    encoded = [item.encode() for item in items]
    ngrams, origins, _ = gather_ngrams(hash_words(encoded), size, least)
    if not len(ngrams.hashes):
        return []
    found = find_shared([document.encode() for document in documents], ngrams)
    assert found.counts.tolist() == [len(split_words(document)) for document in documents]
    rows = []
    for document, word, ngram in zip(found.documents, found.words, found.ngrams, strict=True):
        at, length = origins.words[ngram], origins.lengths[ngram]
        words = split_words(items[origins.texts[ngram]])[at : at + length]
        rows.append((int(document), int(word), " ".join(words)))
    return sorted(rows)


@given(
    documents=st.lists(TEXTS, max_size=5),
    items=st.lists(TEXTS, max_size=4),
    size=st.integers(1, 6),
    least=st.none() | st.integers(1, 6),
)
def test_what_is_found_is_what_a_search_for_runs_of_equal_words_finds(
    documents: list[str], items: list[str], size: int, least: int | None
) -> None:
    assert search(documents, items, size, least) == shared_by_hand(documents, items, size, least)


@pytest.mark.parametrize("at_once", [1, 7, 64])
def test_cutting_a_batch_anywhere_between_documents_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    documents = ["the cat sat on the mat", "", "on the cat", "école the cat sat", " "] * 3
    items = ["the cat sat", "cat sat on the mat today"]
    expected = shared_by_hand(documents, items, 3, None)
    assert len(expected) == 15
    monkeypatch.setattr(decontamination, "_AT_ONCE_BYTES", at_once)
    assert search(documents, items, 3, None) == expected


@given(st.text())
@example("İstanbul IS, ΣΊΣΥΦΟΣ\u2028K-Å Ⱥ ẞ straße\u00adn\ufeff")
@example("漢字かなカナ한국어 ｱｲ x字y 𠀀𠀁 𝒜 🙂 \U000e0001 a\u0301")
@example("\x00\x1f\x85\xa0a\u200bb\u3000c")
@example("pneumonoultramicroscopicsilicovolcanoconiosis " + "x" * 39 + " " + "x" * 40 + " " + "x" * 41)
def test_hashed_words_are_the_words_of_the_rule(text: str) -> None:
    together = hash_words([text.encode(), b"a"])
    alone = [int(hash_words([word.encode()]).hashes[0]) for word in split_words(text)]
    assert together.hashes.tolist() == [*alone, int(hash_words([b"a"]).hashes[0])]
    assert together.starts.tolist() == [0, len(alone), len(alone) + 1]


@given(st.lists(st.text(alphabet="ab" + "漢字é𠀀", min_size=1, max_size=50), unique=True, max_size=60))
def test_different_words_have_different_hashes(words: list[str]) -> None:
    different = {word for text in words for word in split_words(text)}
    hashes = [int(hash_words([word.encode()]).hashes[0]) for word in different]
    assert len(set(hashes)) == len(different)


@given(st.text(alphabet=st.characters(max_codepoint=0x1FFFF, exclude_categories=["Cs", "Cn"])))
def test_words_are_what_is_left_of_letters_numbers_and_marks_in_lower_case(text: str) -> None:
    special = "İςΣȺȾ々〆〇"
    if not any(character in special for character in text):
        assert split_words(text) == plain_words(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It’s a Well-known truth.", "its a wellknown truth"),
        ("x + y = 3.14 €", "x y 314"),
        ("ΟΔΟΣ ὁδός", "οδοσ ὁδόσ"),
        ("İZMİR", "izmir"),
        ("Ⱥ", "Ⱥ"),
        ("我爱 NLP你", "我 爱 nlp 你"),
        ("カタ・ ｶﾅ", "カ タ ｶ ﾅ"),
        ("สวัสดี ครับ", "สวัสดี ครับ"),
        ("so\u00adft\u200b ware", "soft ware"),
        ("\U0001f642 ok", "ok"),
    ],
)
def test_words_by_hand(text: str, words: str) -> None:
    assert split_words(text) == words.split()


def test_a_character_folds_into_its_own_bytes() -> None:
    for code in (*range(0xD800), *range(0xE000, 0x20000)):
        folded = fold_character(chr(code))
        assert folded == f" {chr(code)} " or len(folded.encode()) <= len(chr(code).encode())


def test_a_thirteen_gram_is_found_and_twelve_equal_words_are_not() -> None:
    item = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
    words = item.split()
    thirteen, twelve = " ".join(["zero", *words[1:14], "end"]), " ".join(["zero", *words[1:13], "end"])
    assert search([thirteen, twelve], [item], 13, 8) == [(0, 1, " ".join(words[1:14]))]


def test_a_text_of_eight_words_is_looked_for_as_a_whole_and_one_of_seven_is_not() -> None:
    eight, seven = "a b c d e f g h", "q r s t u v w"
    ngrams, origins, searched = gather_ngrams(hash_words([eight.encode(), seven.encode(), b""]), 13, 8)
    assert searched.tolist() == [True, False, False]
    assert (len(ngrams.hashes), origins.lengths.tolist(), ngrams.lengths.tolist()) == (1, [8], [8])
    assert search([f"x {eight} y {seven}"], [eight, seven], 13, 8) == [(0, 1, eight)]
    assert search([f"x {eight} y {seven}"], [eight, seven], 13, None) == []


def test_no_ngram_goes_from_one_document_into_the_next() -> None:
    assert search(["a b c", "d e f"], ["a b c d e f"], 4, None) == []
    assert search(["a b c d", "e f"], ["a b c d e f"], 4, None) == [(0, 0, "a b c d")]


def test_no_ngram_goes_from_one_item_into_the_next() -> None:
    assert search(["a b c d e f"], ["a b c", "d e f"], 4, None) == []


def test_an_ngram_of_two_items_belongs_to_the_first() -> None:
    ngrams, origins, _ = gather_ngrams(hash_words([b"x a b c", b"a b c"]), 3, None)
    assert len(ngrams.hashes) == 2
    assert sorted(zip(origins.texts.tolist(), origins.words.tolist(), strict=True)) == [(0, 0), (0, 1)]


def test_words_in_another_order_are_another_ngram() -> None:
    assert search(["b a c d"], ["a b c d"], 4, None) == []


def test_words_that_differ_in_their_last_letters_only_are_told_apart() -> None:
    """A sum of products of eight-byte words loses what stands in their high bytes, unless they are mixed first."""
    letters = [f"abcdefg{letter}" for letter in string.ascii_lowercase]
    pairs = [f"{one} {other}" for one in letters for other in letters]
    ngrams, _, _ = gather_ngrams(hash_words([pair.encode() for pair in pairs]), 2, None)
    assert len(ngrams.hashes) == len(pairs)


def test_as_many_shared_ngrams_as_allowed_stay_and_one_more_goes() -> None:
    assert check_shared(0, 0) is None
    assert check_shared(2, 2) is None
    verdict = check_shared(3, 2, "set item: words")
    assert verdict is not None
    assert (verdict.reason, verdict.measured, verdict.limit) == (DecontaminationReason.SHARED_NGRAM, 3, 2)


def test_a_long_text_without_a_space_is_one_word_of_few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []
    mix = ngram_words._mix
    monkeypatch.setattr(ngram_words, "_mix", lambda values: steps.append(len(values)) or mix(values))
    words = hash_words([b"x" * 3_000_000, b"y"])
    assert len(words.hashes) == 2
    assert len(steps) <= 5


def test_bitmaps_with_many_heads_lose_none() -> None:
    texts = [f"w{number} x{number}".encode() for number in range(50_000)]
    ngrams, _, _ = gather_ngrams(hash_words(texts), 2, None)
    found = find_shared(texts, ngrams)
    assert np.array_equal(found.documents, np.arange(len(texts)))
