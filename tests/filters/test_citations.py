"""Which URLs a page cites, in every form editors write, and where each URL ends."""

import random
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.citations import MAX_URL_CHARS, blank_unparsed, cited_urls, reference_spans

URL = "http://example.org/a"


@pytest.mark.parametrize(
    "text",
    [
        "<ref>http://example.org/a</ref>",
        "<ref>[http://example.org/a Title]</ref>",
        "<ref name=x>http://example.org/a</ref>",
        '<ref name="x y" group="note">[http://example.org/a]</ref>',
        "<REF NAME='x'>http://example.org/a</Ref >",
        "<ref\nname=x\n>\nhttp://example.org/a\n</ref>",
        "<ref>{{cite web |url=http://example.org/a |title=T}}</ref>",
        "<ref>{{cite web\n| title = {{lang|fr|{{small|T}}}}\n| url   =   http://example.org/a\n}}</ref>",
        "<ref>{{Internetquelle|titel=T|url=http://example.org/a}}</ref>",
        "<ref>{{Lien web|URL=http://example.org/a}}</ref>",
        "<ref>{{cite book|chapter-url=http://example.org/a|title=T}}</ref>",
        "<ref>{{Cita web|urlarchivo=http://example.org/a}}</ref>",
        "<ref>{{Книга|ссылка=http://example.org/a}}</ref>",
        "<ref>{{webarchive|url=http://example.org/a|date=2019}}</ref>",
        "{{#tag:ref|T http://example.org/a, p. 3|name=x}}",
        "{{refn|group=n|[http://example.org/a T]}}",
        "{{efn|A <ref name=x/> {{lang|fr|b}} [http://example.org/a T]}}",
        "{{reflist|refs=\n<ref name=x>[http://example.org/a T]</ref>\n}}",
        "<references><ref name=x>http://example.org/a</ref></references>",
        "<ref>http://example.org/a",
    ],
)
def test_a_reference_is_found_in_every_form(text) -> None:
    assert cited_urls(f"Before. {text} ") == [URL]
    assert cited_urls(f"Before. {text} ", refs_only=True) == [URL]


@pytest.mark.parametrize(
    "text",
    [
        "* [http://example.org/a Title]",
        "[http://example.org/a]",
        "[[http://example.org/a Title]]",
        "See http://example.org/a for more.",
        "{{official website|http://example.org/a}}",
        "{{URL|1=http://example.org/a}}",
        "| website = http://example.org/a\n| x = y",
        "{{cite book|title=T|url=http://example.org/a}}",
        "The value n <m holds. [http://example.org/a A] and then > 5",
        "<a href='http://example.org/a'>",
        "<ref name=x/> http://example.org/a <ref name=y />",
        "''http://example.org/a''",
        "'''[http://example.org/a T]'''",
        '<span title="x">http://example.org/a</span>',
        "<http://example.org/a>",
        "参照http://example.org/a 。",
        "[[File:a.png|link=http://example.org/a|T]]",
        "{|\n|-\n| http://example.org/a || b\n|http://example.org/a|| b\n|}",
    ],
)
def test_a_link_outside_of_references_counts_unless_only_references_are_wanted(text) -> None:
    assert cited_urls(text) == [URL]
    assert cited_urls(text, refs_only=True) == []


