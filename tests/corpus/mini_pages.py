"""Writes the volume pages of the miniature dumps: sites with their boilerplate, and prose from the grammars.

A site repeats its menu, cookie notice and footer on every page, with dates and counts that differ only in digits; the
body's paragraphs are all but unique. That is what line deduplication is about.
"""

from dataclasses import dataclass
from random import Random

from mini_grammar import Rules, Voice, load_rules, number, seeded

TOPICS = (
    "garden",
    "kitchen",
    "walk",
    "sky",
    "code",
    "past",
    "music",
    "sport",
    "sea",
    "bird",
    "craft",
    "money",
    "health",
)
#: Language names (grammar files) with the codes Common Crawl writes.
LANGUAGE_CODES = {
    "english": "eng",
    "german": "deu",
    "french": "fra",
    "spanish": "spa",
    "italian": "ita",
    "dutch": "nld",
    "russian": "rus",
    "japanese": "jpn",
}
_TOP_LEVELS = ("example.org", "example.com", "example.net", "test")


@dataclass(frozen=True)
class Page:
    """A page as the crawler saw it.

    Attributes:
        key: Unique within the corpus; the record's id follows from it.
        url: Its address.
        date: ISO 8601 time of the visit.
        language: ISO 639-3 code.
        lines: Title first.
    """

    key: str
    url: str
    date: str
    language: str
    lines: tuple[str, ...]

    @property
    def body(self) -> bytes:
        """The conversion record's block: the lines, each ended by LF."""
        return "".join(f"{line}\n" for line in self.lines).encode()


def load_grammars() -> dict[str, Rules]:
    """Read the grammar of every language."""
    grammars = {name: load_rules(name) for name in LANGUAGE_CODES if name != "english"}
    return {"english": load_rules("english_words", "english"), **grammars}


def site_pages(rules: Rules, language: str, site_number: int, dump: str, page_count: int) -> list[Page]:
    """Write the pages of one site as one dump saw them.

    Two dumps see the same site with other pages, as two crawls do; its menu and footer stay.
    """
    topic = TOPICS[site_number % len(TOPICS)]
    site_voice = Voice(rules, topic, seeded("site", language, site_number))
    domain = f"{language}-{site_number:02d}.{_TOP_LEVELS[site_number % len(_TOP_LEVELS)]}"
    menu = _menu(site_voice)
    pages = []
    for index in range(page_count):
        key = f"{dump}/{language}/{site_number}/{index}"
        random = seeded("page", key)
        voice = Voice(rules, topic, random, {"site": domain})
        date = _moment(dump, random)
        url = f"http://{domain}/{topic}/{number(random, 1000, 9999)}-{index}.html"
        pages.append(Page(key, url, date, LANGUAGE_CODES[language], tuple(_lines(voice, language, menu))))
    return pages


def _menu(voice: Voice) -> list[str]:
    nav = voice.rules["nav"]
    start = number(voice.random, 0, len(nav) - 1)
    return [nav[(start + 5 * step) % len(nav)] for step in range(7)]


def _moment(dump: str, random: Random) -> str:
    month = {"MINI-2019-30": "2019-07", "MINI-2020-05": "2020-01"}[dump]
    day, hour, minute = number(random, 16, 25), number(random, 0, 23), number(random, 0, 59)
    return f"{month}-{day:02d}T{hour:02d}:{minute:02d}:{number(random, 0, 59):02d}Z"


def _lines(voice: Voice, language: str, menu: list[str]) -> list[str]:
    lines = [f"{voice.say('title')} - {voice.fixed['site']}", *menu[:5], voice.say("cookie")]
    lines += [voice.say("heading"), voice.say("posted")]
    for part in range(number(voice.random, 2, 5)):
        if part:
            lines.append(voice.say("heading"))
        lines += [_paragraph(voice, language) for _ in range(number(voice.random, 1, 4))]
    lines.append(voice.say("comments"))
    if "comment" in voice.rules:
        lines += [voice.say("comment") for _ in range(number(voice.random, 0, 3))]
    return [*lines, voice.say("counter"), *menu[5:], voice.say("copyright")]


def _paragraph(voice: Voice, language: str) -> str:
    space = "" if language == "japanese" else " "
    return space.join(voice.say("sentence") for _ in range(number(voice.random, 2, 5)))
