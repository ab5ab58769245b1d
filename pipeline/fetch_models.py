"""Models and word lists of other makers: fastText's language model, CCNet's n-gram models, C4's lists of bad words.

Each is held to what is known of it: a checksum where packagers publish one, and the bytes its format begins with, so
that an error page is not taken for a model.
"""

import os
import re
from collections.abc import Sequence

from pipeline.fetch import Download, fetch
from pipeline.fetch_checks import Checks
from pipeline.fetch_crawl import check_place
from pipeline.fetch_http import Client
from pipeline.fetch_places import BAD_WORDS_URL, CCNET_LANGUAGES, CCNET_URL, LID_NAME, LID_SHA256, LID_URL
from pipeline.settings import SettingsError

_FASTTEXT_HEAD = (793712314).to_bytes(4, "little")  # fastText's magic number, fasttext.cc
_KENLM_HEAD = b"mmap lm http://kheafield.com/code format version"
_SENTENCEPIECE_HEAD = b"\n"  # field 1, length-delimited: the first piece
_MAX_MODEL_BYTES = 64 << 30
_MAX_LIST_BYTES = 1 << 20
_SHA256 = re.compile(r"[0-9A-Fa-f]{64}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]+)*")


def fetch_language_model(
    output: str, client: Client, *, base_url: str = LID_URL, sha256: str | None = LID_SHA256, verify: bool = False
) -> str:
    """Fetch ``lid.176.bin`` into a folder.

    Args:
        output: A local folder.
        client: How to ask.
        base_url: The server.
        sha256: What it must have, in hexadecimal of either case; ``None`` checks the length and the first bytes alone.
        verify: Read a model that is there already once more.

    Returns:
        The model's path.

    Raises:
        SettingsError: The address, the folder or the checksum cannot be.
        FetchError: The model cannot be had.
    """
    base_url = check_place(base_url, output)
    if sha256 is not None and not _SHA256.fullmatch(sha256):
        raise SettingsError(f"--sha256 {sha256!r}: must be the 64 hexadecimal digits of a SHA-256")
    checks = Checks(sha256=sha256 and sha256.lower(), head=_FASTTEXT_HEAD)
    path = os.path.join(output, LID_NAME)
    fetch(Download(f"{base_url}/{LID_NAME}", path, checks, _MAX_MODEL_BYTES), client, verify=verify)
    return path


def fetch_ccnet_models(
    languages: Sequence[str], output: str, client: Client, *, base_url: str = CCNET_URL, verify: bool = False
) -> list[str]:
    """Fetch CCNet's ``<language>.sp.model`` and ``<language>.arpa.bin`` into a folder.

    No checksum is published; length and first bytes are checked.

    Returns:
        Their paths, two for each language.

    Raises:
        SettingsError: CCNet has no models of a language, or the address or the folder cannot be.
        FetchError: A model cannot be had.
    """
    unknown = sorted(set(languages) - set(CCNET_LANGUAGES))
    if unknown:
        raise SettingsError(f"LANG {unknown[0]!r}: CCNet has models of {', '.join(CCNET_LANGUAGES)}")
    base_url = check_place(base_url, output)
    heads = {"sp.model": _SENTENCEPIECE_HEAD, "arpa.bin": _KENLM_HEAD}
    names = [(f"{language}.{ending}", head) for language in dict.fromkeys(languages) for ending, head in heads.items()]
    for name, head in names:
        download = Download(f"{base_url}/{name}", os.path.join(output, name), Checks(head=head), _MAX_MODEL_BYTES)
        fetch(download, client, verify=verify)
    return [os.path.join(output, name) for name, _ in names]


def fetch_bad_words(
    languages: Sequence[str], output: str, client: Client, *, base_url: str = BAD_WORDS_URL, verify: bool = False
) -> list[str]:
    """Fetch lists of bad words into a folder, as ``<language>.txt``, one word or phrase a line.

    Returns:
        Their paths.

    Raises:
        SettingsError: A language is no code, or the address or the folder cannot be.
        FetchError: A list cannot be had.
    """
    wrong = [language for language in languages if not _LANGUAGE.fullmatch(language)]
    if wrong:
        raise SettingsError(f"LANG {wrong[0]!r}: must be a language's code, as the lists are named: en, de, fil")
    base_url = check_place(base_url, output)
    paths = []
    for language in dict.fromkeys(languages):
        path = os.path.join(output, f"{language}.txt")
        hints = {404: f"there is no list for {language!r}"}
        fetch(Download(f"{base_url}/{language}", path, max_bytes=_MAX_LIST_BYTES, hints=hints), client, verify=verify)
        paths.append(path)
    return paths
