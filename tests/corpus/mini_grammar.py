"""Expands the grammars of ``grammars/`` into sentences, the same ones in every run.

A grammar file holds rules. ``[name]`` opens a rule with one alternative a line, ``[name*]`` a word list: entries
separated by commas, given forms inside an entry by ``/``. A line that starts with ``#`` is a comment. Inside an
alternative, ``{name}`` expands a rule, ``{@name}`` the rule ``<topic>_name``, ``{3-9}`` is a number of that range,
``{name.1}`` the entry's second given form, ``{name|past}`` an inflected form and ``{Name}`` starts with a capital.

Words are drawn by Zipf's law, half the time from a list rotated for the page, so that a page keeps to its own words
as real pages do. Only ``Random.random`` is used: its sequence is guaranteed to stay the same between Python versions.
"""

import hashlib
import os
import re
from dataclasses import dataclass, field
from random import Random

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "grammars")
_SLOT = re.compile(r"\{([^{}]+)\}")
_RANGE = re.compile(r"(\d+)-(\d+)\Z")

Rules = dict[str, list[str]]


def load_rules(*names: str) -> Rules:
    """Read grammar files; a rule of a later file replaces one of the same name."""
    rules: Rules = {}
    for name in names:
        with open(os.path.join(FOLDER, f"{name}.txt"), encoding="utf-8") as lines:
            current: list[str] = []
            is_list = False
            for line in lines:
                text = line.rstrip("\n")
                if text.startswith("#"):
                    continue
                if text.startswith("["):
                    is_list = text.endswith("*]")
                    current = rules[text.strip("[]*")] = []
                else:
                    current.extend(text.split(", ") if is_list else [text])
    return rules


def seeded(*parts: object) -> Random:
    """Return a random source that depends on ``parts`` alone."""
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()
    return Random(int.from_bytes(digest[:8], "big"))


def number(random: Random, low: int, high: int) -> int:
    """Draw a whole number, both ends included."""
    return low + int(random.random() * (high - low + 1))


@dataclass
class Voice:
    """One page's way of writing: its rules, topic and favourite words.

    Attributes:
        rules: The grammar.
        topic: Prefix of the rules that ``@`` names.
        random: Where all choices come from.
        fixed: Values of slots that stay the same on the page, such as the site's name.
    """

    rules: Rules
    topic: str
    random: Random
    fixed: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._shift = self.random.random()

    def say(self, rule: str) -> str:
        """Expand a rule."""
        return self.expand(self._pick(rule))

    def expand(self, template: str) -> str:
        """Fill every slot of ``template``."""
        return _SLOT.sub(lambda slot: self._fill(slot[1]), template)

    def _fill(self, slot: str) -> str:
        if slot in self.fixed:
            return self.fixed[slot]
        if bounds := _RANGE.match(slot):
            return str(number(self.random, int(bounds[1]), int(bounds[2])))
        name, _, form = slot.partition("|")
        name, _, index = name.partition(".")
        is_capital = name.lstrip("@")[0].isupper() or form[:1].isupper()
        rule = name.lower().replace("@", f"{self.topic}_")
        words = _inflect(self.expand(self._pick(rule)).split("/"), index, form.lower())
        return words[0].upper() + words[1:] if is_capital else words

    def _pick(self, rule: str) -> str:
        options = self.rules[rule]
        size = len(options)
        if size < 12 or rule == "sentence":
            return options[int(self.random.random() * size)]
        rank = int((size + 1) ** self.random.random()) - 1
        shift = int(self._shift * size) if self.random.random() < 0.5 else 0
        # The lists are alphabetical: steps of 7 keep neighbours, and so a letter, from being frequent together.
        return options[(rank * 7 + shift) % size if size % 7 else (rank + shift) % size]


def _inflect(forms: list[str], index: str, form: str) -> str:
    given = {"s": 1, "past": 1, "part": 2, "ing": 3}
    if index:
        return forms[int(index)]
    if form in given and len(forms) > given[form]:
        return forms[given[form]]
    regular = {"the": "the {}".format, "a": _with_article, "s": _plural, "past": _past, "part": _past, "ing": _ing}
    return regular[form](forms[0]) if form else forms[0]


def _with_article(noun: str) -> str:
    has_vowel = noun[0].lower() in "aeiou" and not noun.startswith(("use", "uni"))
    return f"{'an' if has_vowel else 'a'} {noun}"


def _plural(noun: str) -> str:
    if noun.endswith(("s", "x", "ch", "sh")):
        return f"{noun}es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}s"


def _past(verb: str) -> str:
    if verb.endswith("e"):
        return f"{verb}d"
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return f"{verb[:-1]}ied"
    return f"{verb}ed"


def _ing(verb: str) -> str:
    if verb.endswith("ie"):
        return f"{verb[:-2]}ying"
    if verb.endswith("e") and not verb.endswith(("ee", "oe", "ye")):
        return f"{verb[:-1]}ing"
    return f"{verb}ing"
