r"""Environments: users' own, verbatim text, mathematics, and the ends of a paper (``\begin``, ``\end``, ``\bye``)."""

import re

from filters.tex_expand import Command, Expander
from filters.tex_input import Frame
from filters.tex_macros import Macro, substitute
from filters.tex_names import MATH, PROTECTED_ENVIRONMENTS, VERBATIM, VERBATIM_MAKERS
from filters.tex_state import DISPLAY
from filters.tex_tokens import comment_end

_NAME = re.compile(r"[ \t]*\n?[ \t]*\{([^{}\\%#]*)\}")
_MADE_NAME = re.compile(r"[ \t]*+\\[A-Za-z]|[ \t]*+\{[^{}%#]*\\[A-Za-z]")
_ARGUMENT = re.compile(r"\s{0,9}\{")


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


#: Commands by their names.
ENVIRONMENTS: dict[str, Command] = {"begin": _begin, "end": _end, "bye": _end_plain}
