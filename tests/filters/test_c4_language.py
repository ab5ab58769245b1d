"""langdetect's numbers come out again, whatever was asked before and by how many threads."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from langdetect.detector_factory import PROFILES_DIRECTORY, DetectorFactory
from langdetect.lang_detect_exception import LangDetectException
from pydantic import ValidationError

from filters.c4_language import C4LanguageSettings, Detector, LangDetect
from filters.language import LanguageReason, check_language
from filters.verdict import Drop
from pipeline.document import Document
from pipeline.sources.c4_files import read_c4
from pipeline.sources.pages import read_pages

ENGLISH = "The ferry left at dawn, and nobody on board had slept well. Who would have thought that it would rain?"
GERMAN = "Die Fähre legte im Morgengrauen ab, und niemand an Bord hatte gut geschlafen. Wer hätte das gedacht?"
JAPANESE = "船は夜明けに出発し、誰もよく眠れなかった。雨が降るとは思わなかった。"

RUSSIAN = "Паром отправился на рассвете, и никто на борту не выспался. Кто бы мог подумать?"

Answer = tuple[str, float]


@pytest.fixture(scope="module")
def detect() -> LangDetect:
    return LangDetect()


@pytest.fixture(scope="module")
def original() -> Callable[[str], Answer]:
    """langdetect itself, its languages in the order of their names."""
    profiles = [
        Path(PROFILES_DIRECTORY, name).read_text(encoding="utf-8") for name in sorted(os.listdir(PROFILES_DIRECTORY))
    ]
    factory = DetectorFactory()
    factory.load_json_profile(profiles)
    factory.set_seed(0)

    def ask(text: str) -> Answer:
        detector = factory.create()
        detector.append(text)
        try:
            found = detector.get_probabilities()
        except LangDetectException:
            return "", 0.0
        return (found[0].lang, found[0].prob) if found else ("", 0.0)

    return ask


def answer(detect: LangDetect, text: str) -> Answer:
    (row,) = detect([text])
    return str(row["language"]), float(row["language_score"])


@pytest.mark.parametrize(("text", "language"), [(ENGLISH, "en"), (GERMAN, "de"), (JAPANESE, "ja"), (RUSSIAN, "ru")])
def test_languages_are_told(text: str, language: str, detect: LangDetect) -> None:
    found, probability = answer(detect, text)
    assert found == language
    assert probability > 0.99


@pytest.mark.parametrize(
    "text", ["", " \n", "123 456.", "!!! ???", "http://a.example/some/words", "me@a.example", "🥔"]
)
def test_a_text_without_letters_has_no_language(text: str, detect: LangDetect) -> None:
    assert answer(detect, text) == ("", 0.0)


WORDS = [*ENGLISH.split(), *GERMAN.split(), *RUSSIAN.split(), *JAPANESE]
PIECES = st.sampled_from(
    [*WORDS, "USA", "McDonald", "DIE", "a", "I", "Ă", "ș", "ț", "ệ", "e\u0323", "Việt", "ی", "ي", "中", "国", "國",
     "한국", "ㄅ", "カタ", "Ελλάδα", "\u3000", "\u00a0", "\u00b5", "\n", "  ", "_", "[", "^", "http://a.example/x?y=1",
     "me@a.example", "x" * 40, "\U00020000", "ﬁ", "ǅ", "ß"]
)  # fmt: skip


@settings(max_examples=250, deadline=None)
@given(
    st.lists(st.tuples(PIECES, st.sampled_from([" ", " ", ""])), max_size=60).map(
        lambda p: "".join(a + b for a, b in p)
    )
)
@example("Aa " * 5000)
@example(ENGLISH * 120)
@example("a" * 10_001)
@example("中" * 40 + "abc " * 9)
def test_every_number_is_langdetects(detect: LangDetect, original: Callable[[str], Answer], text: str) -> None:
    assert answer(detect, text) == original(text)


def test_every_number_is_langdetects_on_real_pages(
    real_data: Path, detect: LangDetect, original: Callable[[str], Answer]
) -> None:
    name = "commoncrawl/derived/aeb-pages-00.derived.warc.wet.gz"
    with (real_data / name).open("rb") as stream:
        texts = [item.text for item, _ in read_pages(stream, name=name) if isinstance(item, Document)][:60]
    assert [answer(detect, text) for text in texts] == [original(text) for text in texts]


def test_published_pages_are_english(real_data: Path, detect: LangDetect) -> None:
    name = "c4-train.00000-of-01024.sample.json.gz"
    with (real_data / "c4" / name).open("rb") as stream:
        texts = [item.text for item, _ in read_c4(stream, name=name) if isinstance(item, Document)]
    limits = C4LanguageSettings().limits
    found = [answer(detect, text) for text in texts]
    assert [one for one in found if check_language(*one, limits)] == []


def test_an_answer_does_not_depend_on_what_was_asked_before(detect: LangDetect) -> None:
    mixed = "The ferry. Die Fähre. Le bateau. Nobody slept, niemand schlief."
    first = answer(LangDetect(), mixed)
    for other in (GERMAN, JAPANESE, ""):
        answer(detect, other)
        assert answer(detect, mixed) == first
    assert [tuple(row.values()) for row in detect([GERMAN, mixed, ENGLISH, mixed])][1::2] == [first, first]


def test_threads_do_not_disturb_each_other(detect: LangDetect) -> None:
    texts = [f"{ENGLISH} {GERMAN[: 3 * i]} {i}" for i in range(32)]
    one_by_one = [answer(detect, text) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda text: answer(detect, text), texts * 4)) == one_by_one * 4


def test_only_the_first_10000_characters_count(detect: LangDetect) -> None:
    beginning = (ENGLISH + " ") * 100
    assert len(beginning) > 10_000
    assert answer(detect, beginning[:10_000] + GERMAN * 50) == answer(detect, beginning[:10_000])


@pytest.mark.timeout(30)
@pytest.mark.parametrize("part", ["a", "a.", "a@", "http://", "a-", "中", "é ", "A"])
def test_no_text_takes_long(part: str, detect: LangDetect) -> None:
    detect([part * (190_000 // len(part))])


# -------------------------------------------------------------------------------------------------------------- limits


def test_english_of_exactly_99_percent_stays_and_the_rules_are_tried_in_c4s_order() -> None:
    limits = C4LanguageSettings().limits
    assert check_language("en", 0.99, limits) is None
    assert check_language("en", 0.98999999, limits) == Drop(LanguageReason.LOW_SCORE, 0.98999999, 0.99)
    assert check_language("de", 0.5, limits) == Drop(LanguageReason.LOW_SCORE, 0.5, 0.99)
    assert check_language("de", 0.999, limits) == Drop(LanguageReason.NOT_WANTED)
    assert check_language("", 0.0, limits) == Drop(LanguageReason.UNIDENTIFIED, 0.0, 0.99)


def test_the_settings_are_those_of_the_published_c4() -> None:
    settings = C4LanguageSettings()
    assert (settings.detector, settings.language, settings.min_probability) == (Detector.LANGDETECT, "en", 0.99)
    assert C4LanguageSettings(language="de").limits.languages == ("de",)
    assert C4LanguageSettings(language="de").limits.min_score == 0.99


@pytest.mark.parametrize("detector", ["fasttext", Detector.FASTTEXT])
def test_fasttext_which_is_never_so_sure_is_asked_for_as_much_as_ccnet_asks(detector: str) -> None:
    assert C4LanguageSettings.model_validate({"detector": detector}).limits.min_score == 0.5
    assert C4LanguageSettings.model_validate({"detector": detector, "min_probability": 0.9}).limits.min_score == 0.9
    written = C4LanguageSettings.model_validate({"detector": detector}).model_dump(mode="json")
    assert C4LanguageSettings.model_validate(written).min_probability == 0.5


@pytest.mark.parametrize(
    "values", [{"detector": "cld3"}, {"language": "English"}, {"min_probability": 1.1}, {"min_score": 0.9}]
)
def test_impossible_settings_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        C4LanguageSettings.model_validate(values)
