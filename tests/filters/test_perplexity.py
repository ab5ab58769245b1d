"""Perplexity traced by hand on a model written by hand, and against CCNet's way with a model trained here."""

import re
import sys
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
from pydantic import ValidationError
from sentencepiece import sentencepiece_model_pb2

from filters.kenlm_tools import load_kenlm
from filters.perplexity import (
    Bucket,
    BucketSettings,
    PerplexityModelSettings,
    PerplexityReason,
    PerplexityScorer,
    bucket_of,
    check_perplexity,
    perplexity_of,
)
from filters.perplexity_card import NgramTrainingSettings
from filters.perplexity_cutoffs import Cutoff
from filters.perplexity_training import train_ngram_model
from filters.verdict import Drop
from pipeline.document import Document
from pipeline.sources.pages import read_pages
from tests.kenlm import needs_kenlm

CORPUS = Path(__file__).resolve().parents[1] / "corpus" / "commoncrawl"

ARPA = """\\data\\
ngram 1=5
ngram 2=2

\\1-grams:
{unknown}\t<unk>\t0
0\t<s>\t-0.5
-0.75\t</s>\t0
-0.5\t▁a\t-0.25
-0.625\t▁b\t-0.125

\\2-grams:
-0.25\t<s> ▁a
-0.375\t▁a ▁b

\\end\\
"""

HARD = [
    "Á new day…\nΟΔΟΣ 2019 — «٣»",
    "日本語の文章です。１２３",
    "한국어 문장\n\n두번째",
    "▁ ▁▁ <s> </s> <unk>",
    "\x00 \x00",
    "\u200b\u200b",
    "\u2585 chart \u2585",
    "a\u2028b\u00a0c\x0bd\u3000e\x85f",
    "😀👩‍👩‍👧 family",
    "",
]


@pytest.fixture
def paths(tmp_path: Path):
    """A bigram model of two words, and pieces that are these words and no more."""

    def write(unknown: float = -1.0) -> tuple[str, str]:
        model = sentencepiece_model_pb2.ModelProto()
        for number, piece in enumerate(["<unk>", "<s>", "</s>", "▁a", "▁b"]):
            kind = {0: 2, 1: 3, 2: 3}.get(number, 1)  # unknown, control, normal
            model.pieces.add(piece=piece, score=-float(number), type=kind)
        model.trainer_spec.model_type = 1  # unigram
        model.normalizer_spec.name = "identity"
        (tmp_path / "xx.sp.model").write_bytes(model.SerializeToString())
        (tmp_path / "xx.arpa").write_text(ARPA.format(unknown=unknown), encoding="utf-8")
        return str(tmp_path / "xx.arpa"), str(tmp_path / "xx.sp.model")

    return write


def score(paths: tuple[str, str], text: str, **settings: object) -> dict[str, float]:
    (row,) = PerplexityScorer({"xx": paths}, PerplexityModelSettings(**settings))([text], ["xx"])
    return row


@pytest.mark.parametrize(
    ("text", "log10", "words"),
    [
        ("A b", -0.25 - 0.375 + (-0.125 - 0.75), 3),
        ("b", (-0.5 - 0.625) + (-0.125 - 0.75), 2),
        ("a\nb", -0.25 + (-0.25 - 1) - 0.75, 3),  # one word, "ab": the known piece a, then b without its space
        ("  a  ", -0.25 + (-0.25 - 0.75), 2),
    ],
)
def test_a_perplexity_traced_by_hand(paths, text, log10, words):
    assert score(paths(), text) == {"perplexity": round(10 ** (-log10 / words), 1)}
    exact = score(paths(), text, decimals=None)["perplexity"]
    assert exact == pytest.approx(10 ** (-log10 / words), rel=1e-6)


def test_the_numbers_of_the_trace_are_as_written_out(paths):
    assert [score(paths(), text)["perplexity"] for text in ("a b", "b", "a\nb")] == [3.2, 10.0, 5.6]


def test_lines_joined_by_a_space_do_not_fuse(paths):
    assert score(paths(), "a\nb", line_joint=" ") == score(paths(), "a b") != score(paths(), "a\nb")


def test_a_language_without_a_model_and_a_text_without_pieces_have_no_perplexity(paths):
    scorer = PerplexityScorer({"xx": paths()}, PerplexityModelSettings())
    assert scorer(["a", "", "\n \n", "\x00", "b"], ["yy", "xx", "xx", "xx", "xx"]) == [
        {},
        {},
        {},
        {},
        {"perplexity": 10.0},
    ]
    assert scorer([], []) == []


def test_a_perplexity_beyond_all_floats_is_the_largest_float(paths):
    assert score(paths(unknown=-4000.0), "z z z")["perplexity"] == sys.float_info.max
    assert perplexity_of(-307.0, 0) == 10.0**307
    assert perplexity_of(-308.0, 0) == perplexity_of(float("-inf"), 3) == sys.float_info.max


def test_a_lone_surrogate_is_scored_as_a_question_mark(paths):
    assert score(paths(), "a \ud800") == score(paths(), "a ?")


def test_as_many_texts_as_languages_are_asked_for(paths):
    with pytest.raises(ValueError, match="zip"):
        PerplexityScorer({"xx": paths()}, PerplexityModelSettings())(["a"], [])


def test_a_missing_or_damaged_model_is_named(paths, tmp_path):
    ngrams, pieces = paths()
    (tmp_path / "damaged").write_bytes(b"not a model")
    for bad in (str(tmp_path / "absent"), str(tmp_path / "damaged")):
        for pair in ((bad, pieces), (ngrams, bad)):
            with pytest.raises(OSError, match=re.escape(bad)):
                PerplexityScorer({"xx": pair}, PerplexityModelSettings())


