"""The HTML of posts as text: shape, code, lists, quotations, entities; and what is hostile."""

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.post_html import PostText, find_leftovers, post_to_text
from pipeline.document import Document
from pipeline.sources.stackexchange_posts import read_posts


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<p>One.</p>\n\n<p>Two.</p>", "One.\n\nTwo."),
        ("no tag at all", "no tag at all"),
        ("<p>a\nb   c\t d</p>", "a b c d"),
        ("<p>a<br>b<br />\nc<br><br>d</p>", "a\nb\nc\n\nd"),
        ("a<hr>b", "a\n\nb"),
        ("<h1>Head</h1>text", "Head\n\ntext"),
        ("<p>See <a href=\"http://x.y/?a=1&amp;b=2\" title='>'>the page</a>, <em>now</em>.</p>", "See the page, now."),
        ('<p>x <img src="a.png" alt="enter image description here"> y</p>', "x y"),
        ("<p>Press <kbd>Ctrl</kbd>+<kbd>C</kbd>.</p>", "Press Ctrl+C."),
        ("10<sup>6</sup>, 2<sup>-n</sup>, x<sup>2</sup>, (a)<sup>2</sup>", "10^6, 2^-n, x^2, (a)^2"),
        ("1<sup>st</sup>, 1<sup>e</sup>, n<sup>th</sup>, XIX<sup>ème</sup>", "1st, 1e, nth, XIXème"),
        ("so<sup>1</sup>, end.<sup>2</sup> « x »<sup>12</sup>", "so^1, end.^2 « x »^12"),
        ("cm<sup>2</sup>, sin<sup>2</sup> x, both<sup>1, 2</sup>", "cm^2, sin^2 x, both^1, 2"),
        ('so<sup><a href="#n">1</a></sup>, <a href="#">so</a><sup>[2]</sup>, so<sup>*</sup>', "so^1, so[2], so*"),
        ('(CBM)<sup><a href="x">2001</a></sup>, (x)<sup><em>2</em></sup>', "(CBM) 2001, (x)^2"),
        ('legs.<sup><a href="x">2015</a></sup>, as<sup><em>Werbos</em></sup>', "legs. 2015, as Werbos"),
        ("the <sup>14</sup>C, (<sup>14</sup>C), Ca<sup>2+</sup>, +<sup>3</sup>He", "the 14C, (14C), Ca2+, +3He"),
        ("<p><sup>1</sup>Actually not.</p><p><sup>14</sup>C</p>", "1 Actually not.\n\n14C"),
        ("H<sub>2</sub>O", "H2O"),
        ("learning<sup>wiki</sup>, M<sup>lle</sup>, 2<sup>nde</sup>", "learning wiki, Mlle, 2nde"),
        ("<p>a &lt; b &amp; c &gt; d</p>", "a < b & c > d"),
        ("&amp;lt;b&amp;gt; &amp;amp;", "&lt;b&gt; &amp;"),
        ("caf&eacute; &#171;&nbsp;x&#160;&#xbb; &#x2007;", "café «\u00a0x\u00a0» \u2007"),
        ("&#xD800;&#0;&#1;&#x110000;", "\ufffd\ufffd\ufffd"),
        ("$a<b$ and $c>d$, write to <me@here.example>", "$a<b$ and $c>d$, write to <me@here.example>"),
        ("$a_{ij} &lt; \\frac{1}{2}$ and $$x^2$$", "$a_{ij} < \\frac{1}{2}$ and $$x^2$$"),
        ("<p>a</p><!-- begin snippet: js hide: <false> --><p>b</p>", "a\n\nb"),
        ("a<script>if (a < b) { x('<p>') }</script>b<style>p {}</style>c", "abc"),
        ("if a < b and b > c, <3 and <- too", "if a < b and b > c, <3 and <- too"),
        ("<p title=it's>x</p>", "x"),
        ("<P>a</P><BR/>b", "a\n\nb"),
        ("<o:p>a</o:p><foo-bar>b</foo-bar></>c<!doctype html><?xml ?>d", "abcd"),
        ("a\r\nb\rc", "a b c"),
        ("", ""),
        ("<p> \n </p>", ""),
    ],
)
def test_tags_go_and_the_shape_of_the_text_stays(source: str, text: str) -> None:
    assert post_to_text(source).text == text


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<ul>\n<li>a</li>\n<li>b</li>\n</ul>", "- a\n- b"),
        ("<p>x</p>\n<ol>\n<li>a</li>\n<li>b</li>\n</ol>\n<p>y</p>", "x\n\n1. a\n2. b\n\ny"),
        ('<ol start="9"><li>a</li><li>b</li></ol>', "9. a\n10. b"),
        ("<ul><li>a<ul><li>b<ol><li>c</li></ol></li></ul></li><li>d</li></ul>", "- a\n  - b\n    1. c\n- d"),
        ("<ul><li><p>a</p>\n<p>b</p></li>\n<li><p>c</p></li></ul>", "- a\n\n  b\n\n- c"),
        ("<ul><li>a<li>b</ul>c", "- a\n- b\n\nc"),
        ("<ul><li>a<br>b</li></ul>", "- a\n  b"),
        ("<ul><li></li><li>b</li></ul>", "- b"),
        ("<li>a</li>", "- a"),
        ("<ol><li>a<pre><code>x\n  y\n</code></pre></li><li>b</li></ol>", "1. a\n\n   x\n     y\n\n2. b"),
        ("<p>x</p><blockquote><p>a</p><p>b</p></blockquote><p>y</p>", "x\n\n> a\n>\n> b\n\ny"),
        ("<blockquote>a<blockquote>b</blockquote></blockquote>", "> a\n>\n> > b"),
        ("<blockquote><ul><li>a</li></ul></blockquote><blockquote>b</blockquote>", "> - a\n\n> b"),
        ("<blockquote><pre><code>x\n\n y</code></pre></blockquote>", "> x\n> \n>  y"),
        ('<blockquote class="spoiler"><p>a</p></blockquote>', "> a"),
        ("</ul></li></blockquote>a", "a"),
        ("<dl><dt>word</dt><dd>meaning</dd></dl>", "word\nmeaning"),
        (
            "<table><thead><tr><th>a</th><th>b</th></tr></thead>\n<tr><td>1</td><td></td><td>3</td></tr></table>x",
            "a | b\n1 | | 3\n\nx",
        ),
    ],
)
def test_lists_quotations_and_tables_look_as_they_are_typed(source: str, text: str) -> None:
    assert post_to_text(source).text == text


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<p>So\n$$\n  a &lt; b\\\\\nc\n$$\nholds\ntrue.</p>", "So\n$$\na < b\\\\\nc\n$$\nholds true."),
        ("<p>so $$a\nb$$ is</p>", "so $$a\nb$$ is"),
        ("<p>where\n$$x^2$$\nis</p>", "where $$x^2$$ is"),
        (
            "<blockquote><p>\\begin{align}\na &amp;= \\begin{matrix}\n1\n\\end{matrix}\n\\end{align}</p></blockquote>",
            "> \\begin{align}\n> a &= \\begin{matrix}\n> 1\n> \\end{matrix}\n> \\end{align}",
        ),
        ("<li>$$\na\n$$</li>", "- $$\n  a\n  $$"),
        ("<p>kill $$\nand go\non</p>", "kill $$ and go on"),
        ("<p>\\begin{a}\nb</p>\n<p>\\end{a}\nb</p>", "\\begin{a} b\n\n\\end{a} b"),
    ],
)
def test_mathematics_over_several_lines_keeps_them(source: str, text: str) -> None:
    assert post_to_text(source).text == text


