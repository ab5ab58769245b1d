"""URLs folded to one spelling: hand cases by RFC 3986 and TS 46, archives, and what any string must obey."""

import time

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from filters.urls import fingerprint_url, fingerprint_urls, normalize_url, registered_domain

SAME = [
    ("http://example.org/", "https://example.org"),
    ("http://example.org/", "HTTP://EXAMPLE.ORG/"),
    ("http://example.org/", "//example.org"),
    ("http://example.org/", " http://example.org/ \r\n"),
    ("http://example.org/", "http://www.example.org/"),
    ("http://example.org/", "http://www.www.example.org/"),
    ("http://example.org/", "http://example.org./"),
    ("http://example.org/", "http://example.org:80/"),
    ("http://example.org/", "https://example.org:443/"),
    ("http://example.org/", "http://example.org:/"),
    ("http://example.org/", "http://user:pass@word@example.org/"),
    ("http://example.org/", "http://example.org?"),
    ("http://example.org/", "http://example.org#top"),
    ("http://example.org/", "http://ex%61mple.org"),
    ("http://example.org:8080/", "http://example.org:08080/"),
    ("http://example.org/a", "http://example.org/a/"),
    ("http://example.org/a", "http://example.org/a//"),
    ("http://example.org/a?b=c", "http://example.org/a/?b=c#d"),
    ("http://example.org/~a-b_c.d", "http://example.org/%7Ea%2Db%5fc%2ed"),
    ("http://example.org/%C3%A4", "http://example.org/%c3%a4"),
    ("http://example.org/%C3%A4", "http://example.org/ä"),
    ("http://example.org/a%20b", "http://example.org/a b"),
    ("http://example.org/100%25", "http://example.org/100%"),
    ("http://example.org/%2541", "http://example.org/%%341"),
    ("http://example.org/ab", "http://example.org/a\n\tb"),
    ("http://example.org/b/c", "http://example.org/a/../b/./c/"),
    ("http://example.org/b", "http://example.org/../%2e%2E/b"),
    ("http://xn--bcher-kva.example/", "http://BÜCHER.example/"),
    ("http://xn--bcher-kva.example/", "http://bu\u0308cher.example/"),
    ("http://xn--bcher-kva.example/", "http://b%C3%BCcher.example/"),
    ("http://xn--strae-oqa.example/", "http://straße.example/"),
    ("http://example.org/", "http://ｅｘａｍｐｌｅ。org/"),
    ("http://example.org/", "http://exam\u00adple.org/"),
    ("http://192.0.2.7/", "http://192.0.2.7:80"),
    ("http://[2001:db8::1]:8080/", "http://[2001:DB8::1]:8080"),
    ("http://example.org/x_(y)", "http://example.org/x_%28y%29"),
    ("http://example.org/x_(y)", "http://example.org/x_(y)"),
    ("http://example.org/O'Brien", "http://example.org/O%27Brien"),
    ("http://example.org/a!*b?c!*d", "http://example.org/a%21%2ab?c%21%2Ad"),
    ("http://example.org/a,b?c,(d)", "http://example.org/a%2Cb?c%2c%28d%29"),
    ("http://example.org/?a%5B%5D=1", "http://example.org/?a[]=1"),
    ("http://example.org/?a%5B%5D=1", "http://example.org/?a%5b%5d=1"),
    ("http://example.org/%5Ba%5D", "http://example.org/[a]"),
]

APART = [
    ("http://example.org/a", "http://example.org/A"),
    ("http://example.org/?a=1&b=2", "http://example.org/?b=2&a=1"),
    ("http://example.org/a;jsessionid=1", "http://example.org/a"),
    ("http://example.org/a%2Fb", "http://example.org/a/b"),
    ("http://example.org/?a=b%26c", "http://example.org/?a=b&c"),
    ("http://example.org/?a=b%2Bc", "http://example.org/?a=b+c"),
    ("http://example.org/a%3Bb", "http://example.org/a;b"),
    ("http://example.org/", "http://example.org:8080/"),
    ("http://example.org/", "http://de.example.org/"),
    ("http://example.org/a//b", "http://example.org/a/b"),
    ("http://www.com/", "http://com/"),
]

