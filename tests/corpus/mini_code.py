"""Sources and licences of the small world, for its miniature inputs and for tests."""

MIT_TEXT = """MIT License

Copyright (c) 2019 The bakers of the small world

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""
GPL_NOTICE = """This program is free software: you can redistribute it and/or modify it under the terms of the GNU
General Public License as published by the Free Software Foundation, either version 3 of the License, or (at your
option) any later version.
"""

BODY = """def weigh(loaves):
    \"\"\"Add up the weights of loaves.\"\"\"
    total = 0
    for loaf in loaves:
        total += loaf.weight
    return total
"""
C_BODY = """#include <stdio.h>

/* Weighs a loaf. */
int weigh(int flour, int water)
{
    return flour + water;
}
"""
#: A header in each style of comment, and what stands behind it.
HEADERS = {
    "c": ("/*\n * Copyright 2019 The bakers\n * SPDX-License-Identifier: MIT\n */\n", C_BODY),
    "go": (
        "// Copyright 2019 The bakers. All rights reserved.\n\n",
        "package oven\n\nfunc Heat() int {\n\treturn 250\n}\n",
    ),
    "py": (
        "# Copyright (c) 2019 The bakers\n# Licensed under the MIT license.\n\n",
        BODY.replace("def weigh", "def heat"),
    ),
    "sql": ("-- Copyright 2019 The bakers\n\n", "SELECT loaf, weight\nFROM shelf\nWHERE weight > 500;\n"),
    "lisp": (";; Copyright 2019 The bakers\n\n", "(defun weigh (flour water)\n  (+ flour water))\n"),
    "erl": ("%% Copyright 2019 The bakers\n\n", "-module(oven).\nheat() -> 250.\nweigh(Flour) -> Flour.\n"),
    "html": (
        "<!-- Copyright 2019 The bakers -->\n",
        "<html>\n<body>\n<p>Loaves of rye and wheat.</p>\n</body>\n</html>\n",
    ),
    "rb": ("# Copyright 2019 The bakers\n\n", "class Oven\n  def heat\n    250\n  end\nend\n"),
}
