r"""TikZ's variables, ``\foreach \x in {...} {...}`` and ``\pgfmathsetmacro\x``, are no macros of the paper."""

import re

from filters.tex_expand import Command, Expander
from filters.tex_tokens import SCAN_AT, group_end

_HEAD = re.compile(
    r"[ \t\n]*+(\\[A-Za-z]++(?:[ \t\n]*+/[ \t\n]*+\\[A-Za-z]++)*+)"
    r"[ \t\n]*+(?:\[[^\[\]]{0,500}\][ \t\n]*+)?in(?![A-Za-z])"
)
_NAME = re.compile(r"\\([A-Za-z]+)")
_VARIABLE = re.compile(r"[ \t]*+\{?[ \t]*+\\([A-Za-z]+)")
_GROUP = re.compile(r"[ \t\n]*+(?=\{)")


def _foreach(x: Expander, match: re.Match[str]) -> bool:
    frame = x.stack[-1]
    head = _HEAD.match(frame.text, match.end())
    names = [name for name in _NAME.findall(head[1]) if name in x.actions] if head else []
    if head is None or not names:
        return False
    end = _behind_groups(frame.text, head.end())
    x.look((end if end >= 0 else len(frame.text)) - head.end())
    if end < 0:  # a statement of TikZ without braces: its variables are free up to the end of the group it stands in
        for name in names:
            x.define(name, None)
        return False
    depth, loop = frame.depth + 1, frame.text[match.start() + 1 : end]
    x.take(match)
    frame.pos = end
    x.resume()
    x.out.put("\\")
    x.state.depth += 1
    for name in names:
        x.define(name, None)
    x.push(loop, depth, at=frame.scan is SCAN_AT).closes = True
    return True


def _behind_groups(text: str, start: int) -> int:
    """Find the end of a loop's list and body, -1 where these are not two groups."""
    for _ in range(2):
        group = _GROUP.match(text, start)
        start = group_end(text, group.end()) if group else -1
        if start < 0:
            return -1
    return start


def _set_variable(x: Expander, match: re.Match[str]) -> bool:
    found = _VARIABLE.match(x.stack[-1].text, match.end())
    if found is not None and found[1] in x.actions:
        x.define(found[1], None)
    return False


#: Commands by their names.
VARIABLES: dict[str, Command] = {
    "foreach": _foreach,
    **dict.fromkeys(("pgfmathsetmacro", "pgfmathtruncatemacro", "pgfmathsetlengthmacro"), _set_variable),
}