NO_URLS = [
    "",
    "example.org",
    "ftp://example.org/",
    "mailto:a@example.org",
    "javascript:alert(1)",
    "http:",
    "http://",
    "http:///a",
    "http://?a",
    "http://a b/",
    "http://.example.org/",
    "http://a..b/",
    "http://example.org&lt/",
    "http://example.org:http/",
    "http://example.org:65536/",
    "http://example.org:１/",
    "http://" + "a" * 254,
    "http://" + "ä" * 254,
    "http://[::1/",
    "http://℀.example/",
    "x http://example.org/",
]

ARCHIVED = [
    ("http://example.org/a", "https://web.archive.org/web/20130507215213/http://example.org/a"),
    ("http://example.org/a", "http://web.archive.org/web/20130507/https://www.example.org:80/a/"),
    ("http://example.org/a", "https://web.archive.org/web/20130507215213id_/http://example.org/a"),
    ("http://example.org/a", "https://web.archive.org/web/*/http://example.org/a"),
    ("http://example.org/a", "https://web.archive.org/web/2013*/http://example.org/a"),
    ("http://example.org/a", "https://web.archive.org/web/2013/example.org/a"),
    ("http://example.org/a", "http://web.archive.org/2013/http:/example.org/a"),
    ("http://example.org/?q=1", "https://web.archive.org/web/2013/http://example.org/?q=1"),
    ("http://example.org/a", "http://www.archive.org/web/20130507215213/http://example.org/a"),
    ("http://example.org/a", "https://archive.is/20130507215213/http://example.org/a"),
    ("http://example.org/a", "https://archive.today/2013.05.07-215213/https://example.org/a"),
    ("http://example.org/a", "https://www.webcitation.org/query?url=http%3A%2F%2Fexample.org%2Fa&date=2013-05-07"),
    ("http://example.org/?b=c", "http://www.webcitation.org/5xY?date=2013&url=http://example.org/%3Fb%3Dc"),
    ("http://example.org/a", "http://wayback.example.net/org-7/all/20130507215213/http://example.org/a"),
    (
        "http://example.org/a",
        "http://web.archive.org/web/2014/http://archive.is/20130507215213/http://example.org/a",
    ),
    *(
        ("http://example.org/a", f"https://archive.{suffix}/{name}/http://example.org/a")
        for suffix in ("today", "is", "ph", "fo", "li", "md", "vn")
        for name in ("20130507215213", "o/aBc12")
    ),
    ("http://fao.org/a", "https://web.archive.org/web/20080507215213/http%3A//www.fao.org/a"),
    ("http://example.org/", "https://web.archive.org/web/20080507215213/http%3A%2F%2Fexample.org%2F"),
    ("http://example.org/", "https://web.archive.org/web/2008/HTTPS%3a%2f%2fexample.org%2f"),
    ("http://example.org/a%20b?c=d", "https://web.archive.org/web/2008/http%3A//example.org/a%2520b%3Fc%3Dd"),
    ("http://example.org/%E4", "https://web.archive.org/web/2008/http%3A//example.org/%E4"),
    ("http://example.org/%E4", "https://www.webcitation.org/query?url=http%3A%2F%2Fexample.org%2F%E4"),
    ("http://example.org/a", "http://wayback.example.net/20130507215213/http%3A%2F%2Fexample.org%2Fa"),
    ("http://[2001:db8::1]/a", "https://web.archive.org/web/2008/http://[2001:db8::1]/a"),
    ("http://[2001:db8::1]:8080/a", "https://web.archive.org/web/2008/http://[2001:db8::1]:8080/a"),
    ("", "http://web.archive.org/web/2013/ftp://example.org/a"),
    ("", "http://web.archive.org/web/2013/mailto:a@example.org"),
    ("http://archive.is/aBcDe", "https://archive.is/aBcDe"),
    ("http://archive.org/details/20130507", "https://archive.org/details/20130507/"),
    ("http://example.net/20130507215213/a", "http://example.net/20130507215213/a"),
    (
        "http://example.net/?u=/20130507215213/http://example.org",
        "http://example.net/?u=/20130507215213/http://example.org",
    ),
]

PIECES = st.sampled_from(
    ["http://", "https:", "//", "/", "www.", "example", ".org", ":80", "@", "%", "%4", "%41", "%2e", "..", "?", "url=",
     "&", "#", " ", "ä", "ß", "\ud800", "[", "]", "web.archive.org/web/2013/", "archive.is/20130507215213/", "\\",
     "http://webcitation.org/query?url=", "(", "%28", "'", "%2C",
     "%5b", "%5D", "http%3A", "\n", "\x00", "%68ttp://", "20130507215213/", "http%3A%2F%2F", "xn--", "．"]
)  # fmt: skip
ANY_URL = st.lists(PIECES, max_size=12).map("".join) | st.text(st.characters(), max_size=40)


