"""Configs: YAML with values of ``--set``, checked against pydantic models before anything starts.

The settings of a rule sit beside the code they steer; this module gathers them into the config of a run and turns
every fault into one line that names the key, the value and what is allowed.
"""

import copy
import os
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from pipeline.arxiv_settings import ArxivSettings
from pipeline.books_settings import BooksSettings
from pipeline.c4_settings import C4Settings
from pipeline.corpora_settings import CorpusName, CorpusSettings
from pipeline.crawl_settings import RUN, CommonCrawlSettings
from pipeline.decontamination_settings import DecontaminationSettings
from pipeline.github_settings import GithubSettings
from pipeline.stackexchange_settings import StackExchangeSettings
from pipeline.wikipedia_settings import WikipediaSettings
from tokenizer.mixture import MixtureSettings
from tokenizer.settings import HeldOutSettings, TokenizerSettings, TokenShardSettings

ModelT = TypeVar("ModelT", bound=BaseModel)


class SettingsError(Exception):
    """A wrong setting, config or input: one line, exit status 2, nothing written."""


class Sources(BaseModel):
    """The sources of a run; one that is absent is not read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    wikipedia: WikipediaSettings | None = None
    stackexchange: StackExchangeSettings | None = None
    books: BooksSettings | None = None
    arxiv: ArxivSettings | None = None
    github: GithubSettings | None = None
    c4: C4Settings | None = None
    commoncrawl: CommonCrawlSettings | None = None
    corpora: dict[CorpusName, CorpusSettings] = Field(default_factory=dict)

    def names(self) -> list[str]:
        """Name the sources that are read."""
        return [*(name for name, asked in self if name != "corpora" and asked is not None), *self.corpora]

    @model_validator(mode="after")
    def _corpora_have_names_of_their_own(self) -> "Sources":
        taken = [name for name in self.corpora if name in type(self).model_fields and getattr(self, name)]
        if taken:
            raise ValueError(f"corpora: {taken[0]} is the name of a source that the run makes from dumps, too")
        return self

    @model_validator(mode="after")
    def _training_sources_are_read(self) -> "Sources":
        perplexity = self.commoncrawl.perplexity if self.commoncrawl is not None else None
        if perplexity is not None and perplexity.train_on and not getattr(self, perplexity.train_on):
            raise ValueError(f"commoncrawl.perplexity.train_on: the run does not read {perplexity.train_on}")
        reference = self.commoncrawl.reference if self.commoncrawl is not None else None
        if reference is not None and reference.wikipedia == RUN and self.wikipedia is None:
            raise ValueError(f"commoncrawl.reference.wikipedia = {RUN!r}: the run does not read wikipedia")
        return self


class RunSettings(BaseModel):
    """The config of a run.

    Attributes:
        name: Names the run folder, ``runs/<name>``.
        data: Root of relative input paths.
        seed: Decides which dropped documents keep their text, and which documents train the perplexity models and the
            classifier of references. The tokenizer's sample, the order in token shards, what is held out and the
            mixture have seeds of their own.
        batch_bytes: Text of a batch, and so of a documents file, in bytes of UTF-8.
        dropped_text_fraction: Share of the dropped documents whose text is kept beside the reason.
        sources: What to read.
        tokenizer: How the tokenizer is trained; ``null`` ends the run with the documents.
        tokens: How token shards are written; ``null`` writes none.
        held_out: Which documents are kept out of all training; ``null`` for none.
        mixture: In which proportions sources are sampled; ``null`` for all by their tokens.
        decontamination: Which evaluation sets' texts are looked for in the documents; ``null`` for none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")]
    data: str = "."
    seed: Annotated[int, Field(ge=0, lt=1 << 64)] = 0
    batch_bytes: Annotated[int, Field(ge=1 << 10, le=1 << 30)] = 32 << 20
    dropped_text_fraction: Annotated[float, Field(ge=0, le=1)] = 1.0
    sources: Sources
    tokenizer: TokenizerSettings | None = TokenizerSettings()
    tokens: TokenShardSettings | None = TokenShardSettings()
    held_out: HeldOutSettings | None = HeldOutSettings()
    mixture: MixtureSettings | None = None
    decontamination: DecontaminationSettings | None = None

    @model_validator(mode="after")
    def _something_to_do(self) -> "RunSettings":
        if not self.sources.names():
            raise ValueError(f"sources: give at least one of {', '.join(type(self.sources).model_fields)}")
        if self.tokens is not None and self.tokenizer is None:
            raise ValueError("tokens need a tokenizer: set tokens to null too, or give tokenizer")
        if self.mixture is not None and self.tokens is not None:
            self.mixture.check_sources(self.sources.names())
        return self

    @model_validator(mode="after")
    def _tokenizer_has_text(self) -> "RunSettings":
        proportions = self.tokenizer.proportions if self.tokenizer is not None else None
        read = self.sources.names()
        known = {*type(self.sources).model_fields, *read} - {"corpora"}
        for name in sorted(set(proportions or ()) - known):
            raise ValueError(f"tokenizer.proportions.{name}: no such source; there are {', '.join(sorted(known))}")
        if proportions is not None and not set(proportions) & set(read):
            named = ", ".join(proportions)
            raise ValueError(f"tokenizer.proportions: the run reads none of {named}; it reads {', '.join(read)}")
        return self


