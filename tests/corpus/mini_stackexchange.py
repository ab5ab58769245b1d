"""Writes miniature StackExchange dumps: ``python tests/corpus/mini_stackexchange.py [--output DIR]``.

Three sites about the small world of :mod:`mini_grammar`: one as an archive, one as a folder, and a meta site. Most
posts are volume; those of :data:`PLANTED` hold what a reader can get wrong, and tests know what becomes of them. The
same bytes come out on every machine, but for how the archive is packed, which depends on the version of liblzma.
"""

import argparse
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

import py7zr
from mini_grammar import Voice, number, seeded
from mini_pages import load_grammars

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "stackexchange")
KITCHEN, GARDEN = "kitchen.stackexchange.example", "jardin.stackexchange.example"
META = "kitchen.meta.stackexchange.example"
#: Each site's language and topic, and how many questions of volume it has.
SITES = {KITCHEN: ("english", "kitchen", 40), GARDEN: ("french", "garden", 25), META: ("english", "kitchen", 4)}

_HEAD = '\ufeff<?xml version="1.0" encoding="utf-8"?>\r\n<posts>\r\n'
_END = "</posts>"
_BADGES = '\ufeff<?xml version="1.0" encoding="utf-8"?>\r\n<badges>\r\n  <row Id="1" Name="Baker" />\r\n</badges>'
_COMMENTS = '\ufeff<?xml version="1.0" encoding="utf-8"?>\r\n<comments>\r\n  <row Id="1" PostId="1" />\r\n</comments>'
_WRITTEN = 133_500_000_000_000_000  # the time all members of the archive carry, in units of 100 ns since 1601
_MAX_ANSWERS = 5
_FIRST_VOLUME = 1001


@dataclass(frozen=True)
class Post:
    """A row: its attributes as they are before XML takes its part; ``raw`` replaces them where XML must be broken."""

    id: int
    kind: int = 1
    body: str = ""
    title: str = ""
    score: int | str | None = 0
    parent: int | None = None
    tags: str = ""
    deleted: str = ""
    raw: str = ""

    def row(self) -> str:
        """Write the row as the dumps have it."""
        if self.raw:
            return f"  {self.raw}\r\n"
        fields = {
            "Id": self.id,
            "PostTypeId": self.kind,
            "ParentId": self.parent,
            "CreationDate": _created(self.id),
            "DeletionDate": self.deleted or None,
            "Score": self.score,
            "Body": self.body,
            "Title": self.title or None,
            "Tags": self.tags or None,
        }
        given = " ".join(f"{name}={_attribute(str(value))}" for name, value in fields.items() if value is not None)
        return f"  <row {given} />\r\n"


def _created(number: int) -> str:
    return f"2019-{1 + number % 12:02}-{1 + number % 28:02}T12:00:{number % 60:02}.{number % 1000:03}"


def _attribute(value: str) -> str:
    entities = {"\n": "&#xA;", "\r": "&#xD;", "\t": "&#x9;", '"': "&quot;"}
    return quoteattr(value, entities)


CODE = (
    "<pre><code>for loaf in loaves:\n"
    "    if loaf.weight &lt; 500 &amp;&amp; loaf.is_done:\n"
    "        take_out(loaf)\n"
    "</code></pre>"
)
LISTS = (
    "<p>Three steps:</p>\n\n<ol>\n<li>Flour:\n\n<ul>\n<li>rye</li>\n<li>wheat</li>\n</ul></li>\n<li>Water</li>\n"
    '</ol>\n\n<p>Then:</p>\n\n<ol start="3">\n<li><p>Salt.</p>\n\n<p>Not much.</p></li>\n</ol>'
)
TABLE = (
    "<table><thead><tr><th>flour</th><th>grams</th></tr></thead>"
    "<tbody><tr><td>rye</td><td>500</td></tr></tbody></table>"
)
PLANTED = {
    KITCHEN: (
        Post(12, 2, "<p>Twelve comes before its question.</p>", score=3, parent=20),
        Post(
            1,
            title="Why do 9, 10, 100 and -1 not stand in the order of their digits?",
            body="<p>They are numbers.</p>",
            score=7,
            tags="<numbers><order>",
        ),
        Post(2, 2, "<p>Nine.</p>", score=9, parent=1),
        Post(3, 2, "<p>Ten, the first.</p>", score=10, parent=1),
        Post(4, 2, "<p>A hundred.</p>", score=100, parent=1),
        Post(5, 2, "<p>Less than nothing.</p>", score=-1, parent=1),
        Post(6, 2, "<p>Ten, the second.</p>", score=10, parent=1),
        Post(7, 2, "<p>Nobody asked.</p>", score=1, parent=999),
        Post(8, title="A deleted question", body="<p>Gone.</p>", deleted="2020-01-01T00:00:00.000"),
        Post(9, 5, "<p>A tag's description.</p>"),
        Post(10, 4, ""),
        Post(11, 7, "<p>Wiki.</p>"),
        Post(20, title="Which answers come first?", body="<p>Those with a smaller number.</p>", tags="|order|"),
        Post(21, title="How do I   take loaves out?", body=f"<p>With code:</p>\n\n{CODE}\n\n<p>Is it right?</p>"),
        Post(22, 2, f"{LISTS}\n\n<p>And <code>&amp;lt;</code> is not <code>&lt;</code>.</p>", score=2, parent=21),
        Post(23, 2, '<p><img src="loaf.png" alt="enter image description here"></p>', score=5, parent=21),
        Post(24, title="", body="<p> </p>"),
        Post(25, 2, "<p>To a question without a word.</p>", parent=24),
        Post(26, raw='<row Id="26" PostTypeId="1" Score="1" Title="Broken & bare" Body="&lt;p&gt;x&lt;/p&gt;" />'),
        Post(27, 2, "<p>No score.</p>", parent=20, score=None),
        Post(28, 2, "<p>A score that is none.</p>", parent=20, score="many"),
        Post(
            29,
            title="How much is $a &lt; b$ & <b>more</b>?",
            body=f"<h2>Sizes</h2>\n<p>10<sup>6</sup> grams, $\\frac{{a}}{{b}} &lt; c$, "
            f"press <kbd>Ctrl</kbd>.<br>\r\nNext line.</p>\n<hr>\n{TABLE}\n"
            '<blockquote class="spoiler"><p>It is <em>rye</em>.</p><p>Truly.</p></blockquote>',
            score=-3,
        ),
    ),
    GARDEN: (Post(1, title="À quoi sert l’été ?", body="<p>« À rien&nbsp;! »</p>", tags="<été><jardin>"),),
    META: (),
}


