"""Notices go out of a file's header, in every language's comments; all else stays."""

import ast
import functools
import glob
import os
import sys
import sysconfig
import warnings
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.code_headers import header_notices, remove_headers

COPYRIGHT = "Copyright (c) 2001 A. Writer"
MIT = "Licensed under the MIT license."
DOC = "Counts the words of a file."

APACHE = """\
Copyright 2019 The Example Authors. All Rights Reserved.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
"""
BSD = """\
Copyright (c) 1990, 1993
     The Example Group.  All rights reserved.

Redistribution and use in source and binary forms, with or without
modification, are permitted provided that the following conditions
are met:
1. Redistributions of source code must retain the above copyright
   notice, this list of conditions and the following disclaimer.
2. Redistributions in binary form must reproduce the above copyright
   notice, this list of conditions and the following disclaimer in the
   documentation and/or other materials provided with the distribution.
3. Neither the name of the group nor the names of its contributors
   may be used to endorse or promote products derived from this software
   without specific prior written permission.

THIS SOFTWARE IS PROVIDED BY THE GROUP AND CONTRIBUTORS ``AS IS'' AND
ANY EXPRESS OR IMPLIED WARRANTIES ARE DISCLAIMED. IN NO EVENT SHALL THE
GROUP BE LIABLE FOR ANY DIRECT DAMAGES ARISING IN ANY WAY OUT OF THE USE OF
THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.
"""
GPL = """\
This file is part of Words.

Words is free software; you can redistribute it and/or modify it under
the terms of the GNU General Public License as published by the Free
Software Foundation; either version 2, or (at your option) any later
version.

Words is distributed in the hope that it will be useful, but WITHOUT ANY
WARRANTY; without even the implied warranty of MERCHANTABILITY.  See the
GNU General Public License for more details.

You should have received a copy of the GNU General Public License along
with Words; if not, write to the Free Software Foundation, Inc.,
59 Temple Place - Suite 330, Boston, MA 02111-1307, USA.
"""

#: For each language how it writes a comment of several lines: before the first, before each, behind the last.
BLOCKS = {
    "C": ("/*\n", " * ", " */\n"),
    "C++": ("", "// ", ""),
    "CSS": ("/**\n", " * ", " */\n"),
    "Python": ("", "# ", ""),
    "Cython": ('"""\n', "", '"""\n'),
    "Lua": ("--[[\n", "  ", "]]\n"),
    "SQL": ("", "-- ", ""),
    "Haskell": ("{-\n", "  ", "-}\n"),
    "Elm": ("", "-- ", ""),
    "Emacs Lisp": ("", ";;; ", ""),
    "Racket": ("#|\n", "", "|#\n"),
    "TeX": ("", "%% ", ""),
    "Erlang": ("%%====\n", "%% ", "%%====\n"),
    "HTML": ("<!--\n", "  ", "-->\n"),
    "Markdown": ("<!---\n", "", "--->\n"),
    "XML": ("<!--\n", " ~ ", "-->\n"),
    "OCaml": ("(*\n", " * ", " *)\n"),
    "Standard ML": ("", "(* ", " *)"),
    "Jinja": ("{#\n", "", "#}\n"),
    "Batchfile": ("", "REM ", ""),
    "Visual Basic .NET": ("", "' ", ""),
    "VBScript": ("", "rem ", ""),
    "M4": ("", "dnl ", ""),
    "Fortran": ("", "C     ", ""),
    "Julia": ("#=\n", "", "=#\n"),
    "PowerShell": ("<#\n", "  ", "#>\n"),
    "Ruby": ("=begin\n", "", "=end\n"),
    "Vim Script": ("", '" ', ""),
    "Pascal": ("{\n", "  ", "}\n"),
    "D": ("/+\n", " + ", " +/\n"),
    "CoffeeScript": ("###\n", "", "###\n"),
    "reStructuredText": ("..\n", "   ", ""),
    "Makefile": ("####\n", "# ", "####\n"),
    "": ("", "// ", ""),
}


def comment(text: str, language: str) -> str:
    before, each, behind = BLOCKS[language]
    end = behind if "\n" not in behind and behind else ""
    lines = [f"{each}{line}{end}".rstrip() + "\n" for line in text.splitlines()]
    return before + "".join(lines) + (behind if not end else "")


@pytest.mark.parametrize("language", BLOCKS)
@pytest.mark.parametrize("notice", [COPYRIGHT, MIT, APACHE, BSD, GPL], ids=["copyright", "mit", "apache", "bsd", "gpl"])
def test_a_header_that_is_a_notice_goes_with_its_comment(language, notice):
    code = "begin the code\n"
    assert remove_headers(f"{comment(notice, language)}\n{code}", language) == code


