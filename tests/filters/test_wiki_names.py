"""Names of namespaces, switches and parser functions, held against what the sites themselves say."""

import pickle
from xml.etree import ElementTree

import pytest

from filters.wiki_names import names_of

LISTED = "bg ca cs da de en es fr hr hu it nl pl pt ro ru sl sr sv uk"
LANGUAGES = LISTED.split()


@pytest.mark.parametrize("language", LANGUAGES)
def test_all_names_aliases_and_switches_of_a_site_are_built_in(real_data, language):
    path = real_data / "wikipedia" / "siteinfo" / f"{language}wiki-configuration.xml"
    root = ElementTree.parse(path).getroot()
    names = names_of(f"{language}wiki")
    listed = [*root.iterfind(".//namespaces/ns"), *root.iterfind(".//namespacealiases/ns")]
    expected = {one.text.lower(): int(one.get("id")) for one in listed if one.text and one.get("id") != "0"}
    assert len(expected) > 25
    assert {name: names.namespaces.get(name) for name in expected} == expected
    switches = [
        one.text
        for one in root.iterfind(".//magicword//alias")
        if one.text.startswith("__") and one.text.endswith("__")
    ]
    assert len(switches) > 15
    assert [word for word in switches if not names.switches.fullmatch(word)] == []
    functions = {
        alias.text.rstrip(":").lower().replace("_", " "): word.get("name")
        for word in root.iterfind(".//magicword")
        if word.get("name") in ("if", "switch", "lc", "formatnum", "plural", "subst", "tag")
        for alias in word.iterfind(".//alias")
    }
    assert {name: names.functions.get(name) for name in functions} == functions


def test_the_prefixes_of_other_languages_are_built_in(real_data):
    prefixes = set()
    for language in LANGUAGES:
        root = ElementTree.parse(real_data / "wikipedia" / "siteinfo" / f"{language}wiki-configuration.xml").getroot()
        links = (one for one in root.iter("iw") if one.get("language") and "wikipedia.org" in one.get("url"))
        prefixes |= {one.get("prefix") for one in links}
    assert len(prefixes) > 300
    assert names_of("enwiki").languages == prefixes


def test_the_dumps_own_names_go_before_those_built_in():
    names = names_of("dewiki", {"Akte": 6, "Bild": 100, "": 0, "datei_diskussion": 7})
    assert (names.namespaces["akte"], names.namespaces["bild"], names.namespaces["datei"]) == (6, 100, 6)
    assert "akte" in names.files
    assert "bild" not in names.files
    assert names.namespaces["datei diskussion"] == 7


def test_an_unknown_language_has_english_names_and_its_neighbours_for_files_and_categories():
    names = names_of("alswiki")
    assert (names.language, names.is_known) == ("als", False)
    assert names.namespaces["template"] == 10
    assert "vorlage" not in names.namespaces
    assert {"file", "datei", "fitxer"} <= names.files
    assert {"category", "kategorie"} <= names.categories


def test_other_projects_and_no_project_are_understood():
    assert names_of("dewiktionary").language == "de"
    assert names_of("").language == "en"
    assert names_of("zh_min_nanwiki").language == "zh-min-nan"


@pytest.mark.parametrize("wiki", ["srwiki", "xxwiki", ""])
def test_names_can_be_pickled_and_are_keys(wiki):
    names = names_of(wiki, {"a": 100})
    again = pickle.loads(pickle.dumps(names))
    assert again == names
    assert hash(again) == hash(names)
    assert again.switches.pattern == names.switches.pattern
    assert names != names_of(wiki, {"b": 100})
