"""Every reason code has its case: a document among the bundled dumps, or a test of its own."""

import importlib
import pkgutil
import re
from pathlib import Path

import filters
import pipeline
import tokenizer
from filters.verdict import Reason

TESTS = Path(__file__).resolve().parents[1]
FATES = "corpus/fates.yaml"

#: Where each reason is exercised: in the table of fates, or by a test. A new reason fails here until its case exists.
CASES = {
    "duplicate/content": FATES,
    "duplicate/id": "pipeline/test_duplicates.py::test_an_id_seen_twice_keeps_the_copy_that_comes_first",
    "language/low_score": FATES,
    "language/not_wanted": FATES,
    "language/unidentified": "filters/test_language.py::test_an_unidentified_document_goes_whatever_is_allowed",
    "length/too_short": FATES,
    "line_dedup/no_line_left": FATES,
    "page/empty": FATES,
    "warc/html_too_long": "pipeline/test_pages.py::test_each_reason_has_its_record",
    "warc/http_status": FATES,
    "warc/metadata": FATES,
    "warc/not_html": FATES,
    "warc/other_type": "pipeline/test_pages.py::test_each_reason_has_its_record",
    "warc/request": FATES,
    "warc/resource": "pipeline/test_pages.py::test_each_reason_has_its_record",
    "warc/revisit": "pipeline/test_pages.py::test_each_reason_has_its_record",
    "warc/warcinfo": "pipeline/test_pages.py::test_each_reason_has_its_record",
}


def reason_classes() -> list[type[Reason]]:
    """Import every module of ours, so that no class is overlooked, and list all below :class:`Reason`."""
    for package in (filters, pipeline, tokenizer):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    found, open_ = [], [Reason]
    while open_:
        below = open_.pop().__subclasses__()
        found += below
        open_ += below
    return [kind for kind in found if kind.__module__.partition(".")[0] in {"filters", "pipeline", "tokenizer"}]


def test_every_reason_has_its_case_and_every_case_its_reason() -> None:
    assert {str(reason) for kind in reason_classes() for reason in kind} == set(CASES)


def test_no_two_reasons_share_a_code() -> None:
    codes = [str(reason) for kind in reason_classes() for reason in kind]
    assert len(codes) == len(set(codes))


def test_codes_look_like_module_slash_what_is_wrong() -> None:
    assert [code for code in CASES if not re.fullmatch(r"[a-z_]+/[a-z_]+", code)] == []


def test_the_cases_are_where_the_table_says() -> None:
    for code, place in CASES.items():
        file, _, test = place.partition("::")
        content = (TESTS / file).read_text(encoding="utf-8")
        wanted = rf"^  reason: {re.escape(code)}$" if file == FATES else rf"^def {test}\("
        assert re.search(wanted, content, re.MULTILINE), f"{code}: not in {place}"