@pytest.mark.parametrize(
    ("source", "opens_block"),
    [
        ("<pre><code>x = 1\ny = 2</code></pre><p>a</p>", True),
        ("<ul><li>a</li></ul>", True),
        ("<blockquote>a</blockquote>", True),
        ("<table><tr><td>a</td></tr></table>", True),
        ("<p><code>x</code> is it</p><pre>y</pre>", False),
        ("<p>- a</p>", False),
        ("<pre> </pre><p>a</p>", False),
        ("<blockquote></blockquote><h1>a</h1>", False),
        ("", False),
    ],
)
def test_a_text_tells_whether_it_opens_with_more_than_words(source: str, opens_block: bool) -> None:
    assert post_to_text(source).opens_block == opens_block


def test_code_keeps_brackets_indentation_and_line_ends() -> None:
    source = (
        "<p>So:</p>\n\n<pre><code>\n    if (a &lt; b &amp;&amp; c &gt; 0)\n\n\t<span class='x'>return</span>"
        "  &amp;lt;\n  \n</code></pre>\n\n<p>Done.</p>"
    )
    post = post_to_text(source)
    code = "    if (a < b && c > 0)\n\n\treturn  &lt;"
    assert post.text == f"So:\n\n{code}\n\nDone."
    assert [post.text[start:end] for start, end in post.protected] == [code]


def test_code_in_a_line_keeps_its_spaces_and_brackets() -> None:
    post = post_to_text("<p>The tag <code>&lt;p  a&gt;</code>is <code>a\nb</code> .</p>")
    assert post.text == "The tag <p  a>is a b ."
    assert [post.text[start:end] for start, end in post.protected] == ["<p  a>", "a b"]


def test_code_that_is_not_closed_ends_with_its_paragraph_or_the_post() -> None:
    assert post_to_text("<p><code>a  b</p><p>c  d</p>").text == "a  b\n\nc d"
    assert post_to_text("<pre><code>a  b<p>c  d").text == "a  bc  d"


