"""Writes the miniature Common Crawl dumps: ``python tests/corpus/generate.py [--output DIR]``.

The volume comes from :mod:`mini_pages`, the pages whose fate is known from ``planted/*.yaml``. The same bytes come out
on every machine, but for the gzip members, whose content alone is the same with any zlib.
"""

import argparse
import hashlib
import html
import os
from collections.abc import Iterable
from dataclasses import dataclass

import mini_warc
import yaml
from mini_grammar import Voice, seeded
from mini_pages import LANGUAGE_CODES, Page, load_grammars, site_pages
from mini_warc import Http

FOLDER = os.path.dirname(os.path.abspath(__file__))
#: File key (as in planted/*.yaml), its path below the output folder, and its share of the dump's volume pages.
FILES = {
    "2019/0": ("MINI-2019-30/MINI-20190716001122-20190716021122-00000.warc.wet.gz", 40),
    "2019/1": ("MINI-2019-30/MINI-20190716001122-20190716021122-00001.warc.wet.gz", 22),
    "2019/plain": ("MINI-2019-30/MINI-20190716001122-20190716021122-00002.warc.wet", 4),
    "2019/whole": ("MINI-2019-30/MINI-20190716001122-20190716021122-00003.warc.wet.gz", 33),
    "2019/long-length": ("MINI-2019-30/MINI-20190716001122-20190716021122-00004.warc.wet", 1),
    "2020/0": ("MINI-2020-05/MINI-20200117003344-20200117023344-00000.warc.wet.gz", 56),
    "2020/1": ("MINI-2020-05/MINI-20200117003344-20200117023344-00001.warc.wet.gz", 34),
    "2020/truncated": ("MINI-2020-05/MINI-20200117003344-20200117023344-00002.warc.wet.gz", 5),
    "2020/faulty": ("MINI-2020-05/MINI-20200117003344-20200117023344-00003.warc.wet.gz", 5),
    "2020/html": ("MINI-2020-05/MINI-20200117003344-20200117023344-00000.warc.gz", 0),
}
_DATES = {"2019": "2019-07-16T00:11:22Z", "2020": "2020-01-17T00:33:44Z"}
#: Dump, first English site, English sites, pages a site; then sites and pages a site of each other language.
_VOLUME = (("MINI-2019-30", 0, 22, 10, 2, 6), ("MINI-2020-05", 12, 23, 11, 2, 6))


@dataclass(frozen=True)
class Planted:
    """A page of ``planted/*.yaml``.

    Attributes:
        page: As the crawler saw it; for an HTML page without lines.
        file: Key of :data:`FILES`.
        block: The record's block, or the HTTP payload.
        damage: What is wrong with the record, or empty.
        http: For a response: how it was sent.
    """

    page: Page
    file: str
    block: bytes
    damage: str
    http: Http | None


def read_planted() -> list[dict[str, object]]:
    """Read the entries of all planted files, in order."""
    folder = os.path.join(FOLDER, "planted")
    entries: list[dict[str, object]] = []
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), encoding="utf-8") as source:
            entries.extend(yaml.safe_load(source))
    return entries


def planted_page(entry: dict[str, object]) -> Planted:
    """Build a planted page from its entry."""
    text = str(entry["html"] if "html" in entry else f"{entry['title']}\n{entry.get('text', '')}")
    if "long_line" in entry:
        text += _long_line(str(entry["name"]), int(str(entry["long_line"]))) + "\n"
    if entry.get("line_ends") == "crlf":
        text = text.replace("\n", "\r\n")
    block = text.encode(str(entry.get("encoding", "utf-8")))
    if "block_hex" in entry:
        block = bytes.fromhex(str(entry["block_hex"]))
    if entry.get("damage") == "invalid_utf8":
        block = block.replace(b"\xe2\x82\xac", b"\xe2\x82", 1)
    page = Page(str(entry["name"]), str(entry["url"]), str(entry["date"]), str(entry.get("language", "eng")), ())
    settings = entry.get("http")
    http = Http(**settings) if isinstance(settings, dict) else None
    return Planted(page, str(entry["file"]), block, str(entry.get("damage", "")), http)


