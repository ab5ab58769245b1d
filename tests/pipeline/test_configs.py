"""The configs that come with the project: valid, equal to what they reproduce, and their comments' commands exist."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from pipeline.cli import app
from pipeline.launch import stage_names
from pipeline.settings import RunSettings, load_settings, parse_settings

CONFIGS = Path(__file__).parents[2] / "configs"
ALL = sorted(str(path.relative_to(CONFIGS)) for path in CONFIGS.rglob("*.yaml"))
RUNS = [name for name in ALL if "/" not in name]
COMMAND = re.compile(r"^ *# +llama-corpus (.+)$", re.MULTILINE)
SEVEN = {"commoncrawl", "c4", "github", "wikipedia", "books", "arxiv", "stackexchange"}


def load(name: str) -> RunSettings:
    return load_settings(RunSettings, str(CONFIGS / f"{name}.yaml"))


def commands(name: str) -> list[list[str]]:
    """The commands in a config's comments, as words."""
    return [shlex.split(line) for line in COMMAND.findall((CONFIGS / name).read_text())]


def parse(words: list[str]) -> dict[str, Any]:
    """Let the command line read a command, without doing what it says."""
    command: Any = get_command(app)
    rest = list(words)
    while hasattr(command, "commands"):
        name = rest.pop(0)
        command = command.commands[name]
    parameters: dict[str, Any] = command.make_context(name, rest).params
    return parameters


@pytest.mark.parametrize("name", [name for name in ALL if name.startswith("train/")])
def test_every_config_of_a_training_is_valid(name: str) -> None:
    from train.config import TrainSettings  # not above: tests/train sets type checks up before it loads the model

    values = yaml.safe_load((CONFIGS / name).read_text())
    if name.startswith("train/models/"):
        base = yaml.safe_load((CONFIGS / "train" / "demo.yaml").read_text())
        values = {**base, "model": values}
    settings = parse_settings(TrainSettings, values, origin=name)
    assert settings.model.layers > 0


@pytest.mark.parametrize("name", RUNS)
def test_every_command_in_a_comment_is_one_that_the_command_line_reads(name: str) -> None:
    found = commands(name)
    assert found or name == "demo.yaml"  # which make demo runs
    for words in found:
        parse(words)
    assert not [words for words in found if words[0] == "run" and words[1] != f"configs/{name}"]


# Table 1 of the paper (Touvron et al., 2023), typed from it.
PROPORTIONS = {
    "commoncrawl": 67.0,
    "c4": 15.0,
    "github": 4.5,
    "wikipedia": 4.5,
    "books": 4.5,
    "arxiv": 2.5,
    "stackexchange": 2.0,
}
EPOCHS = {
    "commoncrawl": 1.10,
    "c4": 1.06,
    "github": 0.64,
    "wikipedia": 2.45,
    "books": 2.23,
    "arxiv": 1.06,
    "stackexchange": 1.03,
}


def test_llamas_mixture_is_table_1_over_1_4_trillion_tokens() -> None:
    mixture = load("llama").mixture
    assert mixture is not None
    assert (mixture.proportions, mixture.epochs, mixture.budget_tokens) == (PROPORTIONS, EPOCHS, 1.4e12)
    assert sum(PROPORTIONS.values()) == 100


def test_llamas_sources_are_as_the_paper_describes_them() -> None:
    settings = load("llama")
    sources = settings.sources
    assert {name for name, asked in sources if asked} == SEVEN
    assert sources.commoncrawl is not None
    years = [dump.id.split("-")[2] for dump in sources.commoncrawl.dumps]
    assert len(years) == 5
    assert set(years) == {"2017", "2018", "2019", "2020"}
    assert sources.commoncrawl.language.languages == ("en",)
    assert sources.commoncrawl.reference is not None
    assert sources.commoncrawl.perplexity is not None
    assert sources.wikipedia is not None
    assert " ".join(sources.wikipedia.languages or ()) == "bg ca cs da de en es fr hr hu it nl pl pt ro ru sl sr sv uk"
    assert {dump.id[:6] for dump in sources.wikipedia.dumps} <= {"202206", "202207", "202208"}
    assert sources.github is not None
    assert sources.github.licences == ("apache", "bsd", "mit")
    assert sources.books is not None
    assert sources.books.dedup is not None
    assert sources.books.dedup.max_overlap == 0.9
    assert [collection.id for collection in sources.books.collections] == ["gutenberg", "books3"]
    assert settings.tokenizer is not None
    assert settings.tokenizer.vocab_size == 32_000
    assert settings.tokens is not None
    assert settings.tokens.shard_bytes == 512 << 20


def test_what_the_comments_of_llama_fetch_is_what_it_reads() -> None:
    settings = load("llama")
    crawl, sites = settings.sources.commoncrawl, settings.sources.stackexchange
    assert crawl is not None
    assert sites is not None
    fetched = [parse(words) for words in commands("llama.yaml") if words[:2] == ["fetch", "crawl"]]
    assert [one["dump"] for one in fetched] == [dump.id for dump in crawl.dumps]
    assert {one["output"] for one in fetched} == {settings.data}
    assert [dump.paths for dump in crawl.dumps] == [(f"crawl-data/{dump.id}/wet.paths",) for dump in crawl.dumps]
    others = {words[1]: parse(words) for words in commands("llama.yaml") if words[0] == "fetch" and words[1] != "crawl"}
    assert f"{others['language-model']['output']}/lid.176.bin" == f"{settings.data}/{crawl.language_model.model}"
    assert crawl.perplexity is not None
    assert others["ccnet-models"]["output"] == f"{settings.data}/{crawl.perplexity.models}"
    assert others["ccnet-models"]["languages"] == ["en"]
    (ranked,) = [parse(words) for words in commands("llama.yaml") if words[0] == "rank-sites"]
    assert (ranked["folder"], ranked["top"]) == (f"{settings.data}/stackexchange", 28)
    assert ranked["output"] == f"{settings.data}/{sites.sites}"


# RedPajama-Data-1T's dataset card (Together Computer, 2023), billions of tokens, typed from it.
REDPAJAMA = {
    "commoncrawl": 878,
    "c4": 175,
    "github": 59,
    "books": 26,
    "arxiv": 28,
    "wikipedia": 24,
    "stackexchange": 20,
}


def test_openllama_takes_redpajamas_seven_parts_by_their_tokens() -> None:
    settings = load("openllama")
    assert set(settings.sources.corpora) == SEVEN
    assert not any(asked for name, asked in settings.sources if name != "corpora")
    assert settings.mixture is not None
    assert (settings.mixture.proportions, settings.mixture.budget_tokens) == (REDPAJAMA, 1e12)
    assert settings.tokenizer is not None
    assert settings.tokenizer.vocab_size == 32_000
    assert "github.documents" in stage_names(settings)
    assert "github.rows" not in stage_names(settings)  # RedPajama's rows have no ids


def test_the_sample_and_the_demo_read_all_seven_sources() -> None:
    for name in ("sample", "demo"):
        assert {source for source, asked in load(name).sources if asked} == SEVEN
    mixture = load("sample").mixture
    assert mixture is not None
    assert mixture.proportions == PROPORTIONS
