r"""Commands of LaTeX that the reader has to know: environments, verbatim text, files, marks of structure."""

import re

from filters.tex_conditionals import CONDITIONAL_COMMANDS
from filters.tex_definitions import DEFINITIONS
from filters.tex_expand import Command, Expander
from filters.tex_input import Frame
from filters.tex_internals import INTERNALS
from filters.tex_macros import Macro, substitute
from filters.tex_names import (
    BIBLIOGRAPHY,
    MATH,
    PROTECTED_ENVIRONMENTS,
    SECTIONS,
    TEXT_IN_MATH,
    VERBATIM,
    VERBATIM_MAKERS,
)
from filters.tex_tokens import SCAN, SCAN_AT, comment_end, unify_lines
from filters.tex_xparse import XPARSE

_MOST_VERB = 1_000  # characters of a piece of verbatim text within a line
DISPLAY = 2
_NAME = re.compile(r"[ \t]*\n?[ \t]*\{([^{}\\%#]*)\}")
_MADE_NAME = re.compile(r"[ \t]*+\\[A-Za-z]|[ \t]*+\{[^{}%#]*\\[A-Za-z]")
_FILE_NAME = re.compile(r"[ \t]*+([^\s{}\\%]++)[ \t]*+")
_ARGUMENT = re.compile(r"\s{0,9}\{")
_BRACES = re.compile(r"\\.|[{}]|\n[ \t]*+\n")
_DOCUMENT = re.compile(r"^[^%\n]*?\\begin[ \t]*\{document\}", re.MULTILINE)
_CLASS = re.compile(r"^[^%\n]*?\\document(?:class|style)\b", re.MULTILINE)
_CLASSES = frozenset(("documentclass", "documentstyle"))
_REST = re.compile(r"[ \t]*+(?:%[^\n]*+)?\n")
#: Characters before which ``\xspace`` makes no blank.
_CLOSE = frozenset("{}~.!,:;?/'\")-]")


def _note(x: Expander, match: re.Match[str]) -> bool:
    x.note(match[1], match)
    return False


def _begin(x: Expander, match: re.Match[str]) -> bool:
    frame = x.stack[-1]
    found = _NAME.match(frame.text, match.end())
    if found is None:
        return _made_name(x, match)
    return _begin_named(x, match, found[1].strip(), found.end())


def _made_name(x: Expander, match: re.Match[str]) -> bool:
    r"""Go on where the name of an environment is made by a macro, or stands behind the call of one.

    ``\begin\name``, ``\begin{\name}``, and ``\begin`` at the end of a body.
    """
    frame = x.stack[-1]
    if not _MADE_NAME.match(frame.text, match.end()) and (frame.file is not None or match.end() < len(frame.text)):
        return False
    x.take(match)
    name = x.read_argument()
    if name is not None and "\\" in name:
        name = x.expand_text(name, at=False)
    if name is None or not name.strip() or set(name) & set("\\#%{}"):
        return not x.leave(match)
    x.resume()
    x.push(f"{match[0]}{{{name}}}", x.stack[-1].depth + 1)
    return True


def _plain_environment(x: Expander, name: str) -> Macro | None:
    r"""Give the macro that ``\begin{name}`` calls, where a user made no environment but defined ``\name``."""
    macro = x.actions.get(name) if name not in PROTECTED_ENVIRONMENTS else None
    return macro if isinstance(macro, Macro) and not macro.literal and name.isalpha() else None


def _begin_named(x: Expander, match: re.Match[str], name: str, end: int) -> bool:
    frame = x.stack[-1]
    user = x.actions.get("{" + name) or _plain_environment(x, name)
    if isinstance(user, Macro) and x.can_expand(user):
        return _begin_user(x, match, user, name, end)
    if name in VERBATIM or name in x.state.comments or (isinstance(user, Macro) and _is_verbatim(user)):
        return _verbatim(x, frame, match, name, end)
    x.note("{" + name, match)
    if name in MATH:
        x.open_math(DISPLAY)
    else:
        x.state.depth += 1
    return False


def _is_verbatim(macro: Macro) -> bool:
    """Tell whether a user's environment takes its text as it is written."""
    return not VERBATIM_MAKERS.isdisjoint(macro.words)


def _verbatim(x: Expander, frame: Frame, match: re.Match[str], name: str, end: int) -> bool:
    """Pass over an environment whose text is not read, or leave it out where it is a comment."""
    closing = re.compile(rf"\\end[ \t]*\{{{re.escape(name)}\}}")
    close = None if name in frame.missing else closing.search(frame.text, end)
    if close is None:
        frame.missing.add(name)
        x.state.depth += 1
        return False
    if name in x.state.comments:
        x.take(match)
        x.facts["comments"] += 1
        frame.pos = comment_end(frame.text, close.end())
        return x.drop()
    start = x.offset(match)
    frame.pos = close.end()
    x.out.raw.append((start, start + frame.pos - match.start()))
    return True


