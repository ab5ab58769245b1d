"""Writes miniature books: ``python tests/corpus/mini_books.py [--output DIR]``.

Ten books of the small world of :mod:`mini_grammar`, in the forms books come in: Project Gutenberg's headers of 1999, of
2003 and of today around them, in ASCII, Latin-1, Windows-1252 and UTF-8, as text, gzip, zip and JSON lines. Only the
marks of these headers are Project Gutenberg's; what stands between them is written here. The same text comes out on
every machine; how gzip and zip pack it depends on their versions.
"""

import argparse
import gzip
import io
import json
import os
import textwrap
import zipfile

from mini_grammar import Voice, seeded
from mini_pages import load_grammars

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "books")
#: Sentences of a chapter, chapters of a book, and characters of a line.
_SENTENCES, _CHAPTERS, _WIDTH = 24, 4, 70
#: Of the second edition's sentences, one in so many is a new one.
EDITION_STEP = 20
_UMLAUTS = {"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss", "„": '"', "“": '"'}

#: Which books hold how much of which other: of the sentences of the first, the share that the second has too. All other
#: pairs share no more than what a grammar repeats by chance.
PLANTED = {
    ("gutenberg/novella.zip#novella", "gutenberg/anthology"): 1.0,
    ("gutenberg/tower-1", "gutenberg/tower-2"): 1 - 1 / EDITION_STEP,
    ("gutenberg/7hafen10", "gutenberg/8hafen10"): 1.0,
    ("gutenberg/harbour-0", "books3/harbour"): 1.0,
}
#: What each is left with once cleaned: the names of its bodies, one behind the other.
BODIES = {
    "gutenberg/harbour-0": ("harbour",),
    "gutenberg/8hafen10": ("hafen",),
    "gutenberg/7hafen10": ("hafen",),
    "gutenberg/market-8": ("market",),
    "gutenberg/novella.zip#novella": ("novella",),
    "gutenberg/anthology": ("garden", "novella"),
    "gutenberg/tower-1": ("tower",),
    "gutenberg/tower-2": ("tower",),
    "gutenberg/kitchen": ("kitchen",),
    "books3/harbour": ("harbour",),
    "books3/sea": ("sea",),
}
_TOPICS = {"harbour": "sea", "market": "kitchen", "novella": "garden", "tower": "sea"}


def sentences(book: str) -> list[str]:
    """Give a book's sentences."""
    is_german = book == "hafen"
    rules = load_grammars()["german" if is_german else "english"]
    voice = Voice(rules, _TOPICS.get(book, book), seeded("books", book))
    return [voice.say("sentence") for _ in range(_SENTENCES * _CHAPTERS)]


def second_edition(book: str) -> list[str]:
    """Give a book's sentences with one in :data:`EDITION_STEP` written anew."""
    voice = Voice(load_grammars()["english"], _TOPICS.get(book, book), seeded("books", book, "second edition"))
    return [voice.say("sentence") if at % EDITION_STEP == 0 else one for at, one in enumerate(sentences(book))]


def body(book: str, edition: int = 1) -> str:
    """Give a book's text: title, and chapters of paragraphs of six sentences."""
    told = sentences(book) if edition == 1 else second_edition(book)
    parts = [book.upper()]
    for chapter in range(_CHAPTERS):
        parts.append(f"\n\n{'KAPITEL' if book == 'hafen' else 'CHAPTER'} {chapter + 1}\n")
        mine = told[chapter * _SENTENCES : (chapter + 1) * _SENTENCES]
        parts += [textwrap.fill(" ".join(mine[at : at + 6]), _WIDTH) + "\n" for at in range(0, _SENTENCES, 6)]
    return "\n".join(parts).rstrip() + "\n"


def of_today(text: str, name: str, *, encoding: str = "UTF-8", number: int = 90001) -> str:
    """Put the header and footer of today around a text."""
    title = name.upper()
    return (
        f"The Project Gutenberg EBook of {name.title()}, by A. Grammar\n\n"
        "This file may be read by whoever likes to. The terms of the Project Gutenberg\n"
        "License stand at its end.\n\n\n"
        f"Title: {name.title()}\n\nAuthor: A. Grammar\n\nRelease Date: March 5, 2011 [EBook #{number}]\n\n"
        f"Language: English\n\nCharacter set encoding: {encoding}\n\n"
        f"*** START OF THIS PROJECT GUTENBERG EBOOK {title} ***\n\n\n"
        "Produced by Nobody and the Online Distributed\nProofreading Team\n\n\n\n\n"
        f"{text}\n\n\n"
        "Transcriber's Note:\n\nObvious errors of spelling have been corrected.\n\n\n\n"
        f"End of the Project Gutenberg EBook of {name.title()}, by A. Grammar\n\n"
        f"*** END OF THIS PROJECT GUTENBERG EBOOK {title} ***\n\n"
        "START: FULL LICENSE\n\n" + _licence("Project Gutenberg-tm electronic works")
    )


