"""Killed in the middle of either stage, StackExchange ends with the bytes of an undisturbed run."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import py7zr
from rich.console import Console

from pipeline import launch as launching
from tests.killed import EVERYTHING, check_killed_in

SITES = ("a.example.com", "b.example.com")
#: Small enough that both stages have many batches, so that there is a middle to be killed in.
SMALL = {"partition_bytes": 24_000, "split_bytes": 200_000}
QUESTIONS = 500

Digests = Callable[..., dict[str, str]]


def rows() -> Iterator[str]:
    for number in range(1, QUESTIONS):
        body = f"&lt;p&gt;{number * 7919} is asked {'again and ' * (number % 40)}again.&lt;/p&gt;"
        yield f'<row Id="{number}" PostTypeId="1" Score="{number % 7}" Title="T {number}" Body="{body}" />'
        parent, kind = number * 31 % QUESTIONS or QUESTIONS + 1, 5 if number % 50 == 0 else 2
        answer = f'<row Id="{QUESTIONS + number}" PostTypeId="{kind}" ParentId="{parent}" Score="{number % 5}"'
        yield f'{answer} Body="{body}" />' if number % 60 else f"{answer} Body="


def write_config(folder: Path) -> Path:
    for site in SITES:
        (folder / "data" / site).mkdir(parents=True)
        content = "<posts>\n" + "\n".join(rows()) + "\n</posts>"
        (folder / "data" / site / "Posts.xml").write_text(content)
    source = {"dumps": [{"id": "D", "paths": list(SITES)}], **SMALL}
    values = {"data": str(folder / "data"), "batch_bytes": 32 << 10, "sources": {"stackexchange": source}}
    config = folder / "run.yaml"
    config.write_text(json.dumps({**values, "tokenizer": None, "tokens": None}))  # JSON is YAML
    return config


def test_a_truncated_archive_that_is_fetched_again_gives_what_it_had_given_whole(
    tmp_path: Path, digests: Digests
) -> None:
    config, quiet, archive = write_config(tmp_path), Console(quiet=True), tmp_path / "data" / f"{SITES[0]}.7z"
    posts = tmp_path / "data" / SITES[0] / "Posts.xml"
    with py7zr.SevenZipFile(archive, "w", filters=[{"id": py7zr.FILTER_BZIP2}]) as packed:
        packed.write(posts, "Posts.xml")
    posts.unlink()
    config.write_text(config.read_text().replace(f'"{SITES[0]}"', f'"{archive.name}"'))
    content = archive.read_bytes()

    def run(output: Path) -> dict[str, str]:
        launching.launch(str(config), output=str(output), workers=1, console=quiet)
        return digests(output, EVERYTHING)

    whole = run(tmp_path / "whole")
    archive.write_bytes(content[: len(content) // 2])
    cut = run(tmp_path / "run")
    assert not any(SITES[0] in name for name in cut if name.startswith("documents/"))
    (error,) = [name for name in cut if "stackexchange.posts" in name and SITES[0] in name]
    assert "7z/truncated" in (tmp_path / "run" / error).read_text()
    archive.write_bytes(content)
    assert run(tmp_path / "run") == whole


def test_killed_in_both_stages_a_run_ends_with_the_bytes_of_an_undisturbed_one(
    tmp_path: Path, digests: Digests
) -> None:
    check_killed_in(("stackexchange.posts", "stackexchange.documents"), write_config(tmp_path), tmp_path, digests)