@pytest.mark.parametrize(
    "text",
    [
        "<!-- http://example.org/a -->",
        "<!-- <ref>[http://example.org/a]</ref>",
        "<nowiki>http://example.org/a</nowiki>",
        "<NoWiki >[http://example.org/a]</nowiki\n>",
        "<pre style='x'>http://example.org/a</pre>",
        "<syntaxhighlight lang=c>http://example.org/a</syntaxhighlight>",
        "<source>http://example.org/a</source>",
        *(
            f"<{tag}>http://example.org/a</{tag}>"
            for tag in (
                "math",
                "chem",
                "ce",
                "score",
                "timeline",
                "graph",
                "mapframe",
                "maplink",
                "templatedata",
                "hiero",
            )
        ),
        "{{x|url=http://example.org/a{{#if:b|c|d}}}}",
        "{{x|url = http://example.org/{{urlencode:a}} }}",
        "{{x|http://example.org/{{{1}}}}}",
        "[http://example.org/a?b={{PAGENAME}} c]",
        "{{x|url=http://example.org/a[[b]]}}",
        "x=http://example.org/a[1] b",
        "<nowiki><!-- </nowiki><!-- http://example.org/a </nowiki> -->",
        '<ref name="http://example.org/a" />',
        '<ref name="http://example.org/a">Miller</ref>',
        "<span title='http://example.org/a'>x</span>",
        "ftp://example.org/a",
        "[ftp://example.org/a x]",
        "xhttp://example.org/a",
        "//example.org/a",
        "a // example.org or //example.org/a {{x|y=1//2.0}}",
        "{{official website|example.org/a}}",
        "[example.org/a x]",
        "http://localhost/a",
        "http:// example.org",
        "http:///example.org",
        "http://example.",
        "[mailto:a@example.org x]",
        "http:example.org",
        "[[example.org]]",
    ],
)
def test_what_is_no_link_does_not_count(text) -> None:
    assert cited_urls(text) == []


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("[//example.org/a x]", ["https://example.org/a"]),
        ("{{cite web|archive-url=//example.org/a|x=y}}", ["https://example.org/a"]),
        ("{{cite web|url = //example.org/a }}", ["https://example.org/a"]),
        ("{{cite web|url = //example.org/a b}}", []),
        ("{{cite web|url=" + " " * 19 + "//example.org/a}}", ["https://example.org/a"]),
        ("{{cite web|url=" + " " * 20 + "//example.org/a}}", []),
        ("{{cite web|url=//example.org/a" + " " * 99 + "}}", ["https://example.org/a"]),
        ("{{cite web|url=//example.org/a" + " " * 100 + "}}", []),
        ("{{cite web|url=http://example.org/a?b[]=c|x=y}}", ["http://example.org/a?b%5B%5D=c"]),
        (
            "{{cite web|url=http://example.org/a?b[c]=http://d.org&e[1]=2\n}}",
            ["http://example.org/a?b%5Bc%5D=http://d.org&e%5B1%5D=2"],
        ),
        ("{{cite web|url=http://example.org/a{{dead link}}|archive-url=http://b.org/a}}", ["http://b.org/a"]),
        ("|http://example.org/a{{!}}{{!}} b", ["http://example.org/a"]),
        ("HTTPS://Example.org/A", ["HTTPS://Example.org/A"]),
        ("http://example.org", ["http://example.org"]),
        ("http://192.0.2.7:8080/a?b#c", ["http://192.0.2.7:8080/a?b#c"]),
        ("http://me:pw@example.org/a", ["http://me:pw@example.org/a"]),
        ("http://bücher.example/ä", ["http://bücher.example/ä"]),
        ("http://例え.テスト/", ["http://例え.テスト/"]),
    ],
)
def test_the_address_itself_may_take_many_forms(text, urls) -> None:
    assert cited_urls(text) == urls


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("[http://example.org/a<ref/>", ""),
        ("http://example.org/a.", ""),
        ("http://example.org/a, and", ""),
        ("http://example.org/a?!", ""),
        ("http://example.org/a;:'", ""),
        ("(http://example.org/a)", ""),
        ("(see http://example.org/a).", ""),
        ("http://example.org/a_(b)", "_(b)"),
        ("(http://example.org/a_(b)).", "_(b)"),
        ("[http://example.org/a. x]", "."),
        ("[http://example.org/a_(b x]", "_(b"),
        ("{{cite web|url=http://example.org/a.|x=y}}", "."),
        ("{{cite web|url=http://example.org/a)\n}}", ")"),
        ("{{cite web|x=http://example.org/a, 2012|y=z}}", ""),
        ("http://example.org/a\tb", ""),
        ("http://example.org/a\u00a0b", ""),
        ("http://example.org/a\u3000b", ""),
        ("http://example.org/a\u200b b", ""),
        ("[http://example.org/a''b'']", ""),
        ("http://example.org/a'b c", "'b"),
        ('http://example.org/a"b', ""),
        ("http://example.org/a]b", ""),
        ("http://example.org/a[b]", ""),
        ("http://example.org/a|b", ""),
        ("{{x|http://example.org/a}}b", ""),
        ("http://example.org/a{{dead link}}", ""),
        ("http://example.org/a{{{1}}}", ""),
        ("[http://example.org/a{b}c d]", "{b}c"),
        ("{{x|{http://example.org/a}}}", ""),
        ("http://example.org/a<!-- x -->b", "b"),
        ("http://example.org/a<nowiki/>b", ""),
        ("{{cite web|url=http://example.org/a?b{{=}}c&d{{=}}e}}", "?b=c&d=e"),
        ("{{cite web|url=http://example.org/a?b{{!}}c}}", "?b%7Cc"),
        ("http://example.org/a{{!}}{{!}} b", ""),
        ("http://example.org/a{{!}}", ""),
        ("http://example.org/a&amp;b=c", "&b=c"),
        ("http://example.org/a&b=c&copy=1&lang;x", "&b=c&copy=1\u27e8x"),
        ("http://example.org/a&lt;/ref&gt;", ""),
        ("http://example.org/a.&lt;b", ""),
        ("http://example.org/a&nbsp;b", ""),
        ("http://example.org/a&#32;b", ""),
        ("http://example.org/a&#x3c;b", ""),
        ("http://example.org/a&#91;&#93;=b&#61;&#x3D;", "%5B%5D=b=="),
        ("http://example.org/a&#124;b&quot;c", "%7Cb%22c"),
        ("http://example.org/a&amp;amp;b", "&amp;b"),
        ("http://example.org/a&nosuch;b&#;c", "&nosuch;b&#;c"),
        ("http://example.org/a%20b", "%20b"),
    ],
)
def test_a_url_ends_where_mediawiki_ends_it_and_its_entities_are_decoded(text, end) -> None:
    assert cited_urls(text) == [URL + end]