def load_settings(model: type[ModelT], path: str, overrides: Sequence[str] = ()) -> ModelT:
    """Load a config.

    Args:
        model: What it must look like.
        path: The YAML file.
        overrides: ``key=value`` each, the key dotted, the value YAML: ``sources.commoncrawl.min_chars=200``.

    Raises:
        SettingsError: The file cannot be read, or a key, type or value is wrong.
    """
    values = _read_yaml(path)
    if "name" in model.model_fields:
        values.setdefault("name", os.path.splitext(os.path.basename(path))[0])
    for override in overrides:
        _override(values, override)
    return parse_settings(model, values, origin=path)


def settings_of(model: type[ModelT], overrides: Sequence[str], base: Mapping[str, Any] | None = None) -> ModelT:
    """Make settings of ``key=value`` alone, the rest as in ``base``, by default at their defaults.

    Raises:
        SettingsError: A key, type or value is wrong.
    """
    values: dict[str, Any] = copy.deepcopy(dict(base or {}))
    for override in overrides:
        _override(values, override)
    return parse_settings(model, values, origin="--set")


def parse_settings(model: type[ModelT], values: Mapping[str, Any], *, origin: str) -> ModelT:
    """Check values against a model.

    Raises:
        SettingsError: A key, type or value is wrong; one line for the first fault and the number of the others.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        faults = _innermost(error.errors())
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise SettingsError(f"{origin}: {_describe(model, faults[0])}{more}") from error


def _read_yaml(path: str) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as stream:
            values = yaml.safe_load(stream)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise SettingsError(f"{path}: cannot read the config: {reason}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise SettingsError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise SettingsError(f"{path}: a config is a mapping of keys to values, not {type(values).__name__}")
    return {key: _unshared(value) for key, value in values.items()}


def _unshared(value: Any) -> Any:
    """Copy what YAML's anchors share, lest an override of one place change the others."""
    if isinstance(value, dict):
        return {key: _unshared(inner) for key, inner in value.items()}
    return [_unshared(inner) for inner in value] if isinstance(value, list) else value


def _override(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise SettingsError(f"--set {override}: must be key=value, e.g. --set data=/corpus")
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:
        raise SettingsError(f"--set {override}: the value is not YAML") from error
    *parents, last = key.split(".")
    place: Any = values
    for part in parents:
        if isinstance(place, list) and part.isdigit() and int(part) < len(place):
            place = place[int(part)]
        elif isinstance(place, dict):
            if place.get(part) is None:
                place[part] = {}
            place = place[part]
        else:
            place = None
    if isinstance(place, list) and last.isdigit() and int(last) < len(place):
        place[int(last)] = value
    elif isinstance(place, dict):
        place[last] = value
    else:
        raise SettingsError(f"--set {override}: {'.'.join(parents)} holds no keys")


def _innermost(faults: Sequence[ErrorDetails]) -> list[ErrorDetails]:
    """Leave out faults of what holds another one: a list is too short, too, when an item of it is wrong."""
    places = [fault["loc"] for fault in faults]
    return [
        fault for fault in faults if not any(place[: len(fault["loc"])] == fault["loc"] != place for place in places)
    ]


def _describe(model: type[BaseModel], fault: ErrorDetails) -> str:
    key = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        allowed = _fields_at(model, fault["loc"][:-1])
        close = get_close_matches(str(fault["loc"][-1]), allowed, n=1)
        hint = f"; did you mean {close[0]}?" if close else "."
        return f"unknown key {key}{hint} Allowed: {', '.join(allowed)}"
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "missing":
        return f"{key} is missing"
    if fault["type"] == "value_error":
        return f"{key}: {message}" if key else message
    return f"{key} = {fault['input']!r}: {message[0].lower()}{message[1:]}"


def _fields_at(model: type[BaseModel], location: Sequence[int | str]) -> list[str]:
    """List the keys allowed at a place of the model."""
    here: Any = model
    for part in location:
        if isinstance(part, int):
            continue
        here = _model_of(here.model_fields[part].annotation) if part in here.model_fields else here
    return sorted(here.model_fields)


def _model_of(annotation: Any) -> Any:
    """Find the model inside ``Model | None``, ``tuple[Model, ...]`` and the like."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _model_of(inner)
        if found is not None:
            return found
    return None
