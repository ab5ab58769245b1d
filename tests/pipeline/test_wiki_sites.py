"""What a wiki's name tells, and what its API says of its namespaces."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from filters.wiki_names import names_of
from pipeline.sources.wiki_siteinfo import read_siteinfo
from pipeline.sources.wiki_sites import address_meant, database_of, language_of, page_url, site_code
from pipeline.wikipedia_settings import LLAMA_LANGUAGES

XML = """<?xml version="1.0"?><api><query><namespaces><ns id="-2" canonical="Media">Medium</ns><ns id="0" />
<ns id="6" canonical="File">Datei</ns><ns id="4" canonical="Project">Wikipedia</ns></namespaces>
<namespacealiases><ns id="6">Bild</ns><ns id="6">A &amp; B</ns></namespacealiases></query></api>"""
JSON = {
    "query": {
        "namespaces": {
            "-2": {"id": -2, "canonical": "Media", "*": "Medium"},
            "0": {"id": 0, "*": ""},
            "6": {"id": 6, "canonical": "File", "*": "Datei"},
            "4": {"id": 4, "canonical": "Project", "*": "Wikipedia"},
        },
        "namespacealiases": [{"id": 6, "*": "Bild"}, {"id": 6, "alias": "A & B"}],
    }
}
NAMES = {"media": -2, "medium": -2, "file": 6, "datei": 6, "project": 4, "wikipedia": 4, "bild": 6, "a & b": 6}


@pytest.mark.parametrize(
    ("wiki", "code", "language"),
    [
        ("dewiki", "de", "de"),
        ("simplewiki", "simple", "en"),
        ("zh_yuewiki", "zh-yue", "yue"),
        ("zh_min_nanwiki", "zh-min-nan", "nan"),
        ("be_x_oldwiki", "be-tarask", "be"),
        ("alswiki", "als", "gsw"),
        ("map_bmswiki", "map-bms", "jv"),
        ("roa_tarawiki", "roa-tara", "roa-tara"),
        ("nrmwiki", "nrm", "nrf"),  # nrm is a language of Borneo
        ("nowiki", "no", "no"),
        ("dewiktionary", "", ""),
        ("commonswiki", "", ""),
        ("wikimania2005wiki", "", ""),
        ("testwikidatawiki", "", ""),
        ("arbcom_enwiki", "", ""),
        ("my_dewiki", "", ""),
        ("tenwiki", "", ""),
        ("wiki", "", ""),
        ("", "", ""),
    ],
)
def test_the_name_of_a_database_tells_address_and_language(wiki: str, code: str, language: str) -> None:
    assert (site_code(wiki), language_of(wiki)) == (code, language)


def test_the_twenty_languages_are_codes_of_addresses_and_of_languages() -> None:
    assert [site_code(f"{code}wiki") for code in LLAMA_LANGUAGES] == list(LLAMA_LANGUAGES)
    assert [language_of(f"{code}wiki") for code in LLAMA_LANGUAGES] == list(LLAMA_LANGUAGES)
    assert [address_meant(code) for code in LLAMA_LANGUAGES] == list(LLAMA_LANGUAGES)


@pytest.mark.parametrize("wiki", ["dewiki", "simplewiki", "zh_min_nanwiki", "be_x_oldwiki", "bat_smgwiki"])
def test_the_address_of_a_wiki_tells_its_database(wiki: str) -> None:
    assert database_of(site_code(wiki)) == wiki


@pytest.mark.parametrize(
    ("title", "path"),
    [
        ("New York City", "New_York_City"),
        ("Straße", "Stra%C3%9Fe"),
        ("C++ & C#", "C%2B%2B_%26_C%23"),
        ("What? 100%", "What%3F_100%25"),
        ('\'Til "now"', "%27Til_%22now%22"),
        ("a;b@c$d!e*f(g)h,i/j~k:l", "a;b@c$d!e*f(g)h,i/j~k:l"),
    ],
)
def test_titles_are_escaped_in_addresses_as_mediawiki_escapes_them(title: str, path: str) -> None:
    assert page_url("frwiki", title) == f"https://fr.wikipedia.org/wiki/{path}"


@pytest.mark.parametrize(("name", "content"), [("xml", XML), ("json", json.dumps(JSON))])
def test_what_the_api_says_is_read_as_xml_and_as_json(name: str, content: str, tmp_path: Path) -> None:
    (tmp_path / f"dewiki-configuration.{name}").write_text(content)
    (tmp_path / "notes.txt").write_text("nothing")
    assert read_siteinfo(str(tmp_path)) == {"dewiki": NAMES}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"query": {"namespaces": {"6": "Datei"}}}',
        "[" * 100_000,
        "<api>",
        "<api><query><namespaces><ns>A</ns></namespaces></query></api>",
        "<!DOCTYPE a [<!ENTITY b 'c'>]><api><query><namespaces><ns id='6'>&b;</ns></namespaces></query></api>",
    ],
)
def test_a_file_that_is_no_answer_of_the_api_is_named(content: str, tmp_path: Path) -> None:
    (tmp_path / "dewiki-configuration.json").write_text(content)
    with pytest.raises(ValueError, match=r"^.*dewiki-configuration\.json: no answer of a wiki's API: "):
        read_siteinfo(str(tmp_path))


def test_a_folder_without_answers_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^no file matches .*none/"):
        read_siteinfo(str(tmp_path / "none"))


def test_the_real_answers_of_the_twenty_wikis_agree_with_what_is_built_in(real_data: Path) -> None:
    found = read_siteinfo(str(real_data / "wikipedia" / "siteinfo"))
    assert sorted(found) == sorted(f"{code}wiki" for code in LLAMA_LANGUAGES)
    for wiki, numbers in found.items():
        files = {name for name, number in numbers.items() if number in (-2, 6)}
        assert files <= names_of(wiki).files, wiki


def test_settings_are_read_without_the_libraries_that_read_files() -> None:
    """Else every command, and the trainer, would wait seconds for Beam."""
    code = "import pipeline.wikipedia_settings, sys; sys.exit('apache_beam' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parent.parent.parent)
