"""Languages are told by names of files."""

import pytest

from filters.code import CodeLimits
from filters.code_languages import code_language


@pytest.mark.parametrize(
    ("path", "language"),
    [
        ("a.py", "Python"),
        ("a/b.JS", "JavaScript"),
        ("a.cc", "C++"),
        ("a.C", "C++"),
        ("a.c", "C"),
        ("a.h", "C"),
        ("a.H", "C++"),
        ("Makefile", "Makefile"),
        ("src/GNUmakefile", "Makefile"),
        ("a.mk", "Makefile"),
        ("Dockerfile", "Dockerfile"),
        ("Dockerfile.arm64", "Dockerfile"),
        ("a.dockerfile", "Dockerfile"),
        ("CMakeLists.txt", "CMake"),
        ("README.txt", "Text"),
        ("README.md", "Markdown"),
        ("a.d.ts", "TypeScript"),
        ("a\\b.rb", "Ruby"),
        (".py", ""),
        ("py", ""),
        ("README", ""),
        ("a.", ""),
        ("", ""),
    ],
)
def test_names_tell_languages(path, language):
    assert code_language(path) == language


def test_every_suffix_that_is_kept_has_a_language():
    assert [
        suffix
        for suffix in CodeLimits().suffixes or ()
        if not code_language(f"a/{'' if suffix[0] != '.' else 'b'}{suffix}")
    ] == []
