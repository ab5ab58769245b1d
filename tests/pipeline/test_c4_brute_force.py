"""C4 rebuilt by the pipeline equals C4 rebuilt with plain dictionaries over all pages, here rule by rule as published.

The rules are those of ``c4_utils.py`` (TensorFlow Datasets, version 3), written anew, one line and one page at a time.
Records are read with warcio, sentences found by nupunkt, languages identified by langdetect itself.
"""

import gzip
import hashlib
import io
import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import langdetect
import nupunkt
import pyarrow.dataset as ds
import pytest
from rich.console import Console
from warcio.archiveiterator import ArchiveIterator

from pipeline.launch import launch
from pipeline.sources import c4

POLICY = ["terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies"]


@dataclass
class Page:
    id: str
    url: str
    date: str
    text: str


def read_wet(data: bytes) -> Iterator[Page]:
    for record in ArchiveIterator(io.BytesIO(data)):
        if record.rec_type != "conversion":
            continue
        block = record.content_stream().read().decode()
        lines = [line.strip() for line in io.StringIO(block, newline=None)]
        text = "\n".join(line for line in lines if line and not line.startswith(("WARC", "CONTENT-", "Content-")))
        header = record.rec_headers.get_header
        identity = header("WARC-Record-ID").removeprefix("<urn:uuid:").removesuffix(">")
        yield Page(f"c4/{identity}", header("WARC-Target-URI") or "", header("WARC-Date") or "", text)


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def sentences(text: str) -> list[str]:
    return [sentence.strip() for sentence in nupunkt.sent_tokenize(text)]


def brute_force(pages: Sequence[Page], *, spans: bool = False) -> dict[str, tuple[str, str]]:
    """Give each page's fate: ``("kept", its text)`` or ``("dropped", why)``. Pages come by file and record."""
    fates: dict[str, tuple[str, str]] = {}
    newest: dict[str, Page] = {}
    for page in pages:
        reason = lacks(page)
        if reason:
            fates[page.id] = "dropped", reason
            continue
        fates[page.id] = "dropped", "c4/duplicate_url"
        key = re.sub(r"\?(utm_|ref|feed).*", "", re.sub(r"https?:\/\/(www\.)?", "", page.url)).rstrip("/")
        if key not in newest or page.date > newest[key].date:
            newest[key] = page
    cleaned: dict[str, tuple[str, str]] = {}
    for page in newest.values():
        outcome, text = clean(page.text)
        if outcome == "dropped":
            fates[page.id] = outcome, text
        else:
            cleaned[page.id] = page.url, text
    without = without_spans(cleaned) if spans else without_lines(cleaned)
    for name, text in without.items():
        if not text:
            fates[name] = "dropped", "c4/only_duplicate_lines"
        elif len(sentences(text)) < 3:
            fates[name] = "dropped", "c4/few_sentences_left"
        else:
            fates[name] = "kept", text
    return fates


def lacks(page: Page) -> str:
    if not page.url:
        return "c4/no_url"
    if not page.text:
        return "c4/no_content"
    if not page.date:
        return "c4/no_timestamp"
    return "c4/too_long" if len(page.text) > 1.9e5 else ""


def clean(text: str) -> tuple[str, str]:
    kept: list[str] = []
    found = 0
    for raw in text.splitlines():
        if any(len(word) > 1000 for word in raw.split()):
            continue
        line = re.sub(r"\[\d*\]", "", raw.strip().replace("[edit]", "").replace("[citation needed]", ""))
        if not line.endswith((".", "?", "!", '"')) or line.endswith("..."):
            continue
        if len(line.split()) < 5:
            continue
        if "lorem ipsum" in line.lower():
            return "dropped", "c4/lorem_ipsum"
        if "javascript" in line.lower():
            continue
        if "{" in line:
            return "dropped", "c4/curly_bracket"
        if any(notice in line.lower() for notice in POLICY):
            continue
        found += len(sentences(line))
        kept.append(line)
    if not "\n".join(kept).strip():
        return "dropped", "c4/no_line_left"
    return ("dropped", "c4/few_sentences") if found < 3 else ("kept", "\n".join(kept).strip())


def without_lines(pages: dict[str, tuple[str, str]]) -> dict[str, str]:
    owner: dict[str, str] = {}
    for url, text in pages.values():
        for line in text.split("\n"):
            key = line.strip().lower()
            owner[key] = min(owner.get(key, url), url, key=md5)
    left = {}
    for name, (url, text) in pages.items():
        seen: set[str] = set()
        lines = []
        for line in text.split("\n"):
            key = line.strip().lower()
            if owner[key] == url and key not in seen:
                lines.append(line)
            seen.add(key)
        left[name] = "\n".join(lines)
    return left