def test_redpajamas_defects_are_not_repeated() -> None:
    named = '<ref name="a">http://example.org/named</ref>'
    lines = "<ref>\n{{cite web\n| url = http://example.org/lines\n}}\n</ref>"
    query = "<ref>[http://example.org/?a=1&amp;b=2 T]</ref>"
    stop = "<ref>Miller, http://example.org.</ref>"
    assert cited_urls(named + lines + query + stop, refs_only=True) == [
        "http://example.org/named",
        "http://example.org/lines",
        "http://example.org/?a=1&b=2",
        "http://example.org",
    ]


def test_each_url_comes_once_in_order_of_appearance() -> None:
    text = "[http://b.org x] <ref>http://a.org</ref> http://b.org. <ref>http://c.org http://a.org</ref>"
    assert cited_urls(text) == ["http://b.org", "http://a.org", "http://c.org"]
    assert cited_urls(text, refs_only=True) == ["http://a.org", "http://c.org"]


def test_an_archives_copy_is_one_url() -> None:
    copy = "https://web.archive.org/web/2019*/http://example.org/a"
    assert cited_urls(f"{{{{cite web|url={URL}|archive-url={copy}}}}}") == [URL, copy]


def test_a_reference_that_is_not_closed_ends_with_the_next_one_or_its_paragraph() -> None:
    text = "<ref>http://a.org <ref>http://b.org</ref> http://c.org <ref>http://d.org\n\nhttp://e.org"
    assert cited_urls(text, refs_only=True) == ["http://a.org", "http://b.org", "http://d.org"]
    assert cited_urls("<ref>http://a.org\n \t\nhttp://e.org", refs_only=True) == ["http://a.org"]
    assert cited_urls("<ref>http://a.org\n== Next ==\nhttp://b.org", refs_only=True) == ["http://a.org"]
    assert cited_urls("{{efn|http://a.org", refs_only=True) == []


