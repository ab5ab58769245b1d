"""STAND-IN until the cleaner is merged."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pydantic import BaseModel, ConfigDict
from filters.verdict import Drop, Reason


@dataclass(frozen=True, slots=True)
class Included:
    name: str
    text: str


Resolve = Callable[[str, str, str], Included | None]


class LatexReason(Reason):
    NO_SECTION = "latex/no_section"


class LatexSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    title_and_abstract: bool = False


@dataclass(frozen=True, slots=True)
class Paper:
    text: str
    title: str = ""
    facts: dict[str, int] = field(default_factory=dict)


def clean_paper(main: Included, resolve: Resolve, settings: LatexSettings) -> Paper | Drop:
    import re

    facts = {"inputs": 0, "missing_inputs": 0}

    def sub(m):
        facts["inputs"] += 1
        r = resolve("input", m[1], main.name)
        if r is None:
            facts["missing_inputs"] += 1
        return r.text if r else ""

    text = re.sub(r"\\input\{([^}]*)\}", sub, main.text)
    m = re.search(r"\\section", text)
    if not m:
        return Drop(LatexReason.NO_SECTION, 0, 1)
    return Paper(text[m.start() :], "", facts)
