"""Writes the miniature Wikipedias of other languages: ``python tests/corpus/mini_wikis.py [--output DIR]``.

Each comes in another of the forms that dumps are found in:

- ``dewiki``, twice: as of July, multistream, with its index beside it; as of May, one stream, with some pages that have
  been written anew since and one that is gone;
- ``frwiki``: streams of so many bytes wherever pages end, as parallel compressors write them;
- ``ruwiki``: an archive with several revisions of each page, the latest not always last;
- ``srwiki``: plain XML.

Articles are made of the grammars' sentences, with the markup that editors use; those of ``planted_wiki.yaml`` come
among them, each with a fate of its own. The same bytes come out on every machine, but for the archive, whose content
alone is the same.
"""

import argparse
import bz2
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

import py7zr
import yaml
from generate import FOLDER
from mini_grammar import Rules, Voice, load_rules, seeded
from mini_pages import TOPICS
from mini_wiki import sha1_of

OLD, NEW = "20220501", "20220701"
PAGES_A_STREAM = 7
CUT_BYTES = 5000


@dataclass(frozen=True)
class Wiki:
    """What the generator must know of a wiki.

    Attributes:
        grammar: File of its grammar.
        articles: How many it writes.
        names: Names of some namespaces, by number.
        word: What a link to an image is framed by.
    """

    grammar: str
    articles: int
    names: dict[int, str]
    word: str


WIKIS = {
    "dewiki": Wiki("german", 34, {1: "Diskussion", 6: "Datei", 10: "Vorlage", 14: "Kategorie"}, "mini"),
    "frwiki": Wiki("french", 24, {1: "Discussion", 6: "Fichier", 10: "Modèle", 14: "Catégorie"}, "vignette"),
    "ruwiki": Wiki("russian", 24, {1: "Обсуждение", 6: "Файл", 10: "Шаблон", 14: "Категория"}, "мини"),
    "srwiki": Wiki("serbian", 12, {1: "Разговор", 6: "Датотека", 10: "Шаблон", 14: "Категорија"}, "мини"),
}
#: Articles of the German wiki that the older dump has with another text, and one that only it has.
REWRITTEN, GONE = range(1, 9), 33

FILES = {
    (OLD, "dewiki"): f"{OLD}/dewiki-{OLD}-pages-articles.xml.bz2",
    (NEW, "dewiki"): f"{NEW}/dewiki-{NEW}-pages-articles-multistream.xml.bz2",
    (NEW, "frwiki"): f"{NEW}/frwiki-{NEW}-pages-articles.xml.bz2",
    (NEW, "ruwiki"): f"{NEW}/ruwiki-{NEW}-pages-meta-history.xml.7z",
    (NEW, "srwiki"): f"{NEW}/srwiki-{NEW}-pages-articles.xml",
}
INDEX = f"{NEW}/dewiki-{NEW}-pages-articles-multistream-index.txt.bz2"

_HEAD = """<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.10/" version="0.10" xml:lang="{language}">
  <siteinfo>
    <sitename>Wikipedia</sitename>
    <dbname>{wiki}</dbname>
    <generator>llama-corpus miniature dump</generator>
    <case>first-letter</case>
    <namespaces>
      <namespace key="0" case="first-letter" />
{namespaces}
    </namespaces>
  </siteinfo>
"""
_TAIL = "</mediawiki>\n"
_PAGE = """  <page>
    <title>{title}</title>
    <ns>{namespace}</ns>
    <id>{number}</id>{redirect}
{revisions}  </page>
"""
_REVISION = """    <revision>
      <id>{number}</id>
      <timestamp>{time}</timestamp>
      <model>{model}</model>
      <format>text/x-wiki</format>
      {text}
      <sha1>{sha1}</sha1>
    </revision>
"""