def _long_line(name: str, chars: int) -> str:
    voice = Voice(load_grammars()["english"], "sea", seeded("long line", name))
    text = ""
    while len(text) < chars:
        text += voice.say("sentence") + " "
    return text[:chars].rstrip().ljust(chars, ".")


def volume_pages() -> list[Page]:
    """Write the pages of all sites and both dumps."""
    grammars = load_grammars()
    pages: list[Page] = []
    for dump, first, sites, site_size, other_sites, other_size in _VOLUME:
        for site in range(first, first + sites):
            pages += site_pages(grammars["english"], "english", site, dump, site_size)
        for language in list(LANGUAGE_CODES)[1:]:
            for site in range(other_sites):
                pages += site_pages(grammars[language], language, site, dump, other_size)
    return pages


def assign_files(pages: Iterable[Page]) -> dict[str, list[Planted]]:
    """Spread volume pages over their dump's files by a hash of their key."""
    files: dict[str, list[Planted]] = {key: [] for key in FILES}
    for page in pages:
        year = page.key.removeprefix("MINI-")[:4]
        wheel = [key for key, (_, share) in FILES.items() if key.startswith(year) for _ in range(share)]
        files[wheel[_rank(page.key) % len(wheel)]].append(Planted(page, "", page.body, "", None))
    return files


def file_records(key: str, contents: list[Planted]) -> list[bytes]:
    """Write the records of a file: a warcinfo record, then the pages in the order of a hash.

    A record with a wrong length comes first, so that one follows it; one to be cut comes last.
    """
    path, _ = FILES[key]
    dump, name = path.split("/")
    records = [mini_warc.warcinfo(name, dump, _DATES[key[:4]])]
    place = {"truncated": 1, "length_too_large": -1, "length_too_small": -1}
    for item in sorted(contents, key=lambda item: (place.get(item.damage, 0), _rank(item.page.key))):
        if item.http is not None:
            records += mini_warc.exchange(item.page, item.block, item.http, f"{name}/warcinfo")
            continue
        wrong = {"length_too_large": 777, "length_too_small": -40}.get(item.damage, 0)
        records.append(
            mini_warc.conversion(
                item.page,
                item.block,
                has_language=dump == "MINI-2020-05",
                length=len(item.block) + wrong,
                has_id=item.damage != "no_record_id",
            )
        )
    return records


def pack(key: str, records: list[bytes]) -> bytes:
    """Lay a file's records out: plain, one gzip for all, or a gzip member each, cut short where that is the fault."""
    if not FILES[key][0].endswith(".gz"):
        return b"".join(records)
    if key == "2019/whole":
        return mini_warc.gzip_member(b"".join(records))
    members = [mini_warc.gzip_member(record) for record in records]
    if key == "2020/truncated":
        members[-1] = members[-1][: len(members[-1]) * 4 // 5]
    return b"".join(members)


def html_page(page: Page) -> str:
    """Write a volume page's lines as HTML: the title in the head, a block element a line."""
    blocks = "\n".join(f"<p>{html.escape(line, quote=False)}</p>" for line in page.lines[1:])
    head = f"<head><title>{html.escape(page.lines[0])}</title></head>"
    return f"<!DOCTYPE html>\n<html>{head}\n<body>\n{blocks}\n</body></html>"


def html_volume() -> list[Planted]:
    """Write one site as HTML responses."""
    rules = load_grammars()["english"]
    pages = site_pages(rules, "english", 40, "MINI-2020-05", 14)
    return [Planted(page, "2020/html", html_page(page).encode(), "", Http()) for page in pages]


def write(output: str) -> None:
    """Write both dumps below ``output``."""
    files = assign_files(volume_pages())
    for planted in [*map(planted_page, read_planted()), *html_volume()]:
        files[planted.file].append(planted)
    for key, contents in files.items():
        path = os.path.join(output, FILES[key][0])
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as target:
            target.write(pack(key, file_records(key, contents)))


def _rank(key: str) -> int:
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")


def main() -> None:
    """Read the command line and write."""
    parser = argparse.ArgumentParser(description="Write the miniature dumps.")
    parser.add_argument("--output", default=os.path.join(FOLDER, "commoncrawl"), help="folder of the dumps")
    write(parser.parse_args().output)


if __name__ == "__main__":
    main()