def test_what_the_author_wrote_as_text_is_no_leftover_and_what_a_tag_left_is() -> None:
    assert find_leftovers(post_to_text("<p>Use &lt;b&gt; or <code>&lt;!-- --&gt;</code>, &amp;nbsp; too.</p>")) == []
    found = find_leftovers(PostText("a <b>b</b> <!-- c &nbsp; <p>", ((22, 40),)))
    assert [(leftover.kind, leftover.start) for leftover in found] == [
        ("html_tag", 2),
        ("html_tag", 6),
        ("html_comment", 11),
        ("html_entity", 18),
    ]


HOSTILE = {
    "brackets": "<" * 1_000_000,
    "deep": "<div>" * 100_000 + "x",
    "deep quotations": "<blockquote>x" * 50_000,
    "deep lists": "<ul><li>a" * 50_000 + "</li>" * 50_000,
    "closed in vain": "<li>" + "<ul>" * 100_000 + "</ol>" * 100_000,
    "quotes": '<a "' * 250_000,
    "quotes of two kinds": "<a \"'" * 200_000,
    "values that do not end": '<a b="' * 160_000,
    "comments": "<!--" * 250_000,
    "scripts": "<script>" * 120_000,
    "ampersands": "&" * 1_000_000,
    "entities": "&amp" * 250_000,
    "blank code": "<pre>" + " \n" * 500_000 + "x</pre>",
    "powers": "2<sup>2" * 140_000,
    "raised links": "so<sup><a x" * 90_000,
    "raised numbers": "so<sup>1" + ",1" * 400_000,
    "dollars": "$$\n" * 300_000,
    "beginnings": "\\begin{a}\n" * 90_000,
    "ends": "\\begin{\\end{\n" * 80_000,
    "pre": "<pre>" * 200_000,
    "code": "<code>" * 160_000 + "x",
    "a name": "<" + "a" * 1_000_000,
    "cells": "<tr>" + "<td>x" * 100_000,
    "numbers": '<ol start="999999999">' + "<li>a" * 50_000,
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.timeout(20)
def test_hostile_html_is_read_in_linear_time_into_linear_text(name: str) -> None:
    post = post_to_text(HOSTILE[name])
    assert len(post.text) <= 60 * len(HOSTILE[name])
    find_leftovers(post)


BLOCKS = ["p", "pre", "ul", "ol", "li", "blockquote", "td", "tr", "table"]
TAGS = st.sampled_from(
    [*BLOCKS, *(f"/{name}" for name in BLOCKS), "code", "/code", "a", "sup", "/sup", "br", "!--", "h1"]
)
PIECES = st.one_of(
    TAGS.map(lambda tag: f"<{tag}>"),
    st.text(alphabet="ab &;<>\"'\n\t#x1lt-/!=", max_size=8),
    st.sampled_from(["&lt;", "&amp;amp;", "&#x41;", "&nbsp;", "<a href='", 'x="', "-->"]),
)


@given(st.lists(PIECES, max_size=40).map("".join))
def test_any_html_gives_text_whose_spans_lie_in_it_and_nothing_is_left(source: str) -> None:
    post = post_to_text(source)
    assert post == post_to_text(source)
    assert not post.text.startswith("\n")
    assert not post.text.endswith("\n")
    assert "\r" not in post.text
    edges = [edge for span in post.protected for edge in span]
    assert edges == sorted(edges)
    assert all(0 <= edge <= len(post.text) for edge in edges)


@given(st.lists(st.text(alphabet="abc<&>\"' \n\t", max_size=20), max_size=5))
def test_code_comes_out_as_it_went_in(lines: list[str]) -> None:
    code = "x" + "\n".join(lines) + "x"
    escaped = code.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    post = post_to_text(f"<p>a</p><pre><code>{escaped}\n</code></pre><p>b</p>")
    assert post.text == f"a\n\n{code}\n\nb"


@given(st.lists(st.text(alphabet="ab", min_size=1, max_size=5), min_size=1, max_size=6))
def test_words_of_text_survive_in_their_order(words: list[str]) -> None:
    for tag in ("p", "li", "blockquote", "td", "h2", "em"):
        source = " ".join(f"<{tag}>{word}</{tag}>" for word in words)
        assert re.findall(r"[ab]+", post_to_text(source).text) == words


def letters(text: str) -> str:
    return "".join(re.findall(r"[^\W\d_]", text))


def test_real_posts_leave_no_tag_and_lose_no_letter(real_data) -> None:
    count = 0
    for file in sorted((real_data / "stackexchange").glob("*/Posts.xml")):
        with file.open("rb") as stream:
            posts = [post for post, _ in read_posts(stream, site="a.example", dump="D") if isinstance(post, Document)]
        for post in posts:
            found = post_to_text(post.text)
            assert find_leftovers(found) == []
            assert letters(found.text) == letters(html.unescape(re.sub(r"<[^>]*>", "", post.text)))
        count += len(posts)
    assert count == 1170 + 1528 + 2235 + 761