def volume(site: str) -> Iterator[Post]:
    """Write a site's questions, each followed by its answers."""
    language, topic, questions = SITES[site]
    rules = load_grammars()[language]
    identity = _FIRST_VOLUME
    for question in range(questions):
        random = seeded("stackexchange", site, question)
        voice = Voice(rules, topic, random)
        title = voice.say("sentence").rstrip(".。") + "?"
        tags = "".join(f"<{topic}-{number(random, 1, 9)}>" for _ in range(number(random, 1, 3)))
        yield Post(identity, title=title, body=_body(voice), score=number(random, -2, 30), tags=tags)
        parent, identity = identity, identity + 1
        for _ in range(number(random, 0, _MAX_ANSWERS)):
            yield Post(identity, 2, _body(voice), score=number(random, -3, 15), parent=parent)
            identity += 1


def _body(voice: Voice) -> str:
    """Write a post: paragraphs, and at times a list or a quotation."""
    blocks = [f"<p>{voice.say('sentence')} {voice.say('sentence')}</p>" for _ in range(number(voice.random, 1, 3))]
    kind = number(voice.random, 0, 5)
    if kind == 0:
        items = "".join(f"<li>{voice.say('sentence')}</li>\n" for _ in range(3))
        blocks.insert(1, f"<ul>\n{items}</ul>")
    if kind == 1:
        blocks.insert(0, f"<blockquote>\n  <p>{voice.say('sentence')}</p>\n</blockquote>")
    return "\n\n".join(blocks) + "\n"


def posts(site: str) -> list[Post]:
    """List a site's posts in the order of its file."""
    return [*PLANTED[site], *volume(site)]


def posts_xml(site: str) -> bytes:
    """Write a site's ``Posts.xml``."""
    return (_HEAD + "".join(post.row() for post in posts(site)) + _END).encode()


def pack(members: dict[str, bytes]) -> bytes:
    """Pack members into an archive that carries no time of its making."""
    sink = io.BytesIO()
    with py7zr.SevenZipFile(sink, "w") as archive:
        for name, content in members.items():
            archive.writestr(content, name)
        for entry in archive.header.files_info.files:
            for time in ("creationtime", "lastwritetime", "lastaccesstime"):
                entry[time] = py7zr.helpers.ArchiveTimestamp(_WRITTEN)
    return sink.getvalue()


def files() -> dict[str, bytes]:
    """Give the content of each file by its path."""
    return {
        f"{KITCHEN}.7z": pack({"Badges.xml": _BADGES.encode(), "Posts.xml": posts_xml(KITCHEN)}),
        f"{GARDEN}/Posts.xml": posts_xml(GARDEN),
        f"{GARDEN}/Comments.xml": _COMMENTS.encode(),
        f"{META}/Posts.xml": posts_xml(META),
    }


def write(folder: str) -> None:
    """Write the dumps into a folder."""
    for name, content in files().items():
        path = os.path.join(folder, *name.split("/"))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as stream:
            stream.write(content)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", default=FOLDER)
    write(parser.parse_args().output)
