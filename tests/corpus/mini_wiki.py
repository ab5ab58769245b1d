"""Writes the miniature Wikipedia dump: ``python tests/corpus/mini_wiki.py [--output DIR]``.

Articles in the words of the English grammar cite the miniature crawl: every page of its English sites on some topics,
and none of the sites on others, so that a classifier has something to tell apart. The citations take turns in all the
forms that editors use, and name pages by spellings that differ from the crawl's. Some addresses are in no crawl. What
must not count, stands by: URLs in comments, in ``<nowiki>``, in names of references, on a talk page and in a template.

The file is laid out as Wikimedia's multistream dumps are: a bzip2 stream for the head, one for each few pages, and one
for the end. bzip2 has been giving the same bytes since 1.0.
"""

import argparse
import bz2
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from xml.sax.saxutils import escape

from generate import FOLDER, volume_pages
from mini_grammar import Voice, seeded
from mini_pages import TOPICS, Page, load_grammars

FILE = "enwiki-20200101-pages-articles-multistream.xml.bz2"
CITED_TOPICS = ("sky", "past", "music", "sea", "bird", "health")
ARTICLES = 40
PAGES_A_STREAM = 9
ELSEWHERE = "http://library-{0}.example/find?shelf={0}&lang=en"
#: Addresses that no one may take for cited.
DECOYS = "http://decoy.example/{}"
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_NAMESPACES = {-2: "Media", -1: "Special", 0: "", 1: "Talk", 2: "User", 4: "Wikipedia", 6: "File", 10: "Template"}
_HEAD = """<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.10/" version="0.10" xml:lang="en">
  <siteinfo>
    <sitename>Wikipedia</sitename>
    <dbname>enwiki</dbname>
    <base>https://en.wikipedia.example/wiki/Main_Page</base>
    <generator>llama-corpus miniature dump</generator>
    <case>first-letter</case>
    <namespaces>
{namespaces}
    </namespaces>
  </siteinfo>
"""
_PAGE = """  <page>
    <title>{title}</title>
    <ns>{namespace}</ns>
    <id>{number}</id>{redirect}
    <revision>
      <id>{revision}</id>
      <timestamp>2019-12-{day:02d}T08:{minute:02d}:00Z</timestamp>
      <contributor>
        <username>Nobody</username>
        <id>{revision}</id>
      </contributor>
      <comment>a &lt;ref&gt;http://decoy.example/comment&lt;/ref&gt; more</comment>
      <model>wikitext</model>
      <format>text/x-wiki</format>
      <text bytes="{size}" xml:space="preserve">{text}</text>
      <sha1>{sha1}</sha1>
    </revision>
  </page>
"""
#: How editors cite: ``{url}``, its part behind the scheme, and a number that is unique on the page.
_FORMS = (
    "<ref>[{url} {title}]</ref>",
    '<ref name="source {n}">{{{{cite web |url={url} |title={title} |date=3 May}}}}</ref><ref name="source {n}" />',
    "<ref group=note name=n{n}>\n{{{{Cite news\n| url    = {url}\n| archiveurl = https://web.archive.org/web/2019/{url}\n}}}}\n</ref>",
    "<REF>{title}, {url}.</REF>",
    "\n* [{url} {title}]\n",
    "; see {url}, too",
    "<ref>{{{{citation | title = {{{{lang|fr|mot}}}} | chapter-url = {url}}}}}</ref>",
    " [//{rest} ''{title}'']",
    "{{{{efn|Another account.<ref>{{{{cite book|title={title}|URL={url}}}}}</ref>}}}}",
    "\n* {{{{official website|{url}}}}}\n",
    "<ref>{{{{webarchive|url=https://web.archive.org/web/20190801/{url}|date=2019-08-01}}}}</ref>",
    " (from {url})",
    "{{{{#tag:ref|{title}, ''{url}''|name=t{n}}}}}",
    '<ref name="list {n}"/>',
)
_LISTED = '<ref name="list {n}">{{{{Internetquelle|url={url}|titel={title}}}}}</ref>\n'
#: How a page's address is spelled by whoever cites it.
_SPELLINGS: tuple[Callable[[str], str], ...] = (
    str,
    lambda url: url.replace("http://", "https://"),
    lambda url: url.replace("http://", "http://www."),
    lambda url: f"{url}#part-2",
    str,
    lambda url: f"{url}/",
    lambda url: url.replace("http://", "HTTP://"),
)


@dataclass(frozen=True)
class Article:
    """A page of the dump.

    Attributes:
        title: With the namespace's prefix.
        text: Its wikitext.
        cites: Addresses it cites as the crawl spells them, and those in no crawl; in order of the text.
        namespace: Its number.
        redirect: Title of the page it leads to, or empty.
    """

    title: str
    text: str
    cites: tuple[str, ...] = ()
    namespace: int = 0
    redirect: str = ""


