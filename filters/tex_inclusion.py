r"""Files that a paper reads: ``\input``, ``\include``, ``\subfile`` and the like, where TeX reads them."""

import re

from filters.tex_expand import Command, Expander
from filters.tex_input import Frame
from filters.tex_tokens import SCAN_AT, unify_lines

_FILE_NAME = re.compile(r"[ \t]*+([^\s{}\\%]++)[ \t]*+")
_DOCUMENT = re.compile(r"^[^%\n]*?\\begin[ \t]*\{document\}", re.MULTILINE)
_CLASS = re.compile(r"^[^%\n]*?\\document(?:class|style)\b", re.MULTILINE)
_CLASSES = frozenset(("documentclass", "documentstyle"))
_REST = re.compile(r"[ \t]*+(?:%[^\n]*+)?\n")


def _input(x: Expander, match: re.Match[str]) -> bool:
    x.take(match)
    name = _read_file_name(x, match[1])
    if name is None:
        return x.leave(match)
    x.spend(0)
    asking = next((frame.file for frame in reversed(x.stack) if frame.file), "")
    found = x.resolve(match[1], name, asking)
    if found is None:
        x.facts["missing_inputs"] += 1
        return x.leave(match)
    if any(frame.file == found.name for frame in x.stack):
        x.facts["input_cycles"] += 1
        return x.leave(match)
    x.facts["inputs"] += 1
    x.spend(len(found.text))
    _open(x, found.name, found.text)
    return True


def _open(x: Expander, name: str, text: str) -> None:
    """Read a file now; of a document of its own what it is about."""
    frame = x.stack[-1]
    text = unify_lines(text) if text else text
    if rest := _REST.match(frame.text, frame.pos):
        frame.pos = rest.end()
    x.resume()
    file = Frame(text, at=frame.scan is SCAN_AT, file=name)
    has_class = any(event.name in _CLASSES for event in x.out.events)
    document = _DOCUMENT.search(text) if has_class and _CLASS.search(text) else None
    if document:
        file.document = True
        file.pos = file.start = document.end()
    x.stack.append(file)
    x.out.body = False


def _read_file_name(x: Expander, command: str) -> str | None:
    if x.peek() == "{":
        name = x.read_group()
        if name is not None and command in {"import", "subimport", "inputfrom", "subinputfrom", "includefrom"}:
            file = x.read_group()
            name = None if file is None else f"{name.strip().rstrip('/')}/{file.strip()}".lstrip("/")
        return _plain_name(x, name)
    frame = x.settle()
    found = _FILE_NAME.match(frame.text, frame.pos) if frame and command == "input" else None
    if frame is None or found is None:
        return None
    frame.pos = found.end()
    return found[1]


def _plain_name(x: Expander, name: str | None) -> str | None:
    if name is None:
        return None
    if "\\" in name:
        name = x.expand_text(name, at=False)
    name = name.strip().strip('"')
    return None if not name or "\\" in name or "#" in name else name


def _endinput(x: Expander, match: re.Match[str]) -> bool:
    x.flush(x.stack[-1], match.start())
    while x.stack:
        frame = x.stack.pop()
        if frame.file is not None:
            break
    return True


#: Commands by their names.
INCLUSIONS: dict[str, Command] = {
    **dict.fromkeys(("input", "include", "subfile", "subfileinclude", "import", "subimport"), _input),
    "endinput": _endinput,
}