@pytest.mark.parametrize("language", BLOCKS)
def test_the_description_that_follows_in_a_comment_of_its_own_stays(language):
    documented = comment(DOC, language) + "\nbegin the code\n"
    assert remove_headers(f"{comment(APACHE, language)}\n{documented}", language) == documented


@pytest.mark.parametrize("language", BLOCKS)
@pytest.mark.parametrize("notice", [COPYRIGHT, APACHE, GPL], ids=["copyright", "apache", "gpl"])
def test_of_a_comment_with_notice_and_description_the_description_stays(language, notice):
    for text in (f"{notice}\n\n{DOC}", f"{DOC}\n\n{notice}", f"{DOC}\n{notice}"):
        left = remove_headers(comment(text, language) + "begin the code\n", language)
        assert left == comment(DOC, language) + "begin the code\n"


@pytest.mark.parametrize(
    ("language", "kept", "rest"),
    [
        ("Shell", "#!/bin/sh\n", "exec true\n"),
        ("Python", "#!/usr/bin/env python3\n# -*- coding: utf-8 -*-\n", "import re\n"),
        ("Python", "# vim: set fileencoding=utf-8 :\n", "import re\n"),
        ("Ruby", "# frozen_string_literal: true\n", "puts 1\n"),
        ("C++", "// -*- C++ -*-\n", "#include <a>\n"),
        ("YAML", "---\n", "a: 1\n"),
        ("PHP", "<?php\n", "echo 1;\n"),
        ("XML", '<?xml version="1.0"?>\n', "<a/>\n"),
        ("HTML", "<!DOCTYPE html>\n", "<p>a</p>\n"),
        ("C", "#ifndef A_H\n#define A_H\n", "int a;\n#endif\n"),
        ("Batchfile", "@echo off\n", "dir\n"),
        ("Go", "//go:build linux\n", "package a\n"),
        ("Python", "\ufeff", "import re\n"),
    ],
)
def test_what_stands_before_a_header_stays(language, kept, rest):
    styles = {"PHP": "C", "YAML": "Python", "Shell": "Python", "Go": "C++", "Ruby": "Python"}
    notice = comment(f"{COPYRIGHT}\n{MIT}", styles.get(language, language))
    assert remove_headers(f"{kept}{notice}{rest}", language) == kept + rest


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("C", "#include <stdio.h>\n#include <copyright.h>\nint a;\n"),
        ("Markdown", "# Copyright\n\n## License\n\nCopyright 2001 A. Writer\n"),
        ("Markdown", "# Title\n\nLicensed under the MIT license.\n"),
        ("YAML", "---\ncopyright: 2001\n"),
        ("Python", '"""Finds the licences of files that are in the public folder."""\n'),
        ("Python", "# Removes old notices from the header of a file.\nimport re\n"),
        ("Python", "# Tells whether each file of a project has a copyright header.\nimport re\n"),
        ("Python", "import re\n\n# Copyright (c) 2001 A. Writer. All rights reserved.\nx = 1\n"),
        ("JavaScript", "const a = 1;\n/* Licensed under the MIT license. */\n"),
        ("Python", '"""Tools that check the Apache License in headers of files."""\n'),
        ("Python", '"""Downloads pictures of Creative Commons, and texts from the public domain."""\n'),
        ("Python", "# Reads the license file of a project, and license information from its metadata.\nimport re\n"),
        ("Haskell", "{-# LANGUAGE GADTs #-}\nmodule A where\n"),
        ("Python", "# Author: A. Writer\n\nimport re\n"),
        ("C", "/* never closed, Copyright (c) 2001 A. Writer\nint a;\n"),
        ("", "copyright = 2001\n"),
        ("", ""),
    ],
)
def test_what_is_no_notice_in_a_header_stays(language, text):
    assert remove_headers(text, language) == text


def test_a_description_below_a_tag_of_one_line_stays():
    text = f"# SPDX-License-Identifier: MIT\n# License: MIT\n# {DOC}\nimport re\n"
    assert remove_headers(text, "Python") == f"# {DOC}\nimport re\n"


def test_several_comments_of_notices_in_a_row_all_go():
    text = f"/* {COPYRIGHT} */\n\n/*\n * {MIT}\n */\n// Copyright 2003 B. Writer\n\n/** {DOC} */\nint a;\n"
    assert remove_headers(text, "C") == f"/** {DOC} */\nint a;\n"


def test_a_header_of_one_line_comments_in_a_box_goes():
    text = (
        "/* ***************** */\n/* Copyright 2001 A. */\n/* MIT license       */\n/* ***************** */\nint a;\n"
    )
    assert remove_headers(text, "C") == "int a;\n"