def cited_pages() -> list[Page]:
    """List the crawl's pages that the dump cites, by site."""
    return [page for page in volume_pages() if page.language == "eng" and page.url.split("/")[3] in CITED_TOPICS]


def articles() -> list[Article]:
    """Write all pages of the dump."""
    pages = sorted(cited_pages(), key=lambda page: hashlib.sha256(page.key.encode()).digest())
    written = [_article(number, [page.url for page in pages[number::ARTICLES]]) for number in range(ARTICLES)]
    others = [
        Article(f"{written[0].title} (subject)", f"#REDIRECT [[{written[0].title}]]", redirect=written[0].title),
        Article(
            "Older name", f"#redirect [[{written[1].title}#History]]\n\n{{{{R from move}}}}", redirect=written[1].title
        ),
        Article(f"Talk:{written[2].title}", f"I doubt it: <ref>{DECOYS.format('talk')}</ref> ~~~~", namespace=1),
        Article("Template:R from move", f"[{DECOYS.format('template')} {{{{{{1|}}}}}}]", namespace=10),
    ]
    return [*written[:20], *others, *written[20:]]


def write(output: str) -> str:
    """Write the dump below ``output``, and return its path."""
    os.makedirs(output, exist_ok=True)
    path = os.path.join(output, FILE)
    elements = [_page(number, article) for number, article in enumerate(articles(), 11)]
    streams = [elements[start : start + PAGES_A_STREAM] for start in range(0, len(elements), PAGES_A_STREAM)]
    parts = [_head(), *map("".join, streams), "</mediawiki>\n"]
    with open(path, "wb") as target:
        target.writelines(bz2.compress(part.encode()) for part in parts)
    return path


def _article(number: int, urls: list[str]) -> Article:
    """Write an article that cites ``urls`` and an address that is in no crawl."""
    topic = TOPICS[number % len(TOPICS)]
    voice = Voice(load_grammars()["english"], topic, seeded("wiki", number), {"site": "Wikipedia"})
    cites = [*urls, ELSEWHERE.format(number)]
    title = f"{voice.say('title')} {number}"
    lines = [f"'''{title}''' <!-- once {DECOYS.format('comment')} --> is a matter of [[{topic}|{topic}s]].", ""]
    listed, order, behind = "", [], []
    for place, url in enumerate(cites):
        turn = number + place
        spelled = url.replace("&", "&amp;") if "?" in url else _SPELLINGS[turn % len(_SPELLINGS)](url)
        slots = {"url": spelled, "rest": spelled.split("//", 1)[1], "n": place, "title": voice.say("heading")}
        form = _FORMS[turn % len(_FORMS)]
        if form == _FORMS[-1]:
            listed += _LISTED.format(**slots)
            behind.append(url)
        else:
            order.append(url)
        lines.append(f"{voice.say('sentence')}{form.format(**slots)} {voice.say('sentence')}")
    lines += [f"<nowiki>[{DECOYS.format('nowiki')}]</nowiki><ref name='{DECOYS.format('name')}'/>", ""]
    lines += ["== References ==", "{{reflist|refs=", f"{listed}}}}}", "", f"[[Category:{topic}]]"]
    return Article(title, "\n".join(lines), (*order, *behind))


def _head() -> str:
    rows = [
        f'      <namespace key="{key}" case="first-letter">{name}</namespace>'
        if name
        else f'      <namespace key="{key}" case="first-letter" />'
        for key, name in _NAMESPACES.items()
    ]
    return _HEAD.format(namespaces="\n".join(rows))


def _page(number: int, article: Article) -> str:
    encoded = article.text.encode()
    redirect = f'\n    <redirect title="{escape(article.redirect)}" />' if article.redirect else ""
    return _PAGE.format(
        title=escape(article.title),
        namespace=article.namespace,
        number=number,
        redirect=redirect,
        revision=1000 + number,
        day=1 + number % 28,
        minute=number % 60,
        size=len(encoded),
        text=escape(article.text, {'"': "&quot;"}),
        sha1=sha1_of(article.text),
    )


def sha1_of(text: str) -> str:
    """Give a text's SHA-1 as dumps have it, in base 36."""
    value, digits = int(hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest(), 16), ""
    while value:
        value, digit = divmod(value, 36)
        digits = _DIGITS[digit] + digits
    return digits.rjust(31, "0")


def main() -> None:
    """Read the command line and write."""
    parser = argparse.ArgumentParser(description="Write the miniature Wikipedia dump.")
    parser.add_argument("--output", default=os.path.join(FOLDER, "wikipedia"), help="folder of the dump")
    write(parser.parse_args().output)


if __name__ == "__main__":
    main()