def without_spans(pages: dict[str, tuple[str, str]]) -> dict[str, str]:
    """Take out repeated spans; what blanks lie between the sentences left is not told, they are joined with one."""
    cut = {name: sentences(text) for name, (_, text) in pages.items()}
    lowered = {name: [sentence.lower() for sentence in found] for name, found in cut.items()}
    spans = {name: [tuple(low[i : i + 3]) for i in range(len(low) - 2)] for name, low in lowered.items()}
    owner: dict[tuple[str, ...], str] = {}
    for name, (url, _) in pages.items():
        for span in spans[name]:
            owner[span] = min(owner.get(span, url), url, key=md5)
    left = {}
    for name, (url, _) in pages.items():
        seen: set[tuple[str, ...]] = set()
        gone: set[int] = set()
        for i, span in enumerate(spans[name]):
            if owner[span] != url or span in seen:
                gone |= {i, i + 1, i + 2}
            seen.add(span)
        left[name] = " ".join(sentence for i, sentence in enumerate(cut[name]) if i not in gone)
    return left


def rebuild(output: Path, data: Path, *, batch_bytes: int, **asked: Any) -> Path:
    values = {
        "data": str(data),
        "batch_bytes": batch_bytes,
        "sources": {"c4": asked},
        "tokenizer": None,
        "tokens": None,
    }
    config = output.parent / "c4.yaml"
    config.write_text(json.dumps(values))  # JSON is YAML
    launch(str(config), output=str(output), workers=2, bytes_per_worker=1 << 20, console=Console(quiet=True))
    return output


def comparable(fates: dict[str, tuple[str, str]], dedup: str) -> dict[str, tuple[str, str]]:
    """Leave blanks out where brute force does not tell which ones join the sentences left."""
    return {name: (kind, "".join(text.split()) if dedup == "spans" else text) for name, (kind, text) in fates.items()}


def rows(folder: Path) -> list[dict[str, Any]]:
    return ds.dataset(folder, exclude_invalid_files=True).to_table().to_pylist()


def fates_of(run: Path) -> dict[str, tuple[str, str]]:
    """Give the fates up to the stage that identifies languages; records that are no pages are left out."""
    left_out = [row for row in rows(run / "dropped" / "c4") if not row["reason"].startswith("warc/")]
    dropped = {row["id"]: ("dropped", row["reason"]) for row in left_out}
    scored = {row["id"]: ("kept", row["text"]) for row in rows(run / "work" / c4.SCORED)}
    return {**dropped, **scored}


SUBJECTS = ["The old miller", "A tired traveller", "My younger sister", "The village doctor", "Every neighbour of ours"]
VERBS = ["walked slowly to", "never spoke about", "kept a picture of", "wrote a letter about"]
PLACES = ["the house by the river", "the long winter of that year"]
JUNK = [
    "Home",
    "This line has no end mark",
    "It goes on like this...",
    "Too short here.",
    "Enable JavaScript to see this page.",
    "This site uses cookies to follow you.",
    "A citation stands at the end of this. [3]",
    "{ menu",
    "Content-Length is the name of a header.",
    "",
]


def random_line(draw: random.Random) -> str:
    if draw.random() < 0.25:
        return draw.choice(JUNK)
    if draw.random() < 0.04:
        return draw.choice(["Here Lorem ipsum fills up the page.", "The brace { opens and never closes."])
    said = [
        " ".join(
            [draw.choice(SUBJECTS), draw.choice(VERBS), draw.choice(PLACES), *draw.choice([[], ["once"], ["twice"]])]
        )
        for _ in range(draw.randint(1, 3))
    ]
    line = draw.choice([" ", "  ", "\u2028"]).join(
        f"{sentence}{draw.choice(['.', '.', '!', '[12].'])}" for sentence in said
    )
    return draw.choice([str, str, str.upper, "  {} ".format])(line)


def random_world(root: Path, record: Callable[..., bytes], draw: random.Random) -> list[Page]:
    """Write files of pages that share lines, sentences and addresses, and give the pages by file and record."""
    pages: list[Page] = []
    for number, name in enumerate(("A/1.wet.gz", "A/2.wet", "B/1.wet.gz", "B/2.wet", "B/3.wet")):
        records = []
        for i in range(60):
            block = "".join(f"{random_line(draw)}{draw.choice(['', '', chr(13)])}\n" for _ in range(draw.randint(0, 9)))
            url = f"{draw.choice(['http://', 'https://www.'])}example.org/{draw.randrange(200)}"
            url += draw.choice(["", "", "/", "?utm_source=x", "?ref=y", "?id=3"])
            fields = {
                "WARC-Target-URI": draw.choice([url] * 20 + [None]),
                "WARC-Date": draw.choice(
                    ["2019-04-25T12:57:54Z", "2019-04-25T12:57:55Z", "2019-05-01T00:00:00Z"] * 9 + [None]
                ),
            }
            records.append(record(block.encode(), number=number * 1000 + i, fields=fields))
        data = b"".join(map(gzip.compress, records)) if name.endswith(".gz") else b"".join(records)
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
        pages += read_wet(data)
    return pages


