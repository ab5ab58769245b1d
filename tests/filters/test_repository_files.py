"""Which files of a repository hold its licence, and which a file falls under."""

import pytest

from filters.repository_files import is_licence_file, licences_above


@pytest.mark.parametrize(
    "name",
    [
        *("LICENSE", "Licence", "license.txt", "LICENSE.md", "LICENSE.rst", "COPYING", "COPYING.LESSER", "COPYING.LIB"),
        *("LICENSE-MIT", "LICENSE-APACHE", "LICENSE.Apache-2.0", "LICENSE_1_0.txt", "MIT-LICENSE.txt", "UNLICENSE"),
        *("LICENSES", "lib/zlib/LICENSE", "COPYING3", "LICENSE.BSD"),
    ],
)
def test_licence_files_are_told_by_name(name: str) -> None:
    assert is_licence_file(name)


@pytest.mark.parametrize(
    "name",
    ["license.py", "license_check.go", "licenses.json", "src/licensing.c", "README", "LICENSE/x.txt", "copying.js"],
)
def test_code_called_after_licences_is_none(name: str) -> None:
    assert not is_licence_file(name)


def test_the_nearest_folder_with_a_licence_binds() -> None:
    licences = {"": ["MIT"], "lib": ["BSD-2-Clause"], "lib/gnu/deep": ["GPL-3.0-only"]}
    assert licences_above("a.c", licences) == ["MIT"]
    assert licences_above("src/deep/a.c", licences) == ["MIT"]
    assert licences_above("lib/a.c", licences) == ["BSD-2-Clause"]
    assert licences_above("lib/gnu/a.c", licences) == ["BSD-2-Clause"]
    assert licences_above("lib/gnu/deep/er/a.c", licences) == ["GPL-3.0-only"]
    assert licences_above("library/a.c", licences) == ["MIT"]
    assert licences_above("a.c", {"lib": ["MIT"]}) is None
