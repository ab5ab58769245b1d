"""The commands: what they print, and their exit status."""

import gzip
import hashlib
import os
import signal
import subprocess
import sys

import pytest
import typer
import yaml
from typer.testing import CliRunner

from pipeline.cli_fetch import app
from pipeline.fetch_http import FetchError
from pipeline.settings import SettingsError

PATH = "crawl-data/D/segments/1/warc/1.warc.gz"


@pytest.fixture
def run(monkeypatch):
    """Run a command as the command line does, through no proxy and without waiting."""
    monkeypatch.setenv("NO_PROXY", "*")
    parent = typer.Typer()
    parent.add_typer(app, name="fetch")

    def invoke(*arguments):
        return CliRunner().invoke(parent, ["fetch", *arguments, "--requests-per-second", "1000"])

    return invoke


@pytest.fixture
def dump(server):
    server.put("/crawl-data/D/warc.paths.gz", gzip.compress(f"{PATH}\n".encode()))
    server.put(f"/{PATH}", gzip.compress(b"WARC/1.0\r\n"))
    return server


def test_crawl_prints_nothing_but_lines_for_a_config(run, dump, tmp_path):
    output = str(tmp_path / "data")
    done = run("crawl", "D", "--kind", "warc", "--segments", "1", "--output", output, "--base-url", dump.url)
    assert done.exit_code == 0
    assert yaml.safe_load(done.stdout) == {
        "data": output,
        "sources": {"commoncrawl": {"dumps": [{"id": "D", "paths": ["crawl-data/D/warc.paths"]}]}},
    }
    assert f"file 1 of 1: {PATH}" in done.stderr


def test_crawl_with_a_file_missing_fails_after_the_others(run, dump, reply, tmp_path):
    dump.put(f"/{PATH}", reply(b"", 404))
    done = run("crawl", "D", "--kind=warc", "--segments=1", f"--output={tmp_path}", f"--base-url={dump.url}")
    assert done.exit_code == 1
    assert f"error: 1 of 1 files could not be had: {PATH}" in done.stderr


def test_the_contact_is_sent(run, dump, tmp_path, monkeypatch):
    command = ["crawl", "D", "--kind=warc", "--segments=1", f"--output={tmp_path}", f"--base-url={dump.url}"]
    run(*command, "--contact", "me@example.org")
    monkeypatch.setenv("LLAMA_CORPUS_CONTACT", "you@example.org")
    run(*command)
    agents = {one.headers["user-agent"].partition(" ")[2] for one in dump.asked}
    assert agents == {"(+me@example.org)", "(+you@example.org)"}


def test_words_come_with_their_paths_and_models_with_lines_for_a_config(run, server, tmp_path):
    server.put("/en", b"darn\n")
    done = run("bad-words", "en", f"--output={tmp_path}", f"--base-url={server.url}")
    assert (done.exit_code, done.stdout) == (0, f"{tmp_path}/en.txt\n")
    server.put("/en.sp.model", b"\nx")
    server.put("/en.arpa.bin", b"mmap lm http://kheafield.com/code format version 5")
    done = run("ccnet-models", "en", f"--output={tmp_path}", f"--base-url={server.url}")
    assert done.exit_code == 0
    assert yaml.safe_load(done.stdout) == {"sources": {"commoncrawl": {"perplexity": {"models": str(tmp_path)}}}}


def test_the_language_model_comes_with_lines_for_a_config(run, server, tmp_path):
    server.put("/lid.176.bin", b"\xba\x16\x4f\x2fmodel")
    sha256 = "0" * 64
    refused = run("language-model", f"--output={tmp_path}", f"--base-url={server.url}", f"--sha256={sha256}")
    assert isinstance(refused.exception, FetchError)
    sha256 = hashlib.sha256(b"\xba\x16\x4f\x2fmodel").hexdigest()
    done = run("language-model", f"--output={tmp_path}", f"--base-url={server.url}", f"--sha256={sha256}")
    assert yaml.safe_load(done.stdout) == {
        "sources": {"commoncrawl": {"language_model": {"model": f"{tmp_path}/lid.176.bin"}}}
    }


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["crawl", "../x", "--segments=1"], "DUMP '../x': must be an id"),
        (["crawl", "D", "--segments=1", "--first=1", "--seed=1"], "exclude each other"),
        (["crawl", "D", "--segments=1", "--contact=a\nb"], "contact"),
        (["crawl", "D", "--segments=1", "--base-url=ftp://x"], "--base-url"),
        (["ccnet-models", "xx"], "CCNet has models of"),
        (["language-model", "--sha256=abc"], "--sha256 'abc': must be the 64 hexadecimal digits of a SHA-256"),
        (["language-model", "--sha256="], "--sha256 '': must be"),
    ],
)
def test_wrong_usage_is_told_in_a_line_before_anything_is_asked(run, tmp_path, arguments, why):
    done = run(*arguments, f"--output={tmp_path}")
    assert isinstance(done.exception, SettingsError)  # which the command line turns into status 2
    assert why in str(done.exception)
    assert "\n" not in str(done.exception)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", ["--segments=0", "--segments=many", "--first=-1", "--rate=0", "--kind=wat"])
def test_options_out_of_range_are_wrong_usage(run, tmp_path, option):
    assert run("crawl", "D", "--segments=1", option, f"--output={tmp_path}").exit_code == 2


def test_ctrl_c_says_how_to_go_on(run, dump, reply, tmp_path):
    stop = reply(b"\x1f\x8b\x08", headers={"ETag": '"1"', "Content-Length": "100"}, cut=3, stall=True)
    dump.put(f"/{PATH}", reply(**{**vars(stop), "then": lambda: os.kill(os.getpid(), signal.SIGINT)}))
    done = run("crawl", "D", "--kind=warc", "--segments=1", f"--output={tmp_path}", f"--base-url={dump.url}")
    assert done.exit_code == 130
    assert f"interrupted; {tmp_path} keeps what came, and the same command goes on from there" in done.stderr


def test_the_help_says_that_the_real_servers_were_never_asked(run):
    helped = CliRunner().invoke(app, ["--help"])
    assert "They were never tried" in " ".join(helped.stdout.split())


def test_the_commands_load_neither_beam_nor_requests_before_they_run():
    code = "import sys, pipeline.cli_fetch; print({'apache_beam', 'requests'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "set()\n"