def _begin_user(x: Expander, match: re.Match[str], macro: Macro, name: str, end: int) -> bool:
    frame = x.stack[-1]
    depth = frame.depth + 1
    x.take(match)
    frame.pos = end
    values = x.read_arguments(macro.arguments)
    if values is None:
        return x.leave(match)
    x.spend(len(macro.body) + sum(map(len, values)))
    x.facts["macros_expanded"] += 1
    x.resume()
    text = substitute(macro, values, math=bool(x.state.math))
    bare = not _wrapped(x, name)
    x.state.environments.append((name, bare))
    x.push(("{" if bare else "") + text, depth, at=macro.at)
    x.state.depth += not bare
    return True


def _wrapped(x: Expander, name: str) -> bool:
    """Tell whether an environment is made of another one, which bounds what it sets."""
    begin, end = x.actions.get("{" + name), x.actions.get("}" + name)
    if not isinstance(begin, Macro) or not isinstance(end, Macro):
        return False
    return begin.body.lstrip().startswith("\\begin") and bool(re.search(r"\\end\s*\{[^{}]*\}\s*\Z", end.body))


def _end(x: Expander, match: re.Match[str]) -> bool:
    frame = x.stack[-1]
    found = _NAME.match(frame.text, match.end())
    if found is None:
        return _made_name(x, match) or _end_plain(x, match)
    name = found[1].strip()
    if name == "document":
        return _end_document(x, match)
    if x.state.environments and x.state.environments[-1][0] == name:
        user = x.actions.get("}" + name) or x.actions.get("end" + name)
        if not isinstance(user, Macro):
            user = Macro(name)
        _, bare = x.state.environments.pop()
        depth = frame.depth + 1
        x.take(match)
        x.spend(len(user.body))
        frame.pos = found.end()
        x.resume()
        body = x.push(user.body + ("}" if bare else ""), depth, at=user.at)
        body.closes = not bare
        return True
    x.note("}" + name, match)
    if name in MATH:
        x.open_math(0)
    else:
        x.close_group()
    return False


def _end_plain(x: Expander, match: re.Match[str]) -> bool:
    r"""``\end`` and ``\bye`` of plain TeX, where nothing follows that could be a name."""
    frame = x.stack[-1]
    if match[1] == "end" and _ARGUMENT.match(frame.text, match.end()):
        return False
    x.flush(frame, match.start())
    x.stack.clear()
    return True


def _end_document(x: Expander, match: re.Match[str]) -> bool:
    r"""End the paper, or the part of it that is a document of its own (``\subfile``)."""
    x.flush(x.stack[-1], match.start())
    while x.stack and not x.stack.pop().document:
        pass
    return True


def _verb(x: Expander, match: re.Match[str]) -> bool:
    r"""``\verb|..|``, any delimiter; ``\lstinline`` and ``\mintinline`` may have braces."""
    frame = x.stack[-1]
    text, at = frame.text, match.end()
    if match[1] == "verb" or match[1] == "Verb":
        at += text.startswith("*", at)
    else:
        if text.startswith("[", at) and (close := text.find("]", at, at + 200)) > 0:
            at = close + 1
        if match[1] == "mintinline" and text.startswith("{", at) and (close := text.find("}", at, at + 99)) > 0:
            at = close + 1
    if at >= len(text) or text[at].isspace() or text[at].isalpha():
        return False
    if text[at] == "{" and match[1] != "verb":
        close = _verbatim_end(text, at)
    else:
        close = text.find(text[at], at + 1, at + _MOST_VERB)
    if close <= at or "\n" in text[at:close]:
        return False
    return _raw(x, match, close + 1)


def _verbatim_end(text: str, start: int) -> int:
    """Find the brace that closes one, percent signs being characters; -1 where there is none near."""
    depth = 0
    for brace in _BRACES.finditer(text, start, start + _MOST_VERB):
        depth += (brace[0] == "{") - (brace[0] == "}")
        if not depth:
            return brace.start()
    return -1


def _url(x: Expander, match: re.Match[str]) -> bool:
    r"""The argument of ``\url``, in which ``%`` is a character; ``\path`` may have other delimiters as ``\verb``."""
    text, at = x.stack[-1].text, match.end()
    found = _ARGUMENT.match(text, at)
    if found is None:
        is_delimiter = at < len(text) and not text[at].isalnum() and text[at] not in " \t\n\\*[]}"
        close = text.find(text[at], at + 1, at + _MOST_VERB) if is_delimiter and match[1] != "href" else -1
        return close >= 0 and "\n" not in text[at:close] and _raw(x, match, close + 1)
    depth = 1
    for brace in _BRACES.finditer(text, found.end()):
        piece = brace[0]
        if piece[0] == "\n":
            return False
        depth += (piece == "{") - (piece == "}")
        if not depth:
            return "%" in text[found.end() : brace.end()] and _raw(x, match, brace.end())
    x.look(len(text) - found.end())
    return False