@dataclass(frozen=True)
class Article:
    """A page of a dump.

    Attributes:
        number: Its id.
        title: With the namespace's prefix.
        text: Its wikitext.
        prose: Sentences of it that stand in its text unchanged.
        namespace: Its number.
        redirect: Title of the page it leads to, or empty.
        model: What its text is.
        is_deleted: Whether its text is hidden.
    """

    number: int
    title: str
    text: str
    prose: tuple[str, ...] = ()
    namespace: int = 0
    redirect: str = ""
    model: str = "wikitext"
    is_deleted: bool = False


def read_planted() -> list[dict]:
    """Read the pages whose fate is known."""
    with open(os.path.join(FOLDER, "planted_wiki.yaml"), encoding="utf-8") as source:
        return yaml.safe_load(source)


def articles(wiki: str, dump: str) -> list[Article]:
    """Write all pages of a dump, in the order of their numbers."""
    rules = load_rules(WIKIS[wiki].grammar)
    numbers = range(1, WIKIS[wiki].articles + 1)
    if dump == OLD:
        volume = [_article(wiki, rules, number, f"{dump} {number}") for number in (*REWRITTEN, GONE)]
        return [*volume, _article(wiki, rules, 34, "34")]
    volume = [_article(wiki, rules, number, str(number)) for number in numbers if (wiki, number) != ("dewiki", GONE)]
    return [*volume, *(_planted(entry) for entry in read_planted() if entry["wiki"] == wiki)]


def _planted(entry: dict) -> Article:
    return Article(
        number=entry["id"],
        title=entry["title"],
        text=entry["text"],
        namespace=entry.get("namespace", 0),
        redirect=entry.get("redirect", ""),
        model=entry.get("model", "wikitext"),
        is_deleted=entry.get("damage") == "deleted",
    )


def _article(wiki: str, rules: Rules, number: int, seed: str) -> Article:
    """Write an article: a picture, prose with links and references, a heading, a list, a category."""
    names, word = WIKIS[wiki].names, WIKIS[wiki].word
    voice = Voice(rules, TOPICS[number % len(TOPICS)], seeded("wikis", wiki, seed), {"site": "Wikipedia"})
    title_voice = Voice(rules, TOPICS[number % len(TOPICS)], seeded("titles", wiki, number), {"site": "Wikipedia"})
    title = f"{title_voice.say('title')} ({number})"
    prose = [voice.say("sentence") for _ in range(9)]
    linked = [_with_link(sentence) for sentence in prose]
    lines = [
        f"{{{{Box {number}|a={number}|b={{{{c|{number}}}}}}}}}",
        f"[[{names[6]}:Bild {number}.jpg|{word}|200px|{voice.say('heading')} [[{title}]]]]",
        f"'''{title}'''. {linked[0]} {linked[1]}<ref>{{{{cite|url=http://wiki-{wiki}.example/{number}}}}}</ref>",
        f"{linked[2]} ''{voice.say('heading')}''",
        "",
        f"{linked[3]}<!-- {number} --> {linked[4]}",
        f"== {voice.say('heading')} ==",
        f"{linked[5]} {linked[6]}",
        f"* {linked[7]}",
        f"* {linked[8]}",
        '{| class="wikitable"',
        f"! {number}",
        "|-",
        f"| {number}",
        "|}",
        f"[[{names[14]}:{number}]]",
    ]
    return Article(number, title, "\n".join(lines), tuple(prose))


def _with_link(sentence: str) -> str:
    """Make the longest word a link."""
    word = max(sentence.strip(".").split(), key=len).strip(",:")
    return sentence.replace(word, f"[[{word} (X)|{word}]]", 1)


