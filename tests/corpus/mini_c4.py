"""Writes a miniature of the published C4: ``python tests/corpus/mini_c4.py [--output DIR]``.

Two files of JSON lines as ``allenai/c4`` has them, about the small world of :mod:`mini_grammar`. The same text comes
out on every machine; how gzip packs it depends on its version.
"""

import argparse
import gzip
import json
import os

from mini_grammar import Voice, seeded
from mini_pages import load_grammars

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "c4")
#: Each file and how many pages it has.
FILES = {"mini-train.00000-of-00002.json.gz": 24, "mini-train.00001-of-00002.json.gz": 16}
_TOPICS = ("sea", "kitchen", "garden")
_MAX_LINES = 4
_SENTENCES = 3  # a line


def page(file: str, number: int) -> dict[str, str]:
    """Write a page: paragraphs of whole sentences, one a line, as C4's rules leave them."""
    random = seeded("c4", file, number)
    voice = Voice(load_grammars()["english"], _TOPICS[number % len(_TOPICS)], random)
    lines = []
    for _ in range(1 + int(random.random() * _MAX_LINES)):
        lines.append(" ".join(voice.say("sentence") for _ in range(_SENTENCES)))
    day, second = 18 + number % 9, number % 60
    return {
        "text": "\n".join(lines),
        "timestamp": f"2019-04-{day:02}T12:57:{second:02}Z",
        "url": f"https://www.{_TOPICS[number % len(_TOPICS)]}{number}.example/{file[11:16]}/",
    }


def content(file: str) -> bytes:
    """Give a file's lines, encoded as the published ones are: no blank between key and value, ASCII only."""
    rows = [page(file, number) for number in range(FILES[file])]
    return "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows).encode()


def write(folder: str) -> None:
    """Write both files into a folder."""
    os.makedirs(folder, exist_ok=True)
    for file in FILES:
        with open(os.path.join(folder, file), "wb") as stream:
            stream.write(gzip.compress(content(file), mtime=0))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", default=FOLDER)
    write(parser.parse_args().output)