def _raw(x: Expander, match: re.Match[str], end: int) -> bool:
    start = x.offset(match)
    x.out.raw.append((start, start + end - match.start()))
    x.stack[-1].pos = end
    return True


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


def _makeat(x: Expander, match: re.Match[str]) -> bool:
    x.take(match)
    for frame in reversed(x.stack):
        frame.scan = SCAN_AT if match[1] == "makeatletter" else SCAN
        if frame.file is not None:
            break
    x.read_blanks()
    return x.drop()


def _xspace(x: Expander, match: re.Match[str]) -> bool:
    r"""``\xspace`` in a macro: a blank, where what follows is no punctuation."""
    frame = x.stack[-1]
    if frame.file is not None:
        return False
    x.take(match)
    x.read_blanks()
    following = x.settle()
    blanks = following.blanks if following and following.file is not None else ""
    character = following.text[following.pos] if following else ""
    if (
        following
        and not x.state.math
        and not character.isspace()
        and character not in _CLOSE
        and not _no_space(following)
    ):
        x.out.put("\n" if "\n" in blanks else " ")
    x.resume()
    x.out.seam(math=bool(x.state.math))
    return True


def _no_space(frame: Frame) -> bool:
    return (
        re.compile(r"\\(?:[ /\\]|xspace\b|footnote|bgroup\b|egroup\b|space\b)|%").match(frame.text, frame.pos)
        is not None
    )


def _group(x: Expander, match: re.Match[str]) -> bool:
    if match[1] in {"begingroup", "bgroup"}:
        x.state.depth += 1
    else:
        x.close_group()
    return False


def _math(x: Expander, match: re.Match[str]) -> bool:
    x.open_math({"(": 1, "[": DISPLAY}.get(match[1], 0))
    return False


def _ensuremath(x: Expander, match: re.Match[str]) -> bool:
    r"""``\ensuremath`` in a macro: nothing, where this is mathematics."""
    if x.stack[-1].file is not None or not x.state.math:
        return False
    x.take(match)
    inner = x.read_argument()
    if inner is None:
        return x.leave(match)
    return x.read_next(inner, at=x.stack[-1].scan is SCAN_AT)


def _mathchoice(x: Expander, match: re.Match[str]) -> bool:
    r"""``\mathchoice`` in a macro: what it gives in a display, or within a line."""
    if x.stack[-1].file is not None:
        return False
    x.take(match)
    choices = [x.read_argument() for _ in range(4)]
    chosen = choices[0 if x.state.math == DISPLAY else 1]
    if chosen is None or None in choices:
        return x.leave(match)
    return x.read_next(f"{{{chosen}}}", at=x.stack[-1].scan is SCAN_AT)


def _text(x: Expander, match: re.Match[str]) -> bool:
    r"""``\text``, ``\mbox`` and the like in mathematics, whose argument is none."""
    if x.state.math and _ARGUMENT.match(x.stack[-1].text, match.end()):
        x.state.texts.append((x.state.depth, x.state.math))
        x.state.math = 0
    return False


def _section(x: Expander, match: re.Match[str]) -> bool:
    x.note(match[1], match)
    x.open_math(0)
    return False


#: All commands by their names.
COMMANDS: dict[str, Command] = {
    **DEFINITIONS,
    **CONDITIONAL_COMMANDS,
    **INTERNALS,
    **XPARSE,
    **dict.fromkeys(sorted(SECTIONS), _section),
    **dict.fromkeys(("title", "maketitle", "documentclass", "documentstyle", "appendix", "abstract"), _note),
    **dict.fromkeys((*sorted(BIBLIOGRAPHY), "Refs", "endRefs"), _note),
    "begin": _begin,
    "end": _end,
    "bye": _end_plain,
    **dict.fromkeys(("verb", "Verb", "lstinline", "mintinline"), _verb),
    **dict.fromkeys(("url", "href", "path", "nolinkurl"), _url),
    **dict.fromkeys(("input", "include", "subfile", "subfileinclude", "import", "subimport"), _input),
    "endinput": _endinput,
    **dict.fromkeys(("makeatletter", "makeatother"), _makeat),
    "xspace": _xspace,
    "ensuremath": _ensuremath,
    "mathchoice": _mathchoice,
    **dict.fromkeys(sorted(TEXT_IN_MATH), _text),
    **dict.fromkeys(("begingroup", "endgroup", "bgroup", "egroup"), _group),
    **dict.fromkeys("[]()", _math),
}
