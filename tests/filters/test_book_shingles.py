"""Shingles of books: counted as sets of words are, alike where editions differ, and cheap on whatever comes."""

import re
import time
import tracemalloc
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters import book_shingles
from filters.book_shingles import fold_words, shingle_hashes, sorted_distinct

FOX = "The quick brown fox jumps over the lazy dog and then it rests."


def hashes(text: str, words: int = 5, chars: int = 4) -> set[int]:
    return set(shingle_hashes(text, words=words, chars=chars).tolist())


def runs(items: list[str], size: int) -> set[tuple[str, ...]]:
    """The distinct runs of a list, taken one by one."""
    return {tuple(items[i : i + size]) for i in range(len(items) - size + 1)}


def plain_words(text: str) -> list[str]:
    """The words of a text with ASCII and Latin letters, another way: the whole text normalised at once."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(char for char in apart if not unicodedata.combining(char))
    return [re.sub("([aou])e+", r"\1", word) for word in re.findall(r"[^\W_]+", bare)]


def test_a_text_has_as_many_shingles_as_distinct_runs_of_words() -> None:
    text = f"{FOX} {FOX} It rests, and then it rests."
    assert len(hashes(text)) == len(runs(plain_words(text), 5)) == 13 + 6


@given(st.text(st.sampled_from("aeoubx  -'\nÄöüéßÉ"), max_size=300), st.integers(1, 4))
def test_shingles_are_counted_as_sets_of_words_are(text: str, size: int) -> None:
    words = plain_words(text)
    assert fold_words(text) == words
    assert len(hashes(text, words=size)) == len(runs(words, min(size, len(words)) or 1))


@given(st.text(st.sampled_from("ab \n"), max_size=80), st.text(st.sampled_from("ab \n"), max_size=80))
def test_hashes_of_two_texts_meet_where_their_runs_do(one: str, other: str) -> None:
    left, right = (runs(plain_words(text), 2) for text in (one, other))
    if len(plain_words(one)) >= 2 and len(plain_words(other)) >= 2:
        assert len(hashes(one, words=2) & hashes(other, words=2)) == len(left & right)


@pytest.mark.parametrize(
    "edition",
    [
        FOX.upper(),
        FOX.replace(" ", "\n\n"),
        "“" + FOX.replace(" ", "—") + "”",
        FOX.replace("fox", "_fox_").replace(".", " * * *"),
        FOX.replace("fox", "ﬁx").replace("ﬁx", "fox"),
    ],
)
def test_case_line_breaks_and_punctuation_do_not_count(edition: str) -> None:
    assert hashes(edition) == hashes(FOX)


def test_umlauts_are_alike_however_they_are_written() -> None:
    written = "Der Müller größte schöne Mädchen Übung über Bäume"
    folded = "Der Muller grosste schone Madchen Ubung uber Baume"
    spelled = "Der Mueller groesste schoene Maedchen Uebung ueber Baeume"
    apart = unicodedata.normalize("NFD", written)
    assert hashes(written) == hashes(folded) == hashes(spelled) == hashes(apart)


def test_a_vowel_after_an_umlaut_does_not_tell_how_that_is_written() -> None:
    assert fold_words("Säen") == fold_words("Saeen") == fold_words("Saen") == ["san"]


def test_hidden_characters_inside_words_do_not_count() -> None:
    soft, joiner = "quick brown".replace("ick", "\u00adick").replace("own", "\u00adown"), "می\u200cخواهم"
    assert fold_words(soft) == ["quick", "brown"]
    assert fold_words(joiner) == fold_words(joiner.replace("\u200c", ""))
    assert fold_words("\ufefffox\u200b \u2060\u200f") == ["fox"]
    assert hashes(FOX.replace("u", "\u00adu")) == hashes(FOX)


def test_apostrophes_are_alike_whether_they_are_letters_or_not() -> None:
    assert fold_words("м\u02bcяч Hawai\u02bbi") == fold_words("м'яч Hawai’i") == ["м", "яч", "hawai", "i"]


def test_arabic_is_alike_with_and_without_vowel_marks_ligatures_and_stretched_lines() -> None:
    assert fold_words("كِتَابٌ كـــتاب أحمد ﻻ ﷺ") == fold_words("كتاب كتاب احمد لا")


def test_korean_is_alike_composed_and_apart() -> None:
    text = "나는 고양이로소이다 이름은 아직 없다 어디서 났는지 도무지 짐작이 안 간다"
    apart = unicodedata.normalize("NFD", text)
    assert fold_words(apart) == fold_words(text) == text.split()
    assert hashes(apart) == hashes(text)


def test_turkish_letters_fold_to_ascii() -> None:
    assert fold_words("İstanbul IŞIK ışık I\u0307ç") == ["istanbul", "isik", "isik", "ic"]


def test_accents_ligatures_and_compatibility_forms_are_folded() -> None:
    assert fold_words("Œuvre ﬂeuve naïf Ærø Łódź ſtrange") == ["ouvre", "fleuve", "naif", "aro", "lodz", "strange"]
    assert fold_words("ＦＵＬＬ width ½ ΣΊΣΥΦΟΣ Σίσυφος") == ["full", "width", "1", "2", "σισυφοσ", "σισυφοσ"]


def test_a_word_of_marks_alone_is_none() -> None:
    assert fold_words("one \u0301\u0302 two") == ["one", "two"]
    assert hashes("one \u0301 two", words=2) == hashes("one two", words=2)


def test_a_text_shorter_than_a_shingle_has_one_and_an_empty_one_none() -> None:
    assert len(hashes("Only three words")) == 1
    assert hashes("Only three words") == hashes("only THREE words!")
    assert hashes("") == hashes(" \n\t") == hashes("* * * — …") == hashes("\u0301") == set()


def test_one_word_a_hundred_thousand_times_has_one_shingle() -> None:
    assert len(hashes("buffalo " * 100_000)) == 1


def test_scripts_without_spaces_are_cut_into_runs_of_characters() -> None:
    text = "吾輩は猫である。名前はまだ無い。どこで生れたか頓と見当がつかぬ。"
    letters = [char for char in unicodedata.normalize("NFKD", text) if char.isalnum()]
    assert len(hashes(text)) == len(runs(letters, 4)) == 29 - 3
    assert hashes(text) == hashes("\n".join(text)), "line breaks count as little as anywhere"
    thai = "สวัสดีชาวโลก ยินดีต้อนรับ"
    assert len(hashes(thai)) > len(thai) // 2


def test_half_of_the_letters_without_spaces_are_enough_for_characters() -> None:
    assert len(hashes("猫猫名前 abcd")) == len(runs(list("猫猫名前abcd"), 4)) == 5
    assert len(hashes("猫猫名前 abcde")) == 1, "two words"


@pytest.mark.parametrize("gap", ["\n" * 20, " " * 7 + "\u3000", " . . . "])
def test_what_stands_between_characters_does_not_make_words_of_them(gap: str) -> None:
    text = "吾輩は猫である名前はまだ無い"
    assert hashes(gap.join(text)) == hashes(text)


def test_a_name_in_another_script_does_not_make_characters_of_a_text() -> None:
    assert len(hashes(f"{FOX} 夏目漱石 wrote it.")) == len(runs(plain_words(f"{FOX} 夏目漱石 wrote it."), 5))


def test_korean_has_spaces() -> None:
    text = "나는 고양이로소이다 이름은 아직 없다 어디서 났는지 도무지 짐작이 안 간다"
    assert len(hashes(text)) == len(text.split()) - 4


def test_pieces_of_a_text_are_no_borders(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = hashes(f"{FOX} Größe—{FOX.upper()} naïve")
    japanese = hashes("吾輩は猫である。 名前はまだ無い。 どこで生れたか")
    monkeypatch.setattr(book_shingles, "_PIECE_BYTES", 3)
    monkeypatch.setattr(book_shingles, "_MAX_KNOWN_WORDS", 2)
    monkeypatch.setattr(book_shingles, "_MAX_REPLACEMENTS", 0)
    assert hashes(f"{FOX} Größe—{FOX.upper()} naïve") == whole
    assert hashes("吾輩は猫である。 名前はまだ無い。 どこで生れたか") == japanese
    assert len(hashes("吾輩は")) == len(hashes("Only three words")) == 1


@given(st.text(max_size=200))
def test_any_text_has_shingles_the_same_ones_folded_twice(text: str) -> None:
    words = fold_words(text)
    assert fold_words(" ".join(words)) == words
    assert len(hashes(text)) <= max(1, len(text) * 20)


@given(st.lists(st.integers(0, 2**64 - 1)))
def test_distinct_hashes_are_those_of_a_set(values: list[int]) -> None:
    assert sorted_distinct(np.array(values, np.uint64)).tolist() == sorted(set(values))


@pytest.mark.parametrize(
    "hostile",
    [
        "a" * 2_000_000,
        "a " * 1_000_000,
        "\ud800 " * 500_000,
        "\u0301" * 500_000,
        "猫 " * 400_000,
        "\ufdfa" * 500_000,
        "".join(map(chr, range(0x250, 0xD7FF))) * 4,
    ],
    ids=["one long word", "short words", "lone surrogates", "marks", "parted characters", "a phrase", "all characters"],
)
def test_hostile_text_costs_no_more_than_its_length(hostile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_shingles, "_PIECE_BYTES", 1 << 16)
    size = len(hostile.encode(errors="replace"))
    tracemalloc.start()  # which NumPy tells what it allocates, and which takes time of its own
    start = time.process_time()
    shingle_hashes(hostile, words=5, chars=8)
    seconds, (_, peak) = time.process_time() - start, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seconds < 5
    assert peak < 16 * size + (12 << 20)
