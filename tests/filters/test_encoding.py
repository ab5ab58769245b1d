"""Bytes become the text that was written, or are refused; never another text in silence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.encoding import Decoded, EncodingReason, check_text, clean_line_ends, decode_text, python_name
from filters.verdict import Drop

GERMAN = "Die Wälder über dem Fluß waren grün, und die Mühle stand schön am Ufer. Er hörte nichts. " * 8
FRENCH = "Il était à l'école; où est passé l'été? Ça, c'est déjà fini, à côté de la forêt, où l'on rêve. " * 8
QUOTED = "“Où?” said she — and he didn’t know… “Là-bas!” he cried, naïve as ever. " * 8
RUSSIAN = "Все счастливые семьи похожи друг на друга, каждая несчастливая семья несчастлива по-своему. " * 8
GREEK = "Η θάλασσα ήταν ήσυχη και ο ουρανός καθαρός, τα παιδιά έπαιζαν στην παραλία ως το βράδυ. " * 8
POLISH = "Ile cię trzeba cenić, ten tylko się dowie, kto cię stracił. Dziś piękność twą w całej ozdobie widzę. " * 8
JAPANESE = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。\n" * 12


@pytest.mark.parametrize(
    ("text", "encoding", "name"),
    [
        ("plain text", "ascii", "ascii"),
        (GERMAN, "utf-8", "utf-8"),
        (GERMAN, "latin-1", "iso8859-1"),
        (FRENCH, "latin-1", "iso8859-1"),
        (QUOTED, "cp1252", "cp1252"),
        (GERMAN, "cp850", "cp850"),
        (FRENCH, "cp850", "cp850"),
        (GERMAN, "mac_roman", "mac_roman"),
        (QUOTED, "mac_roman", "mac_roman"),
        (RUSSIAN, "cp1251", "cp1251"),
        (RUSSIAN, "koi8_r", "koi8_r"),
        (RUSSIAN, "cp866", "cp866"),
        (GREEK, "cp1253", "cp1253"),
        (POLISH, "cp1250", "cp1250"),
        (POLISH, "iso8859_2", "iso8859_2"),
        (JAPANESE, "cp932", "cp932"),
        (JAPANESE, "euc_jp", "euc_jp"),
    ],
)
def test_a_text_comes_back_from_the_encoding_it_was_written_in(text: str, encoding: str, name: str) -> None:
    assert decode_text(text.encode(encoding)) == Decoded(text, name)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be"])
def test_unicode_is_told_by_its_mark_or_by_its_nuls(encoding: str) -> None:
    decoded = decode_text(QUOTED.encode(encoding))
    assert isinstance(decoded, Decoded)
    assert decoded.text == QUOTED


def test_what_a_text_declares_is_believed_where_it_is_plausible() -> None:
    few = "Das Café war grün.".encode("iso8859_15")
    assert decode_text(few, "ISO-8859-15") == Decoded("Das Café war grün.", "iso8859-15")
    assert decode_text(QUOTED.encode("cp1252"), "ISO-8859-1") == Decoded(QUOTED, "cp1252")
    assert decode_text(GERMAN.encode(), "ISO-8859-1") == Decoded(GERMAN, "utf-8")
    assert decode_text(GERMAN.encode("latin-1"), "US-ASCII") == Decoded(GERMAN, "iso8859-1")
    assert decode_text(GERMAN.encode("latin-1"), "Klingon") == Decoded(GERMAN, "iso8859-1")


def test_an_encoding_that_is_certain_is_the_only_one_tried() -> None:
    assert decode_text(RUSSIAN.encode("cp1251"), "utf-8", forced="cp1251") == Decoded(RUSSIAN, "cp1251")
    refused = decode_text(GERMAN.encode("latin-1"), forced="ascii")
    bad = sum(not character.isascii() for character in GERMAN)
    assert refused == Drop(EncodingReason.UNDECODABLE, bad, len(GERMAN) // 1000)


def test_a_few_spoilt_bytes_of_utf_8_are_replaced_and_counted() -> None:
    text = GERMAN * 3
    spoilt = text.encode() + b"\xff and on."
    assert decode_text(spoilt) == Decoded(text + "\ufffd and on.", "utf-8", 1)


def test_too_many_spoilt_bytes_of_utf_8_are_refused() -> None:
    data = (JAPANESE.encode() + b"\xff\xfe") * 30
    refused = decode_text(data)
    assert isinstance(refused, Drop)
    assert (refused.reason, refused.measured, refused.limit) == (EncodingReason.UNDECODABLE, 60, len(data) // 1000)


@pytest.mark.parametrize(
    ("data", "measured"),
    [(b"a\0b and more text that goes on", 1), (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0", 3), (bytes(range(1, 9)) * 9, 72)],
)
def test_what_is_no_text_is_refused_with_what_was_counted(data: bytes, measured: int) -> None:
    refused = decode_text(data)
    assert isinstance(refused, Drop)
    assert (refused.reason, refused.measured) == (EncodingReason.NOT_TEXT, measured)


def test_the_padding_of_dos_at_the_end_is_no_fault() -> None:
    assert decode_text(b"The end.\r\n\x1a\0\0") == Decoded("The end.\n", "ascii")


def test_control_characters_are_allowed_up_to_their_share() -> None:
    assert isinstance(decode_text(b"\x01" * 5 + b"x" * 995), Decoded)
    assert decode_text(b"\x01" * 6 + b"x" * 994) == Drop(EncodingReason.NOT_TEXT, 6, 5)


def test_text_that_comes_as_characters_is_held_to_the_same() -> None:
    assert check_text("plain\n") is None
    assert check_text("a\0") == Drop(EncodingReason.NOT_TEXT, 1, 0)
    assert check_text("\x01" * 6 + "x" * 994) == Drop(EncodingReason.NOT_TEXT, 6, 5)
    assert check_text("\x01" * 5 + "x" * 995) is None


def test_line_ends_are_line_feeds() -> None:
    assert clean_line_ends("\ufeffa\r\nb\rc\fd\n\re") == "a\nb\nc\nd\n\ne"
    assert clean_line_ends("a\r\nb\r\n") == "a\nb\n"
    assert clean_line_ends("a\r\r\nb\r\r\n\r\r\nc") == "a\nb\n\nc"  # converted twice
    assert clean_line_ends("a\r\rb") == "a\n\nb"


@given(st.text(alphabet="a\r\n\f", max_size=30))
def test_no_line_end_but_the_line_feed_is_left(text: str) -> None:
    assert set(clean_line_ends(text)) <= {"a", "\n"}
    assert clean_line_ends(text).replace("\n", "") == "".join(text.split()).replace("\f", "")


@pytest.mark.parametrize("declared", ["UTF-16", "UTF-32", "cp037", "utf-7", "unicode_escape", "punycode", "idna"])
def test_a_declared_encoding_in_which_the_declaration_could_not_be_read_is_not_believed(declared: str) -> None:
    text = GERMAN + "\\ud800 +2AA-  "
    assert decode_text(text.encode("latin-1"), declared) == Decoded(text, "iso8859-1")


def test_latin_1_with_control_characters_is_what_its_letters_say() -> None:
    assert decode_text(GERMAN.encode("mac_roman"), "ISO-8859-1") == Decoded(GERMAN, "mac_roman")
    assert decode_text(b"a \x93few\x94 quotes", "ISO-8859-1") == Decoded("a “few” quotes", "cp1252")


def test_the_larger_encodings_that_go_by_an_older_name_are_tried() -> None:
    text = "裏恒碁銹嫺粧天地玄黃宇宙洪荒" * 20  # the first six are not in Big5 itself
    assert decode_text(text.encode("cp950"), "Big5") == Decoded(text, "cp950")
    assert decode_text("囍镕堃天地".encode("gbk"), "GB2312") == Decoded("囍镕堃天地", "gbk")


def test_what_is_no_text_is_refused_in_wide_and_in_given_encodings_too() -> None:
    assert decode_text(b"\x01\0\x02\0\x03\0" * 100) == Drop(EncodingReason.NOT_TEXT, 300, 1)
    assert decode_text(b"\x01" * 6 + b"x" * 994, forced="cp1252") == Drop(EncodingReason.NOT_TEXT, 6, 5)
    assert decode_text(b"The end.\x1a\0\0", forced="cp1252") == Decoded("The end.", "cp1252")
    assert decode_text("The end.\0\0".encode("utf-16")) == Decoded("The end.", "utf-16-le")


def test_names_of_encodings_are_python_s_or_none() -> None:
    assert python_name("Windows-1252") == "cp1252"
    assert python_name("UTF‐8") == "utf-8"
    assert python_name("ISO-646-US (US-ASCII)") == "ascii"
    assert python_name("zlib") is None
    assert python_name("a\0b") is None
    for name in ("idna", "punycode", "unicode_escape", "raw_unicode_escape", "utf-7", "undefined"):
        assert python_name(name) is None


@given(st.binary(max_size=400), st.sampled_from([None, "ISO-8859-1", "UTF-8", "Big5", "utf-7", "idna", "\0", "cp037"]))
def test_any_bytes_give_a_text_that_can_be_encoded_or_a_reason(data: bytes, declared: str | None) -> None:
    decoded = decode_text(data, declared)
    if isinstance(decoded, Decoded):
        assert "\0" not in decoded.text
        assert "\r" not in decoded.text
        decoded.text.encode()
    assert decoded == decode_text(data, declared)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), max_size=300))
def test_utf_8_is_always_taken_for_itself(text: str) -> None:
    decoded = decode_text(text.encode())
    assert isinstance(decoded, Decoded)
    assert decoded.text == text.removeprefix("\ufeff")


def test_quotes_that_were_saved_as_control_characters_are_quotes_again():
    """A file in Windows-1252 that was taken for Latin-1 and saved as UTF-8; 81, 8d, 8f, 90 and 9d stand for nothing."""
    saved = b"\x93It\x92s caf\xe9\x94 \x97 \x85 \x81\n".decode("latin-1").encode()
    assert decode_text(saved) == Decoded("\u201cIt\u2019s caf\xe9\u201d \u2014 \u2026 \x81\n", "utf-8")