def _licence(subject: str) -> str:
    """Write terms of our own, long enough that they would make unlike books alike."""
    rules = ("may be copied", "may be given away", "come without any warranty", "are not to be sold under this name")
    return "\n\n".join(f"1.{'ABCDEF'[at % 6]}.  {subject} {rules[at % 4]}, paragraph {at}." for at in range(40)) + "\n"


def of_1999(text: str, name: str, *, number: int) -> str:
    """Put a header and footer as they were in 1999 around a text."""
    return (
        f"The Project Gutenberg Etext of {name.title()}, by A. Grammar\n\n"
        "Please look at the important information in this header.\n\n"
        "**Plain Vanilla Electronic Texts, in a miniature**\n\n\n"
        f"{name.title()}\n\nby A. Grammar\n\nMay, 1999  [Etext #{number}]\n\n\n"
        f"*****This file should be named {name}10.txt or {name}10.zip*****\n\n"
        "***START**THE SMALL PRINT!**FOR PUBLIC DOMAIN ETEXTS**START***\n\n"
        + _licence('Etexts of this "Small Print!" statement')
        + "\n*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*\n\n\n\n\n"
        f"This etext was prepared by Nobody, nobody@example.org\n\n\n\n\n{text}\n\n\n"
        f"Ende dieses Project Gutenberg Etextes {name.title()}\n"
        f"End of The Project Gutenberg Etext of {name.title()}\n"
    )


def seven_bit(text: str) -> str:
    """Write German without its own letters, as Project Gutenberg did for the terminals of 1999."""
    return "".join(_UMLAUTS.get(character, character) for character in text)


def files() -> dict[str, bytes]:
    """Give every file's content, by its path."""
    german = body("hafen").replace("„", '"').replace("“", '"')
    anthology = of_today(body("garden"), "garden", number=90004) + "\n\n\n" + of_today(body("novella"), "novella")
    rows = [
        {"name": "harbour", "title": "Harbour", "text": body("harbour")},
        {"name": "sea", "title": "The Sea", "text": body("sea").replace("\n", "\r\n")},
        {"name": "empty", "title": "Nothing", "text": " \n"},
    ]
    return {
        "gutenberg/harbour-0.txt": _crlf(of_today(body("harbour"), "harbour")).encode("utf-8-sig"),
        "gutenberg/8hafen10.txt": _crlf(of_1999(german, "hafen", number=90002)).encode("latin-1"),
        "gutenberg/7hafen10.txt": _crlf(of_1999(seven_bit(german), "hafen", number=90002)).encode("ascii"),
        "gutenberg/market-8.txt": of_today(_curly(body("market")), "market", encoding="ISO-8859-1").encode("cp1252"),
        "gutenberg/novella.zip": _zipped({"novella.txt": of_today(body("novella"), "novella").encode()}),
        "gutenberg/anthology.txt.gz": gzip.compress(anthology.encode(), mtime=0),
        "gutenberg/tower-1.txt": of_today(body("tower"), "tower", number=90005).encode(),
        "gutenberg/tower-2.txt": of_today(body("tower", edition=2), "tower", number=90005).encode(),
        "gutenberg/kitchen.txt": body("kitchen").encode(),
        "gutenberg/one-line.txt": b"Nothing but a line.\n",
        "books3/part-0.jsonl": "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode(),
    }


def _crlf(text: str) -> str:
    return text.replace("\n", "\r\n")


def _curly(text: str) -> str:
    """Let every second paragraph be spoken, in quotes that Latin-1 does not have."""
    paragraphs = text.split("\n\n")
    return "\n\n".join(f"“{one}” — so it was said." if at % 2 else one for at, one in enumerate(paragraphs))


def _zipped(members: dict[str, bytes]) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (*members.items(), ("novella-h/novella-h.htm", b"<html>no book</html>")):
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return whole.getvalue()


def write(folder: str) -> None:
    """Write all files into a folder."""
    for path, content in files().items():
        place = os.path.join(folder, path)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(place, "wb") as stream:
            stream.write(content)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", default=FOLDER)
    write(parser.parse_args().output)