def test_a_banner_that_says_licence_goes_with_the_notice_below_it():
    banner = f'# -----( LICENSE        )-----\n# {COPYRIGHT}\n# See "LICENSE" for details.\n\n'
    assert remove_headers(f'#!/usr/bin/env python3\n{banner}"""{DOC}"""\n', "Python") == (
        f'#!/usr/bin/env python3\n\n"""{DOC}"""\n'
    )
    assert remove_headers(f"# ----( TODO )----\n# {DOC}\n", "Python") == f"# ----( TODO )----\n# {DOC}\n"


@pytest.mark.parametrize(
    "notice",
    [
        "Copyright https://example.org/p/words/",
        "this work for additional information regarding copyright ownership.",
    ],
)
def test_notices_of_which_a_part_is_missing_go_too(notice):
    assert remove_headers(f'# {notice}\n\n"""{DOC}"""\n', "Python") == f'"""{DOC}"""\n'


def test_code_behind_a_comment_on_its_line_stays():
    assert remove_headers(f"/* {COPYRIGHT} */ package a;\n", "Java") == "package a;\n"
    assert remove_headers(f"/*\n {COPYRIGHT}\n */ (function() {{}})();\n", "JavaScript") == "(function() {})();\n"


def test_the_comment_s_signs_stay_around_what_is_left_on_their_lines():
    assert remove_headers(f"/* {DOC}\n   {COPYRIGHT} */\nint a;\n", "C") == f"/* {DOC} */\nint a;\n"
    assert remove_headers(f'"""{COPYRIGHT}\n\n{DOC}"""\n', "Python") == f'"""\n{DOC}"""\n'


def test_copyright_behind_a_description_on_its_line_goes_alone():
    assert remove_headers("// words.js v1.2 (c) 2010 A. Writer\nvar a;\n", "JavaScript") == "// words.js v1.2\nvar a;\n"
    assert remove_headers("/* words.c, Copyright 2010 A. W. */\nint a;\n", "C") == "/* words.c */\nint a;\n"


def test_authors_and_revisions_go_with_a_notice_beside_them():
    text = f"# words.py\n#\n# {COPYRIGHT}\n# Author: A. Writer <a@example.org>\n# $Id: words.py 7 $\n\nimport re\n"
    assert remove_headers(text, "Python") == "# words.py\n\nimport re\n"


def test_a_sentence_that_runs_on_over_words_of_authors_stays():
    rest = "# Reads what was\n# written by the parser, and what contributors\n# contributed by hand.\nimport re\n"
    assert remove_headers(f"# {COPYRIGHT}\n\n{rest}", "Python") == rest


def test_one_blank_line_stays_below_a_line_that_is_kept():
    assert remove_headers(f"#!/bin/sh\n#\n# {COPYRIGHT}\n\n\n\ndate\n", "Shell") == "#!/bin/sh\n\ndate\n"
    assert remove_headers(f"#!/bin/sh\n\n# {COPYRIGHT}\n\n\n\ndate\n", "Shell") == "#!/bin/sh\n\ndate\n"
    assert remove_headers(f"\n\n# {COPYRIGHT}\n\n\n  date\n", "Shell") == "\n\n  date\n"


def test_line_ends_of_windows_stay():
    text = f"/*\r\n * {COPYRIGHT}\r\n *\r\n * {DOC}\r\n */\r\nint a;\r\n"
    assert remove_headers(text, "C") == f"/*\r\n * {DOC}\r\n */\r\nint a;\r\n"


def test_nested_comments_end_where_their_language_ends_them():
    text = f"(* {COPYRIGHT}\n (* all rights reserved *)\n*)\nlet a = 1\n"
    assert remove_headers(text, "OCaml") == "let a = 1\n"
    assert remove_headers(f"/* {COPYRIGHT}\n/* {MIT} */\n*/\nfn a() {{}}\n", "Rust") == "fn a() {}\n"


def test_other_line_ends_of_unicode_end_no_comment():
    text = f"# {COPYRIGHT}\u2028 and sons\nx = 1\n"
    assert remove_headers(text, "Python") == "x = 1\n"


def test_a_script_s_header_goes_whatever_its_name_says():
    assert remove_headers(f"#!/bin/sh\n# {COPYRIGHT}\ndate\n", "D") == "#!/bin/sh\ndate\n"


def test_notices_are_given_without_signs():
    text = f"#!/bin/sh\n# {COPYRIGHT}\n#\n# {DOC}\n#\n# {MIT}\n"
    assert header_notices(text, "Shell") == f"{COPYRIGHT}\n{MIT}"


def test_of_installed_modules_the_code_stays_as_the_parser_reads_it():
    """Sixty real headers, judged by Python's own parser: all but the first docstring is the same program."""
    changed = 0
    for path in sorted(glob.glob(os.path.join(sysconfig.get_path("purelib"), "*", "*.py")))[::5]:
        with open(path, encoding="utf-8", errors="replace", newline="") as stream:
            text = stream.read()
        left = remove_headers(text, "Python")
        if left != text:
            assert _program(left) == _program(text), path
            changed += 1
        if changed == 60:
            return
    pytest.skip(f"{changed} headers in the environment")


