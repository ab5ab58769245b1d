r"""Reading a paper as TeX does, and writing it again without comments and with users' macros expanded.

The reader goes through the source once. What is no command that it knows passes as it was written; a user's macro is
replaced by its body, which is read in its place; a definition is noted and left out. Groups bound definitions. Nothing
here knows LaTeX: the commands come as a table from outside.

Work is bounded: so many expansions, so many characters read or written, and a macro that comes out of itself deeper
than ``max_depth`` is taken for one that never ends.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping

from filters.tex_input import Frame, Reader
from filters.tex_macros import Macro, all_work_out, is_plain, is_plain_text, substitute
from filters.tex_meanings import Meanings
from filters.tex_output import Event, Output
from filters.tex_state import BlowUpError, Limits, RecursionFoundError, Resolve, State
from filters.tex_tokens import comment_end, is_argument, is_token, skip_comment

_ENVIRONMENT_END = re.compile(r"\\(?:begin|end)\{[^{}]*\}[ \t]*\Z")
_INDENT = re.compile(r"[ \t]*+")
_REST = re.compile(r"[ \t]*+(?:%[^\n]*+)?(?:\n|\Z)")


Command = Callable[["Expander", "re.Match[str]"], bool]


class Expander(Reader):
    """Reads a paper and writes it expanded."""

    def __init__(
        self, commands: Mapping[str, Command], macros: Mapping[str, Macro], resolve: Resolve, limits: Limits
    ) -> None:
        super().__init__()
        self.commands = commands
        self.meanings: Meanings[Macro | Command] = Meanings({**commands, **macros})
        self.actions = self.meanings.now
        self.resolve = resolve
        self.limits = limits
        self.out = Output()
        self.state = State()
        self.facts: Counter[str] = Counter()
        self.left: list[tuple[str, int]] = []
        self.expansions = 0
        self._quiet = False
        self._checked: tuple[int, dict[str, bool]] = 0, {}

    def run(self) -> None:
        """Read all that is on the stack."""
        while self.stack:
            frame = self.stack[-1]
            if not self._read(frame):
                self.flush(frame, len(frame.text))
                if self.stack and self.stack[-1] is frame:
                    self._leave(frame)

    def _read(self, frame: Frame) -> bool:
        """Read on in a frame up to where reading jumps; tell whether it did."""
        text, actions, state = frame.text, self.actions, self.state
        for match in frame.scan.finditer(text, frame.pos):
            name = match[1]
            if name is not None:
                action = actions.get(name)
                if action is None:
                    continue
                if type(action) is Macro:
                    if self.expand(action, match):
                        return True
                elif not self._quiet and action(self, match):  # type: ignore[operator]  # the other is a Macro
                    return True
            elif (piece := match[0]) == "{":
                state.depth += 1
            elif piece == "}":
                self.close_group()
            elif piece == "%":
                self._comment(frame, match.start())
                return True
            else:
                self.open_math(0 if state.math else len(piece))
        return False

    def _leave(self, frame: Frame) -> None:
        self.stack.pop()
        if frame.closes:
            self.close_group()
        if frame.file is None:
            self.out.seam(math=bool(self.state.math))
            self.keep_line_end(frame.text)

    def keep_line_end(self, body: str) -> None:
        r"""Write the line end again that TeX skips behind a macro's name, where it makes no difference.

        It makes none in mathematics, behind a blank, and behind ``\begin{...}`` and ``\end{...}``.
        """
        frame = self.stack[-1] if self.stack else None
        if frame is None or "\n" not in frame.blanks or frame.pos != frame.start:
            return
        if not self.out.blank and (self.state.math or self.out.ends_in_blank() or _ENVIRONMENT_END.search(body)):
            self.out.put(frame.blanks)
        frame.blanks = ""

    # Groups and definitions.

    def open_math(self, kind: int) -> None:
        """Begin mathematics, or text where ``kind`` is 0; mathematics is a group."""
        state = self.state
        if state.math:
            self.close_group()
        state.math = kind
        state.depth += kind > 0

    def close_group(self) -> None:
        """Close a group: what was defined in it is forgotten."""
        state = self.state
        if state.depth:
            state.depth -= 1
        while state.texts and state.texts[-1][0] >= state.depth:
            state.math = state.texts.pop()[1]
        self.meanings.close(state.depth)

    def define(self, name: str, macro: "Macro | Command | None", *, everywhere: bool = False) -> None:
        """Give a name a meaning, within this group or everywhere."""
        self.meanings.define(name, macro, None if everywhere else self.state.depth)

    # Writing.

    def flush(self, frame: Frame, end: int) -> None:
        """Write what was read in a frame and stays as it is."""
        if end > frame.start:
            self.out.put(frame.text[frame.start : end])
            frame.start = end
            if self.out.length > self.limits.max_output_chars:
                raise BlowUpError(self.out.length, self.limits.max_output_chars)

    def offset(self, match: "re.Match[str]") -> int:
        """Give the place in the output where a match will stand."""
        return self.out.length + match.start() - self.stack[-1].start

    def note(self, name: str, match: "re.Match[str]") -> None:
        """Note that something stands here."""
        self.out.events.append(Event(name, self.offset(match)))

    def take(self, match: "re.Match[str]") -> None:
        """Begin to read what belongs to a command: all before it is written, and it can be put back."""
        frame = self.stack[-1]
        self.look(0)
        if frame.start < match.start():
            self.flush(frame, match.start())
        frame.pos = match.end()
        self.trail = [(frame, frame.pos)]

    def resume(self) -> bool:
        """Go on with what comes next in the input."""
        frame = self.stack[-1]
        frame.start = frame.pos
        return True

    def leave(self, match: "re.Match[str]") -> bool:
        """Write a command as it stands, since what belongs to it is not there."""
        self.put_back()
        self.out.put(match[0])
        return self.resume()

    def drop(self) -> bool:
        """Go on behind what was read, which leaves no trace; a line of its own goes with it."""
        frame = self.settle()
        if frame is not None:
            rest = _REST.match(frame.text, frame.pos) if self.out.blank else None
            if rest is not None:
                self.facts["comments"] += "%" in rest[0]
                frame.pos = rest.end()
            elif self.out.blank or self.out.ends_in_blank():
                frame.pos = _INDENT.match(frame.text, frame.pos).end()  # type: ignore[union-attr]
        return self.resume()

    def push(self, text: str, depth: int, *, at: bool = False) -> Frame:
        """Read a text before all else."""
        if depth > self.limits.max_depth:
            raise BlowUpError(depth, self.limits.max_depth)
        frame = Frame(text, depth, at=at)
        self.stack.append(frame)
        self.out.seam(math=bool(self.state.math))
        return frame

    def read_next(self, text: str, *, at: bool) -> bool:
        """Read what a command comes to, whose braces are paired, before all else."""
        depth = self.stack[-1].depth + 1
        self.spend(len(text))
        self.resume()
        if depth <= self.limits.max_depth and is_plain_text(text, self.actions.keys(), at=at):
            self._write_body(text)
        else:
            self.push(text, depth, at=at)
        return True

    def _write_body(self, text: str) -> None:
        math = bool(self.state.math)
        self.out.seam(math=math)
        self.out.put(text)
        self.out.seam(math=math)
        self.keep_line_end(text)

    def spend(self, characters: int) -> None:
        """Count one expansion, and the characters it takes."""
        self.expansions += 1
        if self.expansions > self.limits.max_expansions:
            raise BlowUpError(self.expansions, self.limits.max_expansions)
        self.look(characters)

    def look(self, characters: int) -> None:
        """Count characters that were looked through."""
        self.work += characters
        if self.work > self.limits.max_work_chars:
            raise BlowUpError(self.work, self.limits.max_work_chars)

    def _comment(self, frame: Frame, start: int) -> None:
        self.facts["comments"] += 1
        text = frame.text
        end = comment_end(text, start)
        before = text[frame.start : start]
        kept = before.rstrip(" \t")
        if kept.endswith("\n") or (not kept and self.out.blank):  # a line of its own
            self.flush(frame, frame.start + len(kept))
            end = min(end + 1, len(text))
        elif len(kept) < len(before):  # blanks before it: the line ends there
            self.flush(frame, frame.start + len(kept))
        else:
            self.flush(frame, start)
            if not self.out.word:
                end = skip_comment(text, start)
        frame.pos = frame.start = end

    # Macros.

    def expand(self, macro: Macro, match: "re.Match[str]") -> bool:
        """Replace a macro by its body; tell whether reading goes on elsewhere."""
        if not self.can_expand(macro):
            self.state.unexpandable.add(macro.name)
            self.left.append((macro.name, self.offset(match)))
            return False
        frame = self.stack[-1]
        depth = frame.depth + 1
        if depth > self.limits.max_depth:
            raise RecursionFoundError(macro.name)
        braced = is_argument(frame.text, match.start())
        self.take(match)
        values = self.read_call(macro, match)
        if values is None:
            self.left.append((macro.name, self.out.length))
            return self.leave(match)
        self.spend(len(macro.body) + sum(map(len, values)) * max(1, len(macro.parts) // 2))
        self.facts["macros_expanded"] += 1
        self.resume()
        text = substitute(macro, values, math=bool(self.state.math))
        if braced and not is_token(text):
            text = f"{{{text}}}"
        if macro.literal:
            self._write_literal(text)
        elif is_plain(macro, values, self.actions.keys()):
            self._write_body(text)
        else:
            self.push(text, depth, at=macro.at)
        return True

    def can_expand(self, macro: Macro) -> bool:
        """Tell whether a macro can be worked out here, and so can those of its parts that only a package may use."""
        if macro.machinery or macro.name in self.state.frozen or macro.name in self.state.unsure:
            return False
        return not macro.at or not macro.internals or self._can_expand_all(macro)

    def _can_expand_all(self, macro: Macro) -> bool:
        if self._checked[0] != self.meanings.serial:
            self._checked = self.meanings.serial, {}
        known = self._checked[1]
        if macro.name not in known:
            known[macro.name] = all_work_out(macro, self.actions, self.state.frozen, self.state.sentinels)
        return known[macro.name]

    def read_call(self, macro: Macro, match: "re.Match[str]") -> list[str] | None:
        """Read what a macro's call has behind its name; ``None`` where its arguments are not there."""
        blanks = self.read_blanks() if match[0][-1].isalpha() else ""
        if macro.prefix is not None and macro.prefix.pattern:
            frame = self.settle()
            found = macro.prefix.match(frame.text, frame.pos) if frame else None
            if frame is None or found is None:
                return None
            frame.pos = found.end()
        if macro.arguments:
            self.stack[-1].blanks = ""
            return self.read_arguments(macro.arguments)
        self.stack[-1].blanks = blanks
        return []

    def _write_literal(self, text: str) -> None:
        """Write a token of LaTeX under its own name, whatever that means to the user."""
        command = self.commands.get(text[1:]) if text.startswith("\\") else None
        if command is None:
            math = bool(self.state.math)
            self.out.seam(math=math)
            self.out.put(text)
            self.out.seam(math=math)
            return
        frame = self.push(text, self.stack[-1].depth + 1)
        match = frame.scan.match(text)
        if match and not command(self, match):
            frame.pos = len(text)

    def expand_text(self, text: str, *, at: bool) -> str:
        r"""Expand a text by itself, as ``\edef`` does: nothing is defined meanwhile."""
        stack, out, left, quiet, trail = self.stack, self.out, len(self.left), self._quiet, self.trail
        self.stack, self.out, self._quiet = [Frame(text, 1, at=at)], Output(), True
        self.run()
        result = "".join(self.out.pieces)
        self.stack, self.out, self._quiet, self.trail = stack, out, quiet, trail
        del self.left[left:]
        return result