def write(output: str) -> list[str]:
    """Write all dumps below ``output``, and return their paths."""
    paths = []
    for (dump, wiki), name in FILES.items():
        path = os.path.join(output, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        pages = articles(wiki, dump)
        elements = [_page(page, dump, _history if wiki == "ruwiki" else _once) for page in pages]
        if name.endswith(".7z"):
            _write_archive(path, _whole(wiki, elements))
        else:
            with open(path, "wb") as target:
                target.write(_pack(dump, wiki, elements))
        paths.append(path)
    with open(os.path.join(output, INDEX), "wb") as target:
        target.write(bz2.compress(_index()))
    return [*paths, os.path.join(output, INDEX)]


def _whole(wiki: str, elements: Sequence[str]) -> bytes:
    return (_head(wiki) + "".join(elements) + _TAIL).encode()


def _pack(dump: str, wiki: str, elements: Sequence[str]) -> bytes:
    if wiki == "srwiki":
        return _whole(wiki, elements)
    if wiki == "frwiki":
        data = _whole(wiki, elements)
        return b"".join(bz2.compress(data[at : at + CUT_BYTES]) for at in range(0, len(data), CUT_BYTES))
    if dump == OLD:
        return bz2.compress(_whole(wiki, elements))
    return b"".join(bz2.compress(part.encode()) for part in [_head(wiki), *map("".join, _by_stream(elements)), _TAIL])


def _by_stream(elements: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(elements), PAGES_A_STREAM):
        yield elements[start : start + PAGES_A_STREAM]


def _write_archive(path: str, data: bytes) -> None:
    with py7zr.SevenZipFile(path, "w") as archive:
        archive.writestr(data, os.path.basename(path).removesuffix(".7z"))


def _index() -> bytes:
    """Write where each page's stream begins, as ``offset:id:title``."""
    pages = articles("dewiki", NEW)
    elements = [_page(page, NEW, _once) for page in pages]
    offset, lines = len(bz2.compress(_head("dewiki").encode())), []
    for group, part in zip(_by_stream(pages), _by_stream(elements), strict=True):
        lines += [f"{offset}:{page.number}:{page.title}\n" for page in group]
        offset += len(bz2.compress("".join(part).encode()))
    return "".join(lines).encode()


def _head(wiki: str) -> str:
    rows = [f'      <namespace key="{key}">{name}</namespace>' for key, name in WIKIS[wiki].names.items()]
    return _HEAD.format(language=wiki[:2], wiki=wiki, namespaces="\n".join(rows))


def _page(page: Article, dump: str, revisions: Callable[[Article, str], str]) -> str:
    redirect = f'\n    <redirect title="{escape(page.redirect)}" />' if page.redirect else ""
    return _PAGE.format(
        title=escape(page.title),
        namespace=page.namespace,
        number=page.number,
        redirect=redirect,
        revisions=revisions(page, dump),
    )


def _once(page: Article, dump: str) -> str:
    return _revision(
        page, 1000 + page.number, f"{dump[:4]}-{dump[4:6]}-{1 + page.number % 28:02d}T08:00:00Z", page.text
    )


def _history(page: Article, dump: str) -> str:
    """Write the page as it is between two older states of it."""
    older = [(2014, "Стаб."), (2011, f"{page.text}\n[[Категория:Старое]]")]
    states = [_revision(page, 10 * page.number, f"{year}-01-01T00:00:00Z", text) for year, text in older]
    return states[0] + _once(page, dump) + states[1]


def _revision(page: Article, number: int, time: str, text: str) -> str:
    if page.is_deleted:
        element = '<text deleted="deleted" />'
    elif text:
        element = f'<text bytes="{len(text.encode())}" xml:space="preserve">{escape(text)}</text>'
    else:
        element = '<text bytes="0" />'
    return _REVISION.format(number=number, time=time, model=page.model, text=element, sha1=sha1_of(text))


def main() -> None:
    """Read the command line and write."""
    parser = argparse.ArgumentParser(description="Write the miniature Wikipedias of other languages.")
    parser.add_argument("--output", default=os.path.join(FOLDER, "wikipedia"), help="folder of the dumps")
    write(parser.parse_args().output)


if __name__ == "__main__":
    main()
