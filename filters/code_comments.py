"""The comments before a source file's first line of code, whatever its language writes them with.

A scanner, not one pattern for a whole header: each line is looked at a fixed number of times, and the end of a comment
is searched once, so time is linear in the text whatever stands in it. It goes on over blank lines and what stands
before a header in its language (``#!``, ``<?php``, an include guard, ``package``), and ends at the first other line.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_C = (("//",), (("/*", "*/"),))
_HASH = (("#",), ())
_MARKUP = ((), (("<!--", "-->"),))
_LISP = ((";",), (("#|", "|#"),))
_ML = ((), (("(*", "*)"),))
_PYTHON = (("#",), (('"""', '"""'), ("'''", "'''"), ('r"""', '"""'), ('u"""', '"""')))
_TEMPLATE = (("{#",), (("<!--", "-->"), ("{#", "#}"), ("{{!--", "--}}"), ("{{!", "}}"), ("<%--", "--%>"), ("{*", "*}")))

#: For each language what begins a comment that ends with its line, and the pairs around those that do not.
_STYLES: dict[str, tuple[tuple[str, ...], tuple[tuple[str, str], ...]]] = {
    **dict.fromkeys(("C#", "Dart", "GLSL", "Go", "Groovy", "Java", "JavaScript", "Kotlin", "Less", "QML", "Rust"), _C),
    **dict.fromkeys(("SCSS", "Sass", "Scala", "Swift", "SystemVerilog", "TSX", "TypeScript", "Verilog", "Zig"), _C),
    **dict.fromkeys(("Awk", "CMake", "Crystal", "Dockerfile", "Elixir", "Makefile", "Meson", "Perl", "R"), _HASH),
    **dict.fromkeys(("Shell", "Smali", "Starlark", "Tcl", "TOML", "YAML"), _HASH),
    **dict.fromkeys(("Common Lisp", "Emacs Lisp", "Racket", "Scheme", "Clojure"), _LISP),
    **dict.fromkeys(("HTML", "Markdown", "XML"), _MARKUP),
    **dict.fromkeys(("OCaml", "Standard ML"), _ML),
    **dict.fromkeys(("Python", "Cython"), _PYTHON),
    **dict.fromkeys(("Jinja", "Handlebars", "Vue", "Svelte"), _TEMPLATE),
    **dict.fromkeys(("C", "C++", "Cuda", "Objective-C", "Objective-C++"), (("//",), (("/*", "*/"), ("# /*", "*/")))),
    "Protocol Buffer": _C,
    "Ruby": (("#",), (("=begin", "=end"),)),
    "CSS": ((), (("/*", "*/"),)),
    "PHP": (("//", "#"), (("/*", "*/"),)),
    "D": (("//",), (("/*", "*/"), ("/+", "+/"))),
    "HCL": (("#", "//"), (("/*", "*/"),)),
    "Thrift": (("#", "//"), (("/*", "*/"),)),
    "Nix": (("#",), (("/*", "*/"),)),
    "Nim": (("#",), (("#[", "]#"),)),
    "Julia": (("#",), (("#=", "=#"), ('"""', '"""'))),
    "CoffeeScript": (("#",), (("###", "###"),)),
    "PowerShell": (("#",), (("<#", "#>"),)),
    "F#": (("//",), (("(*", "*)"),)),
    "Haskell": (("--",), (("{-", "-}"),)),
    "Elm": (("--",), (("{-", "-}"),)),
    "Lua": (("--",), (("--[[", "]]"), ("--[=[", "]=]"), ("--[==[", "]==]"))),
    "Ada": (("--",), ()),
    "VHDL": (("--",), ()),
    "SQL": (("--", "#"), (("/*", "*/"),)),
    "PLpgSQL": (("--",), (("/*", "*/"),)),
    "Erlang": (("%",), ()),
    "TeX": (("%",), ()),
    "PostScript": (("%",), ()),
    "MATLAB": (("%",), (("%{", "%}"),)),
    "Prolog": (("%",), (("/*", "*/"),)),
    "Assembly": ((";", "#", "//", "@", "|", "!"), (("/*", "*/"),)),
    "INI": ((";", "#"), ()),
    "AutoHotkey": ((";",), (("/*", "*/"),)),
    "M4": (("dnl", "#"), ()),
    "Batchfile": (("::", "@::", "@rem", "rem"), ()),
    "VBA": (("'", "rem"), ()),
    "VBScript": (("'", "rem"), ()),
    "Visual Basic .NET": (("'", "rem"), ()),
    "Vim Script": (('"',), ()),
    "Fortran": (("!",), ()),
    "COBOL": (("*",), ()),
    "Forth": (("\\",), (("( ", ")"),)),
    "Pascal": (("//",), (("{", "}"), ("(*", "*)"))),
    "Smalltalk": ((), (('"', '"'),)),
    "Pod": ((), ()),
    "reStructuredText": ((), ()),
}
_ANY = (
    ("//", "#", "--", ";", "%", "!", "dnl", "rem", "::", "'"),
    (
        ("/*", "*/"),
        ("<!--", "-->"),
        ('"""', '"""'),
        ("(*", "*)"),
        ("{-", "-}"),
        ("{#", "#}"),
        ("--[[", "]]"),
        ("<#", "#>"),
    ),
)
#: Openings that look like a comment and are not one.
_NOT_COMMENTS = re.compile(
    r"\{-#|\{\$|#!/|#!\[|#\s{0,8}(?:include|define|import|pragma|if|ifdef|ifndef|endif|undef|else)\b"
)
_NESTED = frozenset({"(*", "{-", "/+", "#|"})
_NESTED_LANGUAGES = frozenset({"Rust", "Swift", "Kotlin", "Scala", "Dart"})

#: What may stand before a header without being code: how such a line begins, lower case.
_PREAMBLE = re.compile(
    r"#!|<\?|\?>|<!doctype|\"-//|\"http|<html|<head|<meta|<title|<template|<%@|---|%yaml|package\b|module\b|library\b|"
    r"#\s?(?:ifndef|if |define|pragma|endif)|['\"]use strict|@?echo off|@charset|from __future__|\{-#|extern crate|"
    r"#!?\["
)
_MAX_PREAMBLE_LINES = 30
_MAX_CHARS = 1_000_000  # within which a comment of a header begins, and those it may have
_INDENTED = ".."
_LINE = "line"


@dataclass(frozen=True, slots=True)
class Comment:
    """One comment of several lines, or a run of comments of one line each with nothing between them.

    Attributes:
        start: Where its first line begins.
        end: Behind its last line end; behind its last character where code stands on the same line.
        opener: What begins it, ``/*``; empty for a run.
        closer: What ends it, ``*/``; empty for a run.
        marks: What begins the lines of a run in this language, where it is a word or a letter.
        lines: Its lines with their line ends.
    """

    start: int
    end: int
    opener: str
    closer: str
    marks: tuple[str, ...]
    lines: tuple[str, ...]


def header_comments(text: str, language: str = "") -> Iterator[Comment]:
    """Find the comments before the first line of code, in the order of the text.

    Args:
        text: A source file; LF or CRLF line ends. Its header is in the first million
            characters, and no comment in it is longer.
        language: From :func:`filters.code_languages.code_language`; of an unknown one every style is tried.
    """
    style = _Style(language, is_script=text.startswith("#!"))
    at, preamble = int(text.startswith("\ufeff")), 0
    while at < min(len(text), _MAX_CHARS):
        end = _line_end(text, at)
        opener, closer, close = style.opening(text, at, end)
        if closer or opener == _INDENTED:
            if close - at > _MAX_CHARS:
                return
            comment = style.block(text, at, opener, closer, close)
        elif opener:
            comment = style.run(text, at)
        else:
            line = text[at : min(end, at + _SHOWN)].strip().lower()
            preamble += bool(line)
            if line and (preamble > _MAX_PREAMBLE_LINES or not _PREAMBLE.match(line)):
                return
            at = end
            continue
        yield comment
        at = comment.end
        if text[at - 1] != "\n":
            return


_SHOWN = 200  # characters of a line that its beginning is looked for in


def _line_end(text: str, at: int) -> int:
    found = text.find("\n", at)
    return len(text) if found < 0 else found + 1


def _lines(text: str) -> tuple[str, ...]:
    """Cut a text behind its LFs; other line ends of Unicode end no comment."""
    *lines, last = text.split("\n")
    return (*(f"{line}\n" for line in lines), *([last] if last else []))


class _Style:
    """How a language writes comments."""

    def __init__(self, language: str, *, is_script: bool) -> None:
        marks, self._pairs = _STYLES.get(language, _ANY)
        marks = (*marks, "#") if is_script else marks
        self._marks = tuple(mark for mark in marks if not mark.isalpha())
        self._words = tuple(mark for mark in marks if mark.isalpha())
        self._nested = language in _NESTED_LANGUAGES
        self._fixed_form = language == "Fortran"
        self._indented = language == "reStructuredText"

    def opening(self, text: str, start: int, end: int) -> tuple[str, str, int]:
        """Tell what comment a line begins.

        Returns:
            ``(opener, closer, where the closer ends)`` of a comment that goes on behind this line or ends before its
            end, an opener without closer for a line that is a comment, and two empty texts for one that is none.
        """
        head = text[start : min(end, start + _SHOWN)]
        line = head.lstrip()
        if _NOT_COMMENTS.match(line):
            return "", "", 0
        found = [pair for pair in self._pairs if line.startswith(pair[0]) and not line.startswith("####")]
        if found:
            return self._pair(text, start + len(head) - len(line), end, *max(found, key=lambda pair: len(pair[0])))
        if line.startswith(self._marks) or self._is_word(line) or (self._fixed_form and _FIXED_FORM.match(head)):
            return _LINE, "", 0
        if self._indented and _REST_COMMENT.match(head):
            return _INDENTED, "", 0
        return "", "", 0

    def _is_word(self, line: str) -> bool:
        """Tell whether a line begins with a word that makes it a comment, as ``REM``."""
        word = line[:4].rstrip().lower() if self._words else ""
        return any(word == mark or word.startswith((mark + " ", mark + "\t")) for mark in self._words)

    def _pair(self, text: str, at: int, end: int, opener: str, closer: str) -> tuple[str, str, int]:
        close = self._close(text, at, opener, closer)
        if close < 0:
            return "", "", 0
        if close <= end and not text[close:end].strip():
            return opener, "", 0  # a comment of one line, of which others may follow
        return opener, closer, close

    def _close(self, text: str, at: int, opener: str, closer: str) -> int:
        """Find where a comment ends, counting those within it where the language does; -1 where it does not end."""
        if not (self._nested or opener in _NESTED):
            found = text.find(closer, at + len(opener))
            return found + len(closer) if found >= 0 else -1
        depth = 0
        for match in re.compile(f"{re.escape(opener)}|{re.escape(closer)}").finditer(text, at):
            depth += 1 if match[0] == opener else -1
            if depth == 0:
                return match.end()
        return -1

    def block(self, text: str, start: int, opener: str, closer: str, close: int) -> Comment:
        """Give a comment of several lines; the blanks behind it are its own."""
        end = self._indented_end(text, start) if opener == _INDENTED else _line_end(text, close)
        if opener != _INDENTED and text[close:end].strip():
            end = close
        return Comment(start, end, opener, closer, self._words, _lines(text[start:end]))

    @staticmethod
    def _indented_end(text: str, start: int) -> int:
        """Find where a comment of reStructuredText ends, behind the last line set in."""
        end = at = _line_end(text, start)
        while at < len(text) and (text[at] in " \t\r\n"):
            blank, at = text[at] in "\r\n", _line_end(text, at)
            end = end if blank else at
        return end

    def run(self, text: str, start: int) -> Comment:
        """Give the comments of one line each that follow each other."""
        at, first = start, self.opening(text, start, _line_end(text, start))
        while at < min(len(text), start + _MAX_CHARS) and self.opening(text, at, end := _line_end(text, at)) == first:
            at = end
        words = (*self._words, "c") if self._fixed_form else self._words
        return Comment(start, at, "", "", words, _lines(text[start:at]))


_FIXED_FORM = re.compile(r"[cC*](?![\w])")
_REST_COMMENT = re.compile(r"\.\.(?=\s)(?!\s*(?:_|\[|\||[\w-]+(?::[\w-]+)*::))")
