"""Models and word lists: names, places, and what they are held to."""

import hashlib
from pathlib import Path

import pytest

from filters.language import installed_model
from pipeline.fetch_http import FetchError
from pipeline.fetch_models import fetch_bad_words, fetch_ccnet_models, fetch_language_model
from pipeline.fetch_places import CCNET_LANGUAGES
from pipeline.settings import SettingsError

KENLM = b"mmap lm http://kheafield.com/code format version 5\n\0" + bytes(100)
SENTENCEPIECE = b"\n\x0e\n\x05<unk>"
MIB = 1 << 20


def test_the_language_model_begins_as_fasttext_models_do(server, client, tmp_path):
    model = Path(installed_model()).read_bytes()
    server.put("/lid.176.bin", model)
    path = fetch_language_model(str(tmp_path), client, base_url=server.url, sha256=hashlib.sha256(model).hexdigest())
    assert path == str(tmp_path / "lid.176.bin")
    assert Path(path).read_bytes() == model


def test_another_language_model_than_the_known_one_is_refused(server, client, tmp_path):
    server.put("/lid.176.bin", Path(installed_model()).read_bytes())
    with pytest.raises(FetchError, match="instead of 7e69ec5451bc261cc7844e49e4792a85d7f09c06789ec800fc4a44aec362764e"):
        fetch_language_model(str(tmp_path), client, base_url=server.url)
    assert list(tmp_path.iterdir()) == []


def test_a_checksum_may_be_written_in_capitals(server, client, tmp_path):
    model = Path(installed_model()).read_bytes()
    server.put("/lid.176.bin", model)
    sha256 = hashlib.sha256(model).hexdigest().upper()
    for _ in range(2):
        fetch_language_model(str(tmp_path), client, base_url=server.url, sha256=sha256)
    assert server.methods() == ["GET", "HEAD"]


@pytest.mark.parametrize("sha256", ["", "0" * 63, "0" * 65, "g" * 64, "0" * 64 + "\n", "sha256:" + "0" * 64])
def test_a_checksum_that_is_none_is_refused_before_anything_is_asked(server, client, tmp_path, sha256):
    with pytest.raises(SettingsError, match=r"--sha256 .* must be the 64 hexadecimal digits of a SHA-256"):
        fetch_language_model(str(tmp_path), client, base_url=server.url, sha256=sha256)
    assert server.asked == []


def test_ccnet_models_come_in_pairs(server, client, tmp_path):
    for language in ("en", "de"):
        server.put(f"/lm/{language}.sp.model", SENTENCEPIECE)
        server.put(f"/lm/{language}.arpa.bin", KENLM)
    paths = fetch_ccnet_models(["en", "de", "en"], str(tmp_path), client, base_url=f"{server.url}/lm/")
    names = ["en.sp.model", "en.arpa.bin", "de.sp.model", "de.arpa.bin"]
    assert paths == [str(tmp_path / name) for name in names]
    assert [one.path for one in server.asked] == [f"/lm/{name}" for name in names]
    assert (tmp_path / "en.arpa.bin").read_bytes() == KENLM


def test_real_sentencepiece_models_begin_as_they_are_expected_to(server, client, real_data, tmp_path):
    files = sorted((real_data / "models" / "sentencepiece").glob("*.model"))
    assert files
    server.put("/en.arpa.bin", KENLM)
    for number, file in enumerate(files):
        server.put("/en.sp.model", file.read_bytes())
        fetch_ccnet_models(["en"], str(tmp_path / str(number)), client, base_url=server.url)
        assert (tmp_path / str(number) / "en.sp.model").read_bytes() == file.read_bytes()


@pytest.mark.parametrize(("name", "page"), [("en.sp.model", b"<html>"), ("en.arpa.bin", b"\\data\\\nngram 1=3\n")])
def test_what_is_no_model_is_refused(server, client, tmp_path, name, page):
    server.put("/en.sp.model", SENTENCEPIECE)
    server.put("/en.arpa.bin", KENLM)
    server.put(f"/{name}", page)
    with pytest.raises(FetchError, match="begins with"):
        fetch_ccnet_models(["en"], str(tmp_path), client, base_url=server.url)
    assert not (tmp_path / name).exists()


def test_pages_that_begin_like_a_model_or_a_list_are_refused(server, client, tmp_path):
    page = b"\n<!DOCTYPE html>\n<html><title>Sorry</title></html>\n"
    server.put("/en.sp.model", page)
    server.put("/en", page)
    for fetch in (fetch_ccnet_models, fetch_bad_words):
        with pytest.raises(FetchError, match="begins with HTML"):
            fetch(["en"], str(tmp_path), client, base_url=server.url)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("language", ["sv", "EN", "../en", ""])
def test_languages_that_ccnet_has_no_models_of_are_refused(server, client, tmp_path, language):
    with pytest.raises(SettingsError, match=r"CCNet has models of af, ar, .*, uk, zh"):
        fetch_ccnet_models(["en", language], str(tmp_path), client, base_url=server.url)
    assert server.asked == []


def test_the_languages_are_those_of_ccnets_table_of_cutoffs(real_data):
    header = (real_data / "reference" / "cc_net" / "cutoff.csv").read_text().splitlines()[0]
    assert sorted(CCNET_LANGUAGES) == sorted(header.split(",")[1:])


def test_lists_of_words_come_as_text_files(server, client, tmp_path):
    server.put("/en", b"darn\nheck\n")
    server.put("/fr-CA-u-sd-caqc", b"zut\n")
    paths = fetch_bad_words(["en", "fr-CA-u-sd-caqc"], str(tmp_path), client, base_url=server.url)
    assert paths == [str(tmp_path / "en.txt"), str(tmp_path / "fr-CA-u-sd-caqc.txt")]
    assert (tmp_path / "en.txt").read_bytes() == b"darn\nheck\n"


def test_a_language_without_a_list_is_told(server, client, tmp_path):
    with pytest.raises(FetchError, match="answered 404: there is no list for 'xx'"):
        fetch_bad_words(["xx"], str(tmp_path), client, base_url=server.url)


@pytest.mark.parametrize(("size", "fits"), [(MIB, True), (MIB + 1, False)])
def test_a_list_of_words_is_at_most_a_mebibyte(server, client, tmp_path, size, fits):
    server.put("/en", b"x" * size)
    if fits:
        fetch_bad_words(["en"], str(tmp_path), client, base_url=server.url)
        return
    with pytest.raises(FetchError, match="1048577 bytes, more than the 1048576 allowed"):
        fetch_bad_words(["en"], str(tmp_path), client, base_url=server.url)


@pytest.mark.parametrize("language", ["../en", "EN", "", "en/..", "e"])
def test_a_language_that_is_no_code_is_refused(client, tmp_path, language):
    with pytest.raises(SettingsError, match="must be a language's code"):
        fetch_bad_words([language], str(tmp_path), client)
