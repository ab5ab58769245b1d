"""Killed in the middle of reading and of writing, arXiv ends with the bytes of an undisturbed run."""

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from pipeline import launch as launching
from tests.killed import EVERYTHING, check_killed_in

PAPERS = 120  # a tar; each is a batch or two

Digests = Callable[..., dict[str, str]]


def eprint(number: int) -> bytes:
    """Give a paper of some 20 kB; each tenth is damaged, each eleventh withdrawn."""
    if number % 11 == 0:
        return gzip.compress(b"%auto-ignore\nThis paper has been withdrawn.", mtime=0)
    sentences = "".join(f"\\wave{{}} number {number * 7919 + place} rises. % and falls\n" for place in range(500))
    source = f"\\documentclass{{article}}\n\\def\\wave{{A wave}}\n\\begin{{document}}\n\\section{{One}}\n{sentences}"
    packed = gzip.compress(f"{source}\\end{{document}}\n".encode(), mtime=0)
    return packed[:-20] if number % 10 == 0 else packed


def write_config(folder: Path) -> Path:
    (folder / "data").mkdir()
    for dump in ("1", "2"):
        with tarfile.open(folder / "data" / f"arXiv_src_240{dump}_001.tar", "w") as archive:
            for number in range(1, PAPERS + 1):
                content = eprint(number)
                member = tarfile.TarInfo(f"2401/2401.{number + 60 * int(dump):05}.gz")  # half of them are in both
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    dumps = [{"id": dump, "paths": [f"arXiv_src_240{dump}_001.tar"]} for dump in ("1", "2")]
    values = {"data": str(folder / "data"), "batch_bytes": 64 << 10, "sources": {"arxiv": {"dumps": dumps}}}
    config = folder / "run.yaml"
    config.write_text(json.dumps({**values, "tokenizer": None, "tokens": None}))  # JSON is YAML
    return config


def test_killed_in_both_stages_a_run_ends_with_the_bytes_of_an_undisturbed_one(
    tmp_path: Path, digests: Digests
) -> None:
    check_killed_in(("arxiv.papers", "arxiv.documents"), write_config(tmp_path), tmp_path, digests)


def test_a_truncated_tar_that_is_fetched_again_gives_what_it_had_given_whole(tmp_path: Path, digests: Digests) -> None:
    config, quiet = write_config(tmp_path), Console(quiet=True)
    archive = tmp_path / "data" / "arXiv_src_2402_001.tar"
    content = archive.read_bytes()

    def run(output: Path) -> dict[str, str]:
        launching.launch(str(config), output=str(output), workers=1, console=quiet)
        return digests(output, EVERYTHING)

    whole = run(tmp_path / "whole")
    archive.write_bytes(content[: len(content) // 2])
    assert run(tmp_path / "run") != whole
    errors = "".join(path.read_text() for path in (tmp_path / "run" / "errors").rglob("*.jsonl"))
    assert errors.count("arxiv/bulk_truncated") == 1
    archive.write_bytes(content)
    assert run(tmp_path / "run") == whole