def test_spans_are_in_order_and_apart() -> None:
    text = "{{efn|a<ref>b</ref>c}}<ref>d</ref></ref>}}{{x|<ref>e{{refn|f}}</ref>}}"
    assert [text[start:end] for start, end in reference_spans(text)] == ["a<ref>b</ref>c", "d", "e{{refn|f}}"]


def test_a_tag_that_is_not_closed_hides_nothing() -> None:
    assert cited_urls("<nowiki>http://a.org <pre>http://b.org</pre> <nowiki/>") == ["http://a.org"]
    assert blank_unparsed("a<pre>b<PRE >c</pre>d<pre>e") == "a d<pre>e"
    assert blank_unparsed("a<!-->b-->c<!---->d<!--e") == "acd"


def test_a_url_at_the_limit_counts_and_a_longer_one_does_not() -> None:
    fill = "x" * (MAX_URL_CHARS - len(URL))
    assert cited_urls(f"[{URL}{fill} T]") == [URL + fill]
    assert cited_urls(f"[{URL}{fill}x T] {URL}") == [URL]


HOSTILE = (
    """
<ref|<ref>|<ref |</ref>|<ref/>|<ref name='|[[|{{|}}|{|}|{{efn¦|{{#tag:ref¦|{{#tag:|{{refn |{{=}}|{{!}}|[http://|http://|h|https
http://a.b|http://a.b |http://a.b)|http://a.b/&amp;|http://@|//|[//a|<ref>http://a.b</ref>|<!--|-->|<!-|<nowiki>|<nowiki
<pre |<a |<|&|&#|&amp;|&lt;|''|'|)|(| |=|¦|¦ |@|%|.
""".strip()
    .replace("\n", "|")
    .split("|")
)
HOSTILE = [unit.replace("¦", "|") for unit in HOSTILE] + ["\n", "\n ", "=//a.b[]", "=//a.b[", "|//a.b{{", "<sup "]


@pytest.mark.parametrize("unit", HOSTILE)
@pytest.mark.parametrize("front", ["", "http://a.b/", "<ref>[http://"])
def test_a_megabyte_of_anything_takes_linear_time(unit, front) -> None:
    text = f"{front}{unit * (1_000_000 // len(unit))}// "
    start = time.process_time()
    cited_urls(text, refs_only=bool(front))
    assert time.process_time() - start < 15


def test_a_megabyte_of_pieces_in_random_order_takes_linear_time() -> None:
    for seed in range(10):
        draw = random.Random(seed)
        few = draw.sample(HOSTILE, 5)
        text = "".join(draw.choices(few, k=200_000))
        start = time.process_time()
        cited_urls(text, refs_only=seed % 2 == 0)
        assert time.process_time() - start < 15, few


@given(st.lists(st.sampled_from([*HOSTILE, "a", "http://a.org", "http://b.org/c", "ü", "</nowiki>", "</pre>"])))
@settings(max_examples=300, deadline=None)
def test_whatever_the_text_urls_are_absolute_sound_and_distinct(parts) -> None:
    text = "".join(parts)
    urls = cited_urls(text)
    assert len(urls) == len(set(urls))
    assert all(re.fullmatch(r"(?i)https?://[^\s<>\[\]\"|]+", url) for url in urls)
    assert set(cited_urls(text, refs_only=True)) <= set(urls)


@given(
    st.lists(st.tuples(st.sampled_from(["[{} t]", "<ref>{}</ref>", "{{{{w|url={}}}}}", "see {} x"]), st.integers(1, 9)))
)
def test_what_is_put_in_comes_out(citations) -> None:
    text = "\n".join(form.format(f"http://h{number}.org/{number}?a=b") for form, number in citations)
    assert cited_urls(text) == list(dict.fromkeys(f"http://h{n}.org/{n}?a=b" for _, n in citations))
