"""Which files of a repository say its licence, and which of them a file falls under: the nearest at or above it."""

import re
from collections.abc import Mapping, Sequence

_SUFFIX = r"(?:\.(?:md|markdown|txt|rst|html?))?"
#: ``LICENSE``, ``COPYING.txt``, ``LICENSE-MIT``, ``LICENSE.Apache-2.0``, ``MIT-LICENSE.txt``; ``license.py`` is none.
_NAMED = re.compile(
    r"(?:licen[cs]es?|copying|unlicense)(?:(?:\d|[._-](?:mit|bsd|apache|asl|gpl|lgpl|lesser|lib\b|\d))[a-z0-9._+-]*?)?"
    rf"{_SUFFIX}|[a-z0-9.+]+[._-]licen[cs]e{_SUFFIX}",
    re.IGNORECASE,
)


def is_licence_file(path: str) -> bool:
    """Tell by its name whether a file holds the licence of its folder and those below.

    >>> [is_licence_file(name) for name in ("LICENSE", "a/COPYING.txt", "LICENSE-MIT", "license.py", "LICENSES.go")]
    [True, True, True, False, False]
    """
    name = path.rpartition("/")[2]
    return _NAMED.fullmatch(name) is not None


def licences_above(path: str, by_folder: Mapping[str, Sequence[str | None]]) -> Sequence[str | None] | None:
    """Give the licences of the nearest folder at or above a file that has any; ``None`` where none has.

    Args:
        path: The file's path in its repository.
        by_folder: For each folder with licence files, what each of them holds; the root is the empty string.

    >>> licences_above("lib/zlib/inflate.c", {"": ["MIT"], "lib/zlib": ["Zlib"]})
    ['Zlib']
    """
    folder = path
    while folder:
        folder = folder.rpartition("/")[0]
        if folder in by_folder:
            return by_folder[folder]
    return by_folder.get("")
