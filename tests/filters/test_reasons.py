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
    "arxiv/empty": "pipeline/test_arxiv_recipe.py::test_what_is_no_document_says_why",
    "arxiv/no_main_file": "pipeline/test_arxiv_eprint.py::test_what_is_no_paper_says_why",
    "arxiv/no_tex": "pipeline/test_arxiv_eprint.py::test_what_stands_in_the_place_of_tex_is_named",
    "arxiv/not_an_eprint": "pipeline/test_arxiv_recipe.py::test_what_is_no_document_says_why",
    "arxiv/pdf_only": "pipeline/test_arxiv_recipe.py::test_what_is_no_document_says_why",
    "arxiv/tex_too_long": (
        "pipeline/test_arxiv_eprint.py::test_as_much_tex_as_allowed_is_held_and_one_byte_more_drops_the_paper"
    ),
    "arxiv/too_large": (
        "pipeline/test_arxiv_eprint.py::test_an_e_print_of_the_largest_size_is_read_and_one_byte_more_drops_it"
    ),
    "arxiv/too_many_files": (
        "pipeline/test_arxiv_eprint.py::test_as_many_members_as_allowed_are_read_and_one_more_drops_the_paper"
    ),
    "arxiv/withdrawn": "pipeline/test_arxiv_recipe.py::test_what_is_no_document_says_why",
    "bad_words/found": "filters/test_bad_words.py::test_a_page_with_a_word_goes_and_one_without_stays",
    "book_dedup/near_duplicate": "pipeline/test_book_dedup.py::test_books_that_overlap_with_one_that_stays_go",
    "books/empty": "pipeline/test_books_recipe.py::test_each_bad_book_leaves_with_its_reason",
    "books/no_text_member": "pipeline/test_books_recipe.py::test_each_bad_book_leaves_with_its_reason",
    "books/no_text_value": "pipeline/test_books_recipe.py::test_each_bad_book_leaves_with_its_reason",
    "books/only_boilerplate": "pipeline/test_books_recipe.py::test_each_bad_book_leaves_with_its_reason",
    "books/too_long": "pipeline/test_books_recipe.py::test_each_bad_book_leaves_with_its_reason",
    "books/too_short": "pipeline/test_books_recipe.py::test_each_bad_book_leaves_with_its_reason",
    "c4/curly_bracket": "filters/test_c4.py::test_a_curly_bracket_drops_the_page",
    "c4/duplicate_url": "pipeline/test_c4_recipe.py::test_a_page_is_dropped_by_the_first_rule_it_breaks",
    "c4/few_sentences": "filters/test_c4.py::test_a_page_of_two_sentences_goes_and_one_of_three_stays",
    "c4/few_sentences_left": "filters/test_c4.py::test_a_page_left_two_sentences_goes_and_with_three_stays",
    "c4/lorem_ipsum": "filters/test_c4.py::test_placeholder_text_drops_the_page",
    "c4/no_content": "filters/test_c4.py::test_a_page_needs_address_text_and_time",
    "c4/no_line_left": "filters/test_c4.py::test_a_page_without_a_line_left_goes",
    "c4/no_timestamp": "filters/test_c4.py::test_a_page_needs_address_text_and_time",
    "c4/no_url": "filters/test_c4.py::test_a_page_needs_address_text_and_time",
    "c4/only_duplicate_lines": "filters/test_c4.py::test_a_page_that_line_deduplication_leaves_empty_goes",
    "c4/too_long": "filters/test_c4.py::test_a_page_of_exactly_190000_characters_is_not_too_long",
    "c4_file/empty": "pipeline/test_c4_files.py::test_a_page_without_text_is_dropped_with_its_reason",
    "citation/not_an_article": "pipeline/test_run_whole.py::test_pages_of_a_dump_that_cite_nothing_leave_with_a_reason",
    "citation/redirect": "pipeline/test_run_whole.py::test_pages_of_a_dump_that_cite_nothing_leave_with_a_reason",
    "code/data_name": "filters/test_code.py::test_a_path_that_breaks_a_rule_goes_and_stays_when_the_rule_is_off",
    "code/empty": "filters/test_code.py::test_a_file_without_text_goes",
    "code/few_alphanumeric": "filters/test_code.py::test_a_quarter_of_letters_and_digits_is_enough",
    "code/generated": "filters/test_code.py::test_a_generated_file_goes",
    "code/generated_name": "filters/test_code.py::test_a_path_that_breaks_a_rule_goes_and_stays_when_the_rule_is_off",
    "code/licence_file": "filters/test_code.py::test_a_path_that_breaks_a_rule_goes_and_stays_when_the_rule_is_off",
    "code/line_too_long": "filters/test_code.py::test_a_line_of_exactly_1000_characters_is_not_too_long",
    "code/lines_long": "filters/test_code.py::test_lines_of_exactly_100_characters_on_average_are_not_long",
    "code/minified": "filters/test_code.py::test_script_of_more_than_110_characters_a_line_is_minified",
    "code/minified_name": "filters/test_code.py::test_a_path_that_breaks_a_rule_goes_and_stays_when_the_rule_is_off",
    "code/mostly_numbers": "filters/test_code.py::test_numbers_in_four_fifths_of_a_file_are_too_many",
    "code/other_suffix": "filters/test_code.py::test_a_path_that_breaks_a_rule_goes_and_stays_when_the_rule_is_off",
    "code/too_long": "filters/test_code.py::test_a_file_of_exactly_a_mebibyte_is_not_too_long",
    "code/vendored": "filters/test_code.py::test_a_path_that_breaks_a_rule_goes_and_stays_when_the_rule_is_off",
    "corpus/empty": "pipeline/test_corpora.py::test_a_row_without_a_text_is_dropped_with_its_reason",
    "corpus/no_text_value": "pipeline/test_corpora.py::test_a_row_without_a_text_is_dropped_with_its_reason",
    "corpus/too_long": "pipeline/test_corpora.py::test_a_text_of_as_many_bytes_as_allowed_stays_and_a_longer_one_goes",
    "decontamination/shared_ngram": (
        "filters/test_decontamination.py::test_as_many_shared_ngrams_as_allowed_stay_and_one_more_goes"
    ),
    "decontamination/too_frequent": (
        "pipeline/test_decontamination.py::test_an_ngram_of_as_many_documents_as_allowed_counts_and_of_one_more_does_not"
    ),
    "decontamination/too_short": (
        "pipeline/test_decontamination.py::test_contaminated_documents_leave_the_tokens_and_everything_adds_up"
    ),
    "duplicate/content": FATES,
    "duplicate/id": "pipeline/test_duplicates.py::test_an_id_seen_twice_keeps_the_copy_that_comes_first",
    "encoding/not_text": "pipeline/test_books_recipe.py::test_each_bad_book_leaves_with_its_reason",
    "encoding/undecodable": "pipeline/test_books_recipe.py::test_each_bad_book_leaves_with_its_reason",
    "github/binary": "pipeline/test_github_recipe.py::test_what_is_left_out_says_why",
    "github/no_content": "pipeline/test_github_recipe.py::test_what_is_left_out_says_why",
    "github/no_place": (
        "pipeline/test_github_recipe.py::test_contents_that_stand_nowhere_or_are_no_text_are_known_by_their_hash"
    ),
    "github/not_a_file": "pipeline/test_github_recipe.py::test_what_is_left_out_says_why",
    "github/too_long": (
        "pipeline/test_github_recipe.py::test_a_file_exactly_as_long_as_allowed_stays_and_a_longer_one_goes"
    ),
    "language/low_score": FATES,
    "language/not_wanted": FATES,
    "language/unidentified": "filters/test_language.py::test_an_unidentified_document_goes_whatever_is_allowed",
    "latex/blow_up": "filters/test_latex.py::test_expansions_up_to_the_limit_are_made",
    "latex/empty": "filters/test_latex.py::test_a_paper_of_which_nothing_is_left_is_empty",
    "latex/no_section": (
        "filters/test_latex.py::test_a_paper_without_section_is_kept_from_its_front_matter_on_or_dropped"
    ),
    "latex/recursion": ("filters/test_latex.py::test_macros_that_call_themselves_are_left_and_too_many_drop_the_paper"),
    "length/too_short": FATES,
    "licence/missing": "filters/test_licences.py::test_a_repository_without_a_licence_is_left_out",
    "licence/not_permitted": "filters/test_licences.py::test_of_several_licences_each_must_be_permitted",
    "licence/other_in_file": "filters/test_licences.py::test_a_file_whose_header_names_another_licence_is_left_out",
    "licence/unknown": "filters/test_licences.py::test_a_licence_that_nobody_knows_is_left_out_under_its_name",
    "line_dedup/no_line_left": FATES,
    "page/empty": FATES,
    "perplexity/head": "filters/test_perplexity.py::test_a_bucket_that_is_not_kept_has_its_reason",
    "perplexity/middle": "filters/test_perplexity.py::test_a_bucket_that_is_not_kept_has_its_reason",
    "perplexity/no_cutoff": "filters/test_perplexity.py::test_a_bucket_that_is_not_kept_has_its_reason",
    "perplexity/no_score": "filters/test_perplexity.py::test_a_bucket_that_is_not_kept_has_its_reason",
    "perplexity/tail": "filters/test_perplexity.py::test_the_tail_alone_is_dropped_by_default",
    "reference/no_known_word": "filters/test_reference.py::test_a_page_without_a_known_word_goes",
    "reference/not_a_reference": "filters/test_reference.py::test_a_page_exactly_at_the_threshold_is_kept",
    "stackexchange/deleted": "pipeline/test_stackexchange_recipe.py::test_what_is_in_no_document_says_why",
    "stackexchange/duplicate_answer": (
        "pipeline/test_stackexchange_recipe.py::test_a_post_twice_in_a_dump_counts_where_it_stands_first"
    ),
    "stackexchange/empty": "pipeline/test_stackexchange_recipe.py::test_what_is_in_no_document_says_why",
    "stackexchange/orphan_answer": "pipeline/test_stackexchange_recipe.py::test_what_is_in_no_document_says_why",
    "stackexchange/other_post_type": "pipeline/test_stackexchange_recipe.py::test_what_is_in_no_document_says_why",
    "stackexchange/too_long": (
        "pipeline/test_stackexchange_recipe.py::"
        "test_a_question_whose_posts_are_too_long_goes_and_one_at_the_limit_stays"
    ),
    "warc/html_too_long": "pipeline/test_pages.py::test_each_reason_has_its_record",
    "warc/http_status": FATES,
    "warc/metadata": FATES,
    "warc/not_html": FATES,
    "warc/other_type": "pipeline/test_pages.py::test_each_reason_has_its_record",
    "warc/request": FATES,
    "warc/resource": "pipeline/test_pages.py::test_each_reason_has_its_record",
    "warc/revisit": "pipeline/test_pages.py::test_each_reason_has_its_record",
    "warc/warcinfo": "pipeline/test_pages.py::test_each_reason_has_its_record",
    "wikipedia/disambiguation": "pipeline/test_wikipedia_recipe.py::test_what_is_dropped_says_why",
    "wikipedia/empty": "pipeline/test_wikipedia_recipe.py::test_an_article_without_text_goes_and_one_with_enough_stays",
    "wikipedia/language": "pipeline/test_wikipedia_recipe.py::test_what_is_dropped_says_why",
    "wikipedia/not_an_article": "pipeline/test_wikipedia_recipe.py::test_what_is_dropped_says_why",
    "wikipedia/not_wikitext": "pipeline/test_wikipedia_recipe.py::test_what_is_dropped_says_why",
    "wikipedia/redirect": "pipeline/test_wikipedia_recipe.py::test_what_is_dropped_says_why",
    "wikipedia/unknown_wiki": "pipeline/test_wikipedia_recipe.py::test_pages_whose_wiki_nothing_tells_are_dropped",
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
    assert [code for code in CASES if not re.fullmatch(r"[a-z0-9_]+/[a-z_]+", code)] == []


def test_the_cases_are_where_the_table_says() -> None:
    for code, place in CASES.items():
        file, _, test = place.partition("::")
        content = (TESTS / file).read_text(encoding="utf-8")
        wanted = rf"^  reason: {re.escape(code)}$" if file == FATES else rf"^def {test}\("
        assert re.search(wanted, content, re.MULTILINE), f"{code}: not in {place}"
