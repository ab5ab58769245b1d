"""All real articles at hand, of some hundred wikis: no markup is left, and the words of their paragraphs are kept."""

import html
import re
from collections import Counter

import mwparserfromhell
import pytest

from filters.wiki_names import names_of
from filters.wikitext import find_leftovers, wikitext_to_text
from pipeline.sources.mediawiki import read_wiki, wiki_name

_WORD = re.compile(r"[^\W\d_]{2,}")
#: A line of a page that is nothing but words, links to pages and bold type: its words can be read without a parser.
_PLAIN_LINE = re.compile(
    r"(?m)^['\w\[(«„\"“](?:[^\[\]{}<>|=\n&:_/]|\[\[[^\[\]{}<>|:\n&#_/]+(?:\|[^\[\]{}<>|\n&]+)?\]\]|:(?= ))+$"
)
#: The stripper keeps the words of references and tables.
_REFERENCES = re.compile(r"(?s)\{\|.*?\n\|\}|<!--.*?-->|<ref(?:\s[^<>]*)?/>|<ref(?:\s[^<>]*)?>.*?</ref>")
_LINK = re.compile(r"\[\[(?:[^\[\]|]*\|)?([^\[\]|]*)\]\]")


@pytest.fixture(scope="module")
def articles(real_data):
    """Wiki, title and wikitext of each article."""
    found = []
    folder = real_data / "wikipedia"
    for path in sorted(
        [*(folder / "minidumps").iterdir(), *(folder / "gensim").iterdir(), *(folder / "pignlproc").iterdir()]
    ):
        with path.open("rb") as stream:
            for page, _ in read_wiki(stream, name=str(path)):
                if getattr(page, "namespace", 1) == 0 and not page.redirect and page.text:
                    found.append((wiki_name(str(path)) or "enwiki", page.title, page.text))
    for path in sorted((folder / "wikitext-pages").iterdir()):
        wiki = "dewiki" if "[[Kategorie:" in (text := path.read_text()) else "enwiki"
        found.append((wiki, path.name, html.unescape(text) if "&lt;ref" in text else text))
    assert len(found) > 280
    assert len({wiki for wiki, _, _ in found}) > 90
    return found


@pytest.fixture(scope="module")
def converted(articles):
    """The text of each article, made once."""
    return [wikitext_to_text(text, names_of(wiki)) for wiki, _, text in articles]


def test_no_markup_is_left_in_any_article(articles, converted):
    left = []
    for (wiki, title, _), result in zip(articles, converted, strict=True):
        left += [(wiki, title, one.kind, one.snippet) for one in find_leftovers(result, names_of(wiki))]
    kinds = Counter(kind for _, _, kind, _ in left)
    assert not left, f"{kinds}: {left[:10]}"


def test_the_finder_sees_what_a_plain_stripper_leaves(articles):
    """The finder is no mirror of the converter: it finds what mwparserfromhell leaves in the same articles."""
    from filters.wikitext import WikiText

    kinds = Counter()
    for wiki, _, text in articles[:60:6]:
        stripped = str(mwparserfromhell.parse(text).strip_code())
        kinds.update(one.kind for one in find_leftovers(WikiText(stripped), names_of(wiki)))
    assert {"<ref", "category", "quotes"} <= set(kinds)
    assert sum(kinds.values()) > 20


def test_every_word_of_a_plain_line_is_kept(articles, converted):
    """Lines without templates, tags and tables, read with nothing but a pattern for links."""
    lines = words = 0
    missing = []
    for (wiki, title, text), ours in zip(articles, converted, strict=True):
        if names_of(wiki).is_converted:
            continue
        result = Counter(_WORD.findall(ours.text))
        bare = re.sub(
            r"(?s)<!--.*?-->|<ref.*?(?:/>|</ref>)|<gallery.*?</gallery>|\{\|.*?\n\|\}", "", _outside_braces(text)
        )
        for line in _PLAIN_LINE.findall(bare):
            found = _WORD.findall(_LINK.sub(r"\1", line).replace("'''", "").replace("''", ""))
            lines += 1
            words += len(found)
            missing += [(wiki, title, word, line[:80]) for word in found if word not in result]
    assert lines > 3_000
    assert words > 100_000
    assert len(missing) <= words * 0.0005, missing[:20]


def _outside_braces(text: str) -> str:
    """Take out everything between double braces, counted."""
    kept, depth, at = [], 0, 0
    for found in re.finditer(r"\{\{|\}\}", text):
        if depth == 0:
            kept.append(text[at : found.start()])
        depth = depth + 1 if found[0] == "{{" else max(0, depth - 1)
        at = found.end()
    return "".join([*kept, text[at:] if depth == 0 else ""])


def test_articles_keep_most_of_what_a_plain_stripper_keeps(articles, converted):
    """Of the words that mwparserfromhell leaves outside of lists and tables we have nearly all."""
    total = kept = 0
    for (_, _, text), result in list(zip(articles, converted, strict=True))[::7]:
        ours = Counter(_WORD.findall(result.text))
        stripped = str(mwparserfromhell.parse(_REFERENCES.sub("", text)).strip_code())
        paragraphs = [
            line for line in stripped.split("\n") if len(line) > 200 and not re.search(r"[{}|\[\]]|\w+:\w", line)
        ]
        theirs = Counter(_WORD.findall("\n".join(paragraphs)))
        total += theirs.total()
        kept += (theirs & ours).total()
    assert total > 100_000
    assert kept / total > 0.995