@pytest.mark.parametrize("dedup", ["lines", "spans"])
@pytest.mark.parametrize("seed", [1, 2])
def test_on_pages_that_share_lines_spans_and_addresses_every_fate_is_that_of_plain_dictionaries(
    seed: int, dedup: str, tmp_path: Path, record: Callable[..., bytes]
) -> None:
    pages = random_world(tmp_path / "data", record, random.Random(seed))
    dumps = [{"id": name, "paths": [name]} for name in ("A", "B")]
    run = rebuild(tmp_path / "run", tmp_path / "data", batch_bytes=1 << 16, dumps=dumps, dedup=dedup)
    expected, found = brute_force(pages, spans=dedup == "spans"), fates_of(run)
    assert len(found) == 300
    assert comparable(found, dedup) == comparable(expected, dedup)
    reasons = Counter(reason for kind, reason in brute_force(pages).values() if kind == "dropped")
    assert reasons.keys() >= {"c4/no_url", "c4/no_content", "c4/no_timestamp", "c4/duplicate_url", "c4/lorem_ipsum"}
    assert reasons.keys() >= {"c4/no_line_left", "c4/few_sentences", "c4/only_duplicate_lines", "c4/few_sentences_left"}


@pytest.fixture(scope="module")
def derived(real_data: Path) -> list[Page]:
    files = sorted((real_data / "commoncrawl" / "derived").glob("*.wet.gz"))
    return [page for file in files for page in read_wet(file.read_bytes())]


@pytest.mark.parametrize(("dedup", "detector"), [("lines", "langdetect"), ("spans", "fasttext")])
def test_on_real_pages_every_fate_is_that_of_plain_dictionaries(
    dedup: str, detector: str, derived: list[Page], real_data: Path, tmp_path: Path
) -> None:
    dumps = [{"id": "wet", "paths": ["commoncrawl/derived/*.wet.gz"]}]
    asked = {"dumps": dumps, "dedup": dedup, "language": {"detector": detector}}
    run = rebuild(tmp_path / "run", real_data, batch_bytes=1 << 20, **asked)
    expected, found = brute_force(derived, spans=dedup == "spans"), fates_of(run)
    assert len(found) == len(derived) == 1069
    assert comparable(found, dedup) == comparable(expected, dedup)
    if detector == "langdetect":
        check_languages(run)


def check_languages(run: Path) -> None:
    """Ask langdetect itself about every twelfth page."""
    langdetect.DetectorFactory.seed = 0
    kept = {row["id"] for row in rows(run / "documents" / "c4")}
    scored = sorted(rows(run / "work" / c4.SCORED), key=lambda row: row["id"])[::12]
    assert len(scored) > 70
    for row in scored:
        best = langdetect.detect_langs(row["text"])[0]
        assert (row["language"], row["metadata"]["language_score"]) == (best.lang, pytest.approx(best.prob, abs=1e-9))
        assert (row["id"] in kept) == (best.lang == "en" and best.prob >= 0.99)


def test_every_real_record_is_kept_dropped_or_an_error(
    real_data: Path, tmp_path: Path, count_starts: Callable[[bytes], int]
) -> None:
    large = re.compile(r"trafilatura-pages-0[01]\.derived\.warc\.gz$|\.(arc|wat)")
    paths = [path for path in sorted((real_data / "commoncrawl").rglob("*")) if path.is_file()]
    paths = [path for path in paths if not large.search(path.name)]
    folders = sorted({path.parent for path in paths})
    dumps = [{"id": one.name, "paths": [str(path) for path in paths if path.parent == one]} for one in folders]
    asked = {"dumps": dumps, "language": {"detector": "fasttext", "min_probability": 0.5}}
    run = rebuild(tmp_path / "run", real_data, batch_bytes=1 << 20, **asked)
    kept, dropped = rows(run / "documents" / "c4"), rows(run / "dropped" / "c4")
    lines = [line for file in (run / "errors" / "c4").iterdir() for line in file.read_text().splitlines()]
    errors = [json.loads(line) for line in lines]
    starts = sum(count_starts(path.read_bytes()) for path in paths)
    assert len(kept) + len(dropped) + sum(error["is_record"] for error in errors) == starts
    assert min(len(kept), len(dropped), len(errors)) > 0
    assert len({row["id"] for row in kept}) == len(kept)


def test_the_published_sample_passes_with_identical_text(real_data: Path, tmp_path: Path) -> None:
    sample = real_data / "c4" / "c4-train.00000-of-01024.sample.json.gz"
    run = rebuild(tmp_path / "run", real_data, batch_bytes=1 << 20, paths=("c4/*.json.gz",))
    with gzip.open(sample, "rt", encoding="utf-8") as stream:
        expected = [json.loads(line) for line in stream]
    found = {int(row["id"].rpartition(":")[2]): row for row in rows(run / "documents" / "c4")}
    assert [(found[i]["text"], found[i]["url"]) for i in sorted(found)] == [
        (row["text"], row["url"]) for row in expected
    ]
    assert len(found) == 666
    assert {row["metadata"]["split"] for row in found.values()} == {"train"}
