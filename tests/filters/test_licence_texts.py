"""Licences are told by whole texts and by what headers say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.licence_texts import detect_licence, header_licences

MIT = """\
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
BSD_2 = """\
Redistribution and use in source and binary forms, with or without modification, are permitted provided that the
following conditions are met:

1. Redistributions of source code must retain the above copyright notice, this list of conditions and the following
   disclaimer.
2. Redistributions in binary form must reproduce the above copyright notice, this list of conditions and the following
   disclaimer in the documentation and/or other materials provided with the distribution.
{third}
THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS" AND ANY EXPRESS OR IMPLIED WARRANTIES,
INCLUDING, BUT NOT LIMITED TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE
DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR CONTRIBUTORS BE LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL,
SPECIAL, EXEMPLARY, OR CONSEQUENTIAL DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR
SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER CAUSED AND ON ANY THEORY OF LIABILITY,
WHETHER IN CONTRACT, STRICT LIABILITY, OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE OF
THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.
"""
THIRD = """\
3. Neither the name of the copyright holder nor the names of its contributors may be used to endorse or promote
   products derived from this software without specific prior written permission.
"""


def test_texts_of_licences_are_known_with_and_without_a_title():
    assert detect_licence(f"Copyright (c) 2001 A. Writer\n\n{MIT}") == "MIT"
    assert detect_licence(f"The MIT License (MIT)\n\nCopyright (c) 2001 A. Writer\n\n{MIT}") == "MIT"
    assert detect_licence(BSD_2.format(third="")) == "BSD-2-Clause"
    assert detect_licence(BSD_2.format(third=THIRD)) == "BSD-3-Clause"


def test_a_file_with_two_texts_names_both():
    assert detect_licence(f"{MIT}\n\n----\n\n{BSD_2.format(third='')}") == "MIT AND BSD-2-Clause"


def test_a_text_that_is_no_licence_names_none():
    assert detect_licence("") is None
    assert detect_licence("This project is under the MIT license.\n") is None
    assert detect_licence(("All rights are mine and nobody else's. " * 200) + MIT) is None


@pytest.mark.parametrize(
    ("header", "licences"),
    [
        ("# SPDX-License-Identifier: MIT", ["MIT"]),
        ("/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */", ["GPL-2.0 WITH Linux-syscall-note"]),
        ("<!-- SPDX-License-Identifier: mit -->", ["MIT"]),
        ("// SPDX-License-Identifier: (GPL-2.0+ OR MIT)", ["(GPL-2.0+ OR MIT)"]),
        ("// SPDX-License-Identifier: Mine", ["Mine"]),
        ("# SPDX-License-Identifier: MIT\n# SPDX-License-Identifier: ISC", ["MIT", "ISC"]),
        ("# Licensed under the Apache License, Version 2.0", ["Apache-2.0"]),
        ("# Use of this source code is governed by a BSD-style license.", ["LicenseRef-BSD"]),
        ("# Use of this source code is governed by an MIT-style license.", ["MIT"]),
        ("# This file is distributed under the terms of the GNU General Public License", ["LicenseRef-GPL"]),
        ("# under the terms of the GNU Lesser General Public License", ["LicenseRef-LGPL"]),
        ("# This Source Code Form is subject to the terms of the Mozilla Public License, v. 2.0.", ["LicenseRef-MPL"]),
        ("// Distributed under the Boost Software License, Version 1.0.", ["BSL-1.0"]),
        ("# Copyright 2001 A. Writer. All rights reserved.", []),
        ("# Licensed under the terms in the file LICENSE.", []),
        ("# PROPRIETARY AND CONFIDENTIAL. Copyright 2001 A. Writer.", ["LicenseRef-proprietary"]),
        ("# Released into the public domain.", ["LicenseRef-public-domain"]),
        ("# Finds files under the GPL.", []),
        ("x = 'GNU General Public License'", []),
    ],
)
def test_headers_name_licences(header, licences):
    assert header_licences(header) == licences


def test_texts_of_licences_in_a_header_are_known():
    assert header_licences("".join(f"# {line}\n" for line in MIT.splitlines())) == ["MIT"]
    assert header_licences(f"/*\n{BSD_2.format(third=THIRD)}*/\n") == ["LicenseRef-BSD"]


@pytest.mark.parametrize(
    "choice",
    [
        "Licensed under either the GNU General Public License or the BSD license.",
        "Dual licensed under the BSD license and the GNU General Public License, version 2.",
        "You may use this file under the terms of the GNU General Public License.\n# Alternatively, the BSD license.",
    ],
)
def test_a_choice_of_licences_is_given_as_one(choice):
    assert header_licences(f"# {choice}") == ["LicenseRef-GPL OR LicenseRef-BSD"]


def test_any_later_version_at_your_option_is_no_choice_of_licence():
    text = (
        "# Portions under the BSD license. This program is free software under the terms of the GNU General Public\n"
        "# License, either version 2, or (at your option) any later version.\n"
    )
    assert header_licences(text) == ["LicenseRef-GPL", "LicenseRef-BSD"]


def test_a_licence_behind_code_is_not_the_file_s_own():
    tag = "# SPDX-License-Identifier: MIT\n"
    assert header_licences("# a\n" * 20_000 + tag, "Python") == ["MIT"]
    assert header_licences("a = 1\n" + tag, "Python") == []


def test_a_header_that_ends_late_is_read():
    assert header_licences(f"/* Licensed under the MIT license.\n\n{'a ' * 40_000}*/\n", "C") == ["MIT"]


@given(st.text(max_size=300))
def test_any_text_is_read(text):
    detect_licence(text)
    header_licences(text)


@pytest.mark.parametrize(
    "atom", ["licensed under the apache license version ", "permission is hereby granted ", "a", " ", "(c) 2001\n"]
)
def test_a_licence_file_of_a_megabyte_is_read_up_to_its_bound(atom):
    detect_licence(atom * (1_000_000 // len(atom)))
