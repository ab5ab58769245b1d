"""Configs: every fault is one line with the key, the value and what is allowed."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.settings import RunSettings, SettingsError, load_settings

ROOT = Path(__file__).resolve().parents[2]


def minimal() -> dict[str, Any]:
    return {"sources": {"commoncrawl": {"dumps": [{"id": "D1", "paths": ["a"]}, {"id": "D2", "paths": ["b", "c"]}]}}}


def write(folder: Path, values: object, name: str = "some.yaml") -> str:
    path = folder / name
    path.write_text(values if isinstance(values, str) else yaml.safe_dump(values), encoding="utf-8")
    return str(path)


def load(folder: Path, *overrides: str, **values: Any) -> RunSettings:
    return load_settings(RunSettings, write(folder, minimal() | values), overrides)


def fault(folder: Path, *overrides: str, **values: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        load(folder, *overrides, **values)
    message = str(caught.value)
    assert "\n" not in message
    return message


def crawl(**values: Any) -> dict[str, Any]:
    return {"commoncrawl": {"dumps": [{"id": "D1", "paths": ["a"]}], **values}}


def test_the_smallest_config_takes_the_paths_defaults(tmp_path: Path) -> None:
    settings = load(tmp_path)
    assert (settings.name, settings.data, settings.seed, settings.batch_bytes) == ("some", ".", 0, 32 << 20)
    source = settings.sources.commoncrawl
    assert source is not None
    assert (source.min_chars, source.language.languages, source.language.min_score) == (300, ("en",), 0.5)
    assert (source.line_dedup.scope, source.line_dedup.keep, source.line_dedup.windows_per_dump) == (
        "window",
        "none",
        32,
    )


@pytest.mark.parametrize("config", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda path: path.name)
def test_the_configs_that_come_with_the_project_are_right(config: Path) -> None:
    assert load_settings(RunSettings, str(config)).name == config.stem


def test_a_name_in_the_config_goes_before_the_files(tmp_path: Path) -> None:
    assert load(tmp_path, name="other").name == "other"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"batch_byte": 5},
            r"unknown key batch_byte; did you mean batch_bytes\? Allowed: batch_bytes, data, .*tokens$",
        ),
        ({"zzz": 5}, r"unknown key zzz\b.*Allowed: batch_bytes, data, "),
        (
            {"sources": crawl(min_char=3)},
            r"unknown key sources\.commoncrawl\.min_char; did you mean min_chars\? Allowed: dumps, language, ",
        ),
        (
            {"sources": crawl(dumps=[{"id": "D", "path": ["a"], "paths": ["b"]}])},
            r"unknown key sources\.commoncrawl\.dumps\.0\.path; did you mean paths\? Allowed: id, paths",
        ),
        (
            {"sources": crawl(line_dedup={"keeps": "none"})},
            r"unknown key sources\.commoncrawl\.line_dedup\.keeps; .*Allowed: keep, max_shuffle_bytes, scope, windows",
        ),
        ({"tokenizer": {"vocab": 3}}, r"unknown key tokenizer\.vocab; did you mean vocab_size\? Allowed: "),
        ({"sources": {"wikipidia": {}}}, r"unknown key sources\.wikipidia\b.*Allowed: .*commoncrawl"),
        ({"seed": "x"}, r"seed = 'x': .*integer"),
        ({"batch_bytes": 5}, r"batch_bytes = 5: .*greater than or equal to 1024"),
        ({"dropped_text_fraction": 1.5}, r"dropped_text_fraction = 1\.5: .*less than or equal to 1"),
        ({"data": 3}, r"data = 3: .*string"),
        (
            {"sources": crawl(language={"min_score": 50})},
            r"sources\.commoncrawl\.language\.min_score = 50: .*equal to 1",
        ),
        (
            {"sources": crawl(language={"languages": ["English"]})},
            r"sources\.commoncrawl\.language\.languages\.0 = 'English': .*\^\[a-z\]\{2,3\}\$",
        ),
        ({"sources": crawl(line_dedup={"keep": "last"})}, r"line_dedup\.keep = 'last': .*'none' or 'first'"),
        ({"sources": crawl(dumps=[])}, r"sources\.commoncrawl\.dumps = \[\]: .*at least 1 item"),
        ({"sources": crawl(dumps=[{"id": "a/b", "paths": ["x"]}])}, r"dumps\.0\.id = 'a/b': .*pattern"),
        ({"sources": {"commoncrawl": {}}}, r"sources\.commoncrawl\.dumps is missing"),
        ({"sources": crawl(dumps=[{"id": "D"}])}, r"sources\.commoncrawl\.dumps\.0\.paths is missing"),
        ({"sources": None}, r"sources = None: "),
        ({"sources": {}}, r"sources: give at least one of .*commoncrawl"),
        (
            {"sources": crawl(line_dedup={"scope": "corpus", "keep": "none"})},
            r"commoncrawl\.line_dedup: scope 'corpus' with keep 'none' deletes every page crawled twice; .*'first'$",
        ),
        (
            {"sources": crawl(dumps=[{"id": "D", "paths": ["x"]}] * 2)},
            r"sources\.commoncrawl: dumps must have different ids, not \['D', 'D'\]",
        ),
        ({"tokenizer": None}, r"tokens need a tokenizer: set tokens to null too, or give tokenizer"),
        ({"name": "a b"}, r"name = 'a b': .*pattern"),
        ({"seed": -1}, r"seed = -1: .*greater than or equal to 0"),
        ({"seed": 1 << 64}, r"seed = 18446744073709551616: .*less than"),
    ],
    ids=lambda value: None if isinstance(value, str) else str(value)[:60],
)
def test_a_fault_is_one_line_with_key_value_and_what_is_allowed(
    tmp_path: Path, values: dict[str, Any], message: str
) -> None:
    found = fault(tmp_path, **values)
    assert found.startswith(f"{tmp_path / 'some.yaml'}: ")
    assert re.search(message, found), found


def test_the_number_of_further_faults_is_told(tmp_path: Path) -> None:
    assert fault(tmp_path, seed="x", data=3).endswith(" (and 1 more)")
    books = {"collections": [{"id": "a", "paths": ["b"], "kind": "novel"}]}  # the list is too short, too, without it
    assert fault(tmp_path, sources={"books": books}).endswith("input should be 'gutenberg', 'plain' or 'auto'")


def test_tokenizer_and_tokens_can_both_be_left_out(tmp_path: Path) -> None:
    settings = load(tmp_path, tokenizer=None, tokens=None)
    assert (settings.tokenizer, settings.tokens) == (None, None)


@pytest.mark.parametrize(
    ("override", "place", "value"),
    [
        ("seed=7", "seed", 7),
        ("data=/a=b", "data", "/a=b"),
        ("tokenizer.vocab_size=500", "tokenizer.vocab_size", 500),
        ("sources.commoncrawl.min_chars=0", "sources.commoncrawl.min_chars", 0),
        ("sources.commoncrawl.language.languages=[de, fr]", "sources.commoncrawl.language.languages", ("de", "fr")),
        ("sources.commoncrawl.language.languages=null", "sources.commoncrawl.language.languages", None),
        ("sources.commoncrawl.line_dedup={keep: first}", "sources.commoncrawl.line_dedup.keep", "first"),
        ("sources.commoncrawl.dumps.0={id: X, paths: [p]}", "sources.commoncrawl.dumps.0.id", "X"),
        ("sources.commoncrawl.dumps.1.id=X", "sources.commoncrawl.dumps.1.id", "X"),
        ("sources.commoncrawl.dumps.1.paths=[q]", "sources.commoncrawl.dumps.1.paths", ("q",)),
        ("sources.commoncrawl.dumps.1.paths.1=q", "sources.commoncrawl.dumps.1.paths", ("b", "q")),
    ],
)
def test_an_override_reaches_its_key_and_no_other(tmp_path: Path, override: str, place: str, value: object) -> None:
    settings = load(tmp_path, override)
    found: Any = settings
    for part in place.split("."):
        found = found[int(part)] if part.isdigit() else getattr(found, part)
    assert found == value
    source = settings.sources.commoncrawl
    assert source is not None
    assert source.dumps[0].id == "D1" or place.startswith("sources.commoncrawl.dumps.0")
    assert len(source.dumps) == 2


def test_an_override_of_what_an_anchor_shares_leaves_the_other_place_as_it_is(tmp_path: Path) -> None:
    shared = {"c4": 15.0}
    sources = {"c4": {"paths": ["*.json.gz"]}}
    values = {"sources": sources, "mixture": {"proportions": shared}, "tokenizer": {"proportions": shared}}
    text = yaml.safe_dump(values)
    assert "&" in text
    (tmp_path / "anchors.yaml").write_text(text)
    settings = load_settings(RunSettings, str(tmp_path / "anchors.yaml"), ["mixture.proportions.c4=9"])
    assert settings.mixture is not None
    assert settings.tokenizer is not None
    assert (settings.mixture.proportions, settings.tokenizer.proportions) == ({"c4": 9.0}, {"c4": 15.0})


def test_a_proportion_in_the_tokenizers_text_of_a_source_that_nobody_knows_is_named(tmp_path: Path) -> None:
    names = "arxiv, books, c4, commoncrawl, github, stackexchange, wikipedia"
    assert fault(tmp_path, "tokenizer.proportions.boks=1").endswith(
        f"tokenizer.proportions.boks: no such source; there are {names}"
    )
    shares = {"books": 1.0, "commoncrawl": 2.0}  # books are not read
    assert load(tmp_path, tokenizer={"proportions": shares}).tokenizer.proportions == shares


def test_proportions_in_the_tokenizers_text_of_sources_that_are_not_read_alone_are_told(tmp_path: Path) -> None:
    assert fault(tmp_path, tokenizer={"proportions": {"books": 1, "c4": 1}}).endswith(
        "tokenizer.proportions: the run reads none of books, c4; it reads commoncrawl"
    )


def test_the_last_of_two_overrides_of_a_key_holds(tmp_path: Path) -> None:
    assert load(tmp_path, "seed=1", "seed=2").seed == 2


def test_an_override_stands_above_the_config_and_makes_what_is_missing(tmp_path: Path) -> None:
    assert load(tmp_path, "tokens.seed=3", seed=1, tokens=None).tokens.seed == 3


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seed", r"--set seed: must be key=value"),
        ("=5", r"--set =5: must be key=value"),
        ("seed={", r"--set seed=\{: the value is not YAML"),
        ("seed=x", r"seed = 'x': .*integer"),
        ("sed=5", r"unknown key sed; did you mean seed\?"),
        ("data.x=5", r"--set data\.x=5: data holds no keys"),
        ("sources.commoncrawl.dumps.7.id=x", r"--set sources\.commoncrawl\.dumps\.7\.id=x: .*dumps"),
        ("sources.commoncrawl.dumps.7=x", r"--set sources\.commoncrawl\.dumps\.7=x: .*dumps"),
        ("sources.commoncrawl.dumps.first.id=x", r"--set sources\.commoncrawl\.dumps\.first\.id=x: .*dumps"),
    ],
)
def test_a_wrong_override_is_one_line(tmp_path: Path, override: str, message: str) -> None:
    found = fault(tmp_path, override, data="d")
    assert re.search(message, found), found


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: [1\nb: 2\n", "not YAML: "),
        ("a: b: c\n", "not YAML: "),
        ("", "a config is a mapping of keys to values, not NoneType"),
        ("- 1\n- 2\n", "a config is a mapping of keys to values, not list"),
        ("just words", "a config is a mapping of keys to values, not str"),
        ("!!python/object/apply:os.getcwd []", "not YAML: "),
        ("1: 2\n", "sources is missing"),
    ],
)
def test_what_is_no_config_is_told_in_one_line(tmp_path: Path, content: str, message: str) -> None:
    path = write(tmp_path, content)
    with pytest.raises(SettingsError) as caught:
        load_settings(RunSettings, path)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "\n" not in str(caught.value)


def test_a_config_that_is_not_there_or_not_text_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nope\.yaml: cannot read the config: No such file"):
        load_settings(RunSettings, str(tmp_path / "nope.yaml"))
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9")
    with pytest.raises(SettingsError, match=r"latin\.yaml: cannot read the config: not UTF-8 text"):
        load_settings(RunSettings, str(tmp_path / "latin.yaml"))
    with pytest.raises(SettingsError, match="cannot read the config: Is a directory"):
        load_settings(RunSettings, str(tmp_path))