def test_loading_an_arpa_file_writes_nothing(paths, capfd):
    score(paths(), "a")
    assert capfd.readouterr() == ("", "")


CUTOFFS = {"en": Cutoff(340, 520)}


@pytest.mark.parametrize(
    ("perplexity", "language", "bucket"),
    [
        (339.9, "en", Bucket.HEAD),
        (340.0, "en", Bucket.MIDDLE),
        (519.9, "en", Bucket.MIDDLE),
        (520.0, "en", Bucket.TAIL),
        (sys.float_info.max, "en", Bucket.TAIL),
        (None, "en", Bucket.ALL),
        (100.0, "sv", Bucket.ALL),
        (None, "sv", Bucket.ALL),
        (float("nan"), "en", Bucket.ALL),
    ],
)
def test_a_document_exactly_at_a_cutoff_is_above_it(perplexity, language, bucket):
    assert bucket_of(perplexity, language, CUTOFFS) is bucket


def test_the_tail_alone_is_dropped_by_default():
    settings = BucketSettings()
    kept = [(339.9, "en"), (340.0, "en"), (519.9, "en"), (None, "en"), (900.0, "sv")]
    assert [check_perplexity(*document, CUTOFFS, settings) for document in kept] == [None] * 5
    assert check_perplexity(520.0, "en", CUTOFFS, settings) == Drop(PerplexityReason.TAIL, 520.0, 520)


@pytest.mark.parametrize(
    ("keep", "perplexity", "language", "drop"),
    [
        ("head", 340.0, "en", Drop(PerplexityReason.MIDDLE, 340.0, 340)),
        ("tail", 339.9, "en", Drop(PerplexityReason.HEAD, 339.9, 340)),
        ("head", None, "en", Drop(PerplexityReason.NO_SCORE)),
        ("head", 12.5, "sv", Drop(PerplexityReason.NO_CUTOFF, 12.5)),
        ("head", None, "sv", Drop(PerplexityReason.NO_CUTOFF)),
    ],
)
def test_a_bucket_that_is_not_kept_has_its_reason(keep, perplexity, language, drop):
    assert check_perplexity(perplexity, language, CUTOFFS, BucketSettings(keep=(keep,))) == drop


@pytest.mark.parametrize("values", [{"keep": ()}, {"keep": ("heads",)}, {"kept": ("head",)}])
def test_wrong_buckets_are_refused(values):
    with pytest.raises(ValidationError):
        BucketSettings(**values)


@pytest.mark.parametrize("values", [{"line_joint": "  "}, {"line_joint": "x"}, {"decimals": -1}, {"model": "x"}])
def test_wrong_model_settings_are_refused(values):
    with pytest.raises(ValidationError):
        PerplexityModelSettings(**values)


def pages_of(files: Sequence[Path]) -> list[str]:
    texts = []
    for path in files:
        with path.open("rb") as stream:
            texts += [item.text for item, _ in read_pages(stream, name=str(path)) if isinstance(item, Document)]
    return texts


def as_ccnet_scores(text: str, ngrams: Any, splitter: sentencepiece.SentencePieceProcessor) -> dict[str, float]:
    """CCNet's chain, written out from the facts."""
    text = "".join(c for c in unicodedata.normalize("NFD", text.strip().lower()) if unicodedata.category(c) != "Mn")
    table = dict(
        zip(
            "，。、„”“«»」「《》´∶：？！（）；–～’━〈〉【】％►",
            """,.,\"\"\"\"\"\"\"\"\"'::?!();-~'-<>[]%-""",
            strict=True,
        )
    )
    table |= {"—": " - ", "．": ". ", "…": "..."}
    text = "".join(table.get(c, c) for c in re.sub(r"\d", "0", text))
    line = " ".join(splitter.encode_as_pieces(re.sub(r"[\x00-\x1f\x7f-\x9f]", "", text)))
    if not line:
        return {}
    return {"perplexity": round(10.0 ** (-ngrams.score(line) / (len(line.split()) + 1)), 1)}


def assert_scored_as_ccnet_does(texts: Sequence[str], training: Sequence[str], folder: Path) -> None:
    train_ngram_model(training, "xx", NgramTrainingSettings(vocab_size=8000), str(folder))
    paths = (str(folder / "xx.arpa.bin"), str(folder / "xx.sp.model"))
    ngrams, splitter = load_kenlm().Model(paths[0]), sentencepiece.SentencePieceProcessor(model_file=paths[1])
    expected = [as_ccnet_scores(text, ngrams, splitter) for text in texts]
    assert len({row.get("perplexity") for row in expected}) > 10
    assert PerplexityScorer({"xx": paths}, PerplexityModelSettings())(texts, ["xx"] * len(texts)) == expected


@needs_kenlm
def test_every_bundled_page_is_scored_as_ccnet_does(tmp_path):
    pages = pages_of(sorted(path for path in CORPUS.rglob("*.gz") if path.is_file()))
    assert_scored_as_ccnet_does([*pages, *HARD], pages[::2], tmp_path)


@needs_kenlm
def test_every_real_page_is_scored_as_ccnet_does(real_data, tmp_path):
    files = sorted(real_data.glob("commoncrawl/**/*.wet.gz")) + sorted(real_data.glob("commoncrawl/**/*.warc.txt"))
    pages = pages_of([path for path in files if "malformed" not in path.parts])
    assert_scored_as_ccnet_does([*pages, *HARD], pages[:200], tmp_path)