def _program(text: str) -> str:
    with warnings.catch_warnings(action="ignore"):
        tree = ast.parse(text)
    if ast.get_docstring(tree, clean=False) is not None:
        del tree.body[0]
    return ast.dump(tree)


ATOMS = [
    *("/*", "*/", "//", "#", "--", ";", "%", "<!--", "-->", '"""', "'''", "(*", "*)", "{-", "-}", "{#", "#}", "=begin"),
    *("--[[", "]]", "#|", "|#", "rem ", "dnl ", "C ", "\n", "\n\n", "\r\n", " ", "\t", "\u2028", "é", "\ufeff", "\x00"),
    *(
        "/*\nCopyright 2001 a\n*/\n",
        "/* Copyright 2001 a */\n",
        "# (c) 2001\n",
        "# a\n",
        "/* a */\n",
        "/*\na\n*/\n",
        "(* a *)\n",
    ),
    *(
        "copyright ",
        "(c) ",
        "2001 ",
        "license ",
        "licensed under ",
        "see the ",
        "in the ",
        "file ",
        "as is ",
        "is ",
        "a@b.c ",
    ),
    *(
        "-*- ",
        "all rights reserved. ",
        "/// permission\n",
        "#!",
        "<?php\n",
        ".. \n",
        "   a\n",
        "word ",
        "a" * 50,
        "((",
        "``",
    ),
]
LANGUAGES = [
    "",
    "C",
    "Python",
    "OCaml",
    "Rust",
    "HTML",
    "Lua",
    "Fortran",
    "reStructuredText",
    "Jinja",
    "Racket",
    "CoffeeScript",
]


@settings(max_examples=400)
@given(st.lists(st.sampled_from(ATOMS), max_size=40).map("".join), st.sampled_from(LANGUAGES))
def test_what_is_left_of_any_soup_is_lines_or_parts_of_lines_that_were_there(text, language):
    left = remove_headers(text, language)
    assert len(left) <= len(text) + 4
    rest = iter(text.split("\n"))
    for line in left.split("\n"):
        assert any(piece.strip() in was for was in rest for piece in [_longest(line)]), (line, left)


def _longest(line: str) -> str:
    """Give a kept line without a sign that was moved to it."""
    return max(line.split(" "), key=len)


@settings(max_examples=300)
@given(st.text(max_size=300), st.sampled_from(LANGUAGES))
def test_any_text_is_read(text, language):
    remove_headers(text, language)
    header_notices(text, language)


@settings(max_examples=200)
@given(
    st.lists(
        st.sampled_from(["x = 1\n", "\n", "# a\n", "/* b */\n", "-- Copyright 2001 a\n", '"""\n']), max_size=20
    ).map("".join)
)
def test_nothing_behind_the_first_line_of_code_is_touched(text):
    code = "int main() { return 0; }\n"
    for language in LANGUAGES[:6]:
        assert remove_headers(code + text, language) == code + text


def test_a_comment_of_more_than_a_million_characters_is_no_header():
    def text(chars: int) -> str:
        return f"/* {COPYRIGHT} {' ' * (chars - len(COPYRIGHT) - 7)} */\nint a;\n"

    assert text(1_000_000).index("\n") == 1_000_000
    assert remove_headers(text(1_000_000), "C") == "int a;\n"
    longer = text(1_000_000).replace(" */", "\n*/")
    assert remove_headers(longer, "C") == "int a;\n"
    assert remove_headers(longer.replace("\n*/", " \n*/"), "C") == longer.replace("\n*/", " \n*/")


def _lines_run(work: Callable[[], object]) -> int:
    """Count the lines of the filters that run, whatever the machine does meanwhile."""
    count = 0

    def trace(frame, event, arg):
        nonlocal count
        if "/filters/" not in frame.f_code.co_filename or "/tests/" in frame.f_code.co_filename:
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("language", ["", "C", "OCaml", "Jinja", "reStructuredText"])
def test_a_text_eight_times_as_long_runs_about_eight_times_as_many_lines(language):
    for atom in ATOMS:
        for head in ("", "/*\n", "# Copyright 2001 a\n"):
            texts = (head + atom * 40, head + atom * 320)
            short, long = (_lines_run(functools.partial(remove_headers, text, language)) for text in texts)
            assert long <= 9 * short + 300, (atom, head, short, long)


@pytest.mark.parametrize("language", ["", "C", "OCaml"])
def test_a_line_of_a_megabyte_of_one_thing_is_read(language):
    """What one line of our code searches: it would take hours if it were searched again from each place."""
    for atom in (atom for atom in ATOMS if "\n" not in atom):
        for head in ("", "/* Copyright 2001 a\n", "# "):
            remove_headers(head + atom * (1_000_000 // len(atom)), language)