@pytest.mark.parametrize(("normal", "spelled"), SAME)
def test_spellings_of_one_address_become_one(normal: str, spelled: str) -> None:
    assert normalize_url(spelled) == normal


@pytest.mark.parametrize(("one", "other"), APART)
def test_what_may_name_another_page_stays(one: str, other: str) -> None:
    assert normalize_url(one) != normalize_url(other)
    assert normalize_url(one)


@pytest.mark.parametrize("text", NO_URLS)
def test_what_is_no_http_url_is_empty(text: str) -> None:
    assert normalize_url(text) == ""
    assert registered_domain(text) == ""


@pytest.mark.parametrize(("page", "copy"), ARCHIVED)
def test_copies_in_archives_count_as_the_page(page: str, copy: str) -> None:
    assert normalize_url(copy) == page


def test_copies_stay_where_they_are_when_asked_to() -> None:
    copy = "https://web.archive.org/web/2013/http://example.org/a/"
    assert normalize_url(copy, unwrap=False) == "http://web.archive.org/web/2013/http://example.org/a"


@pytest.mark.parametrize(("depth", "page"), [(7, "http://example.org/"), (8, "")])
def test_copies_of_copies_are_followed_seven_times(depth: int, page: str) -> None:
    assert normalize_url("http://web.archive.org/web/2013/" * depth + "http://example.org/") == page


@settings(deadline=None, max_examples=400)
@given(ANY_URL, st.booleans())
@example("http://web.archive.org/%77eb/2013/http://example.org/", True)
@example("http://h/%%341", False)
def test_a_normalised_url_normalises_to_itself(text: str, unwrap: bool) -> None:
    once = normalize_url(text, unwrap=unwrap)
    assert normalize_url(once, unwrap=unwrap) == once
    assert once == "" or once.startswith("http://")
    assert once.isascii()
    assert not set(once) & set(' \n\t#<>"')


@settings(deadline=None)
@given(ANY_URL)
def test_any_string_has_a_domain_that_is_a_tail_of_its_host(text: str) -> None:
    host = normalize_url(text).removeprefix("http://").split("/")[0]
    domain = registered_domain(text)
    assert bool(domain) == bool(host)
    assert domain in host


@pytest.mark.parametrize(
    "unit", ["%", "a", "/..", "/.", "?", "@", ".", ":", "http://web.archive.org/web/2013/", "&url", "ä", "/a"]
)
@pytest.mark.parametrize("head", ["http://example.org/", "http://", "http://webcitation.org/query?"])
def test_a_megabyte_takes_no_time_with_its_square(head: str, unit: str) -> None:
    start = time.process_time()
    normalize_url(head + unit * (1_000_000 // len(unit)))
    assert time.process_time() - start < 5  # a square of 10^6 steps would take hours


@pytest.mark.parametrize(
    ("url", "domain"),
    [
        ("https://www.news.example.co.uk/a", "example.co.uk"),
        ("http://example.org:8080/", "example.org"),
        ("http://me.github.io/", "me.github.io"),
        ("http://co.uk/", "co.uk"),
        ("http://localhost/", "localhost"),
        ("http://192.0.2.7:8080/", "192.0.2.7"),
        ("http://[2001:db8::1]:8080/", "[2001:db8::1]"),
        ("https://web.archive.org/web/2013/http://blog.example.org/", "example.org"),
        ("http://shop.bücher.example/", "xn--bcher-kva.example"),
    ],
)
def test_registered_domains(url: str, domain: str) -> None:
    assert registered_domain(url) == domain


def test_a_fingerprint_is_xxh3_of_the_normalised_url() -> None:
    # XXH3-64 of the empty input, from xxHash's specification (seed 0).
    assert fingerprint_url("no URL") == 0x2D06800538D394C2
    assert fingerprint_url("HTTPS://www.example.org") == fingerprint_url("http://example.org/")


def test_fingerprints_come_in_order_as_64_bits() -> None:
    urls = ["http://b.example/", "http://a.example/", "http://b.example"]
    found = fingerprint_urls(urls)
    assert found.dtype == np.uint64
    assert found.tolist() == [fingerprint_url(url) for url in urls]
    assert found[0] == found[2] != found[1]
    assert fingerprint_urls([]).shape == (0,)
