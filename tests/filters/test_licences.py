"""Names of licences are brought to SPDX, and expressions of them to a verdict."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.licences import (
    FAMILIES,
    LicenceReason,
    check_header_licences,
    check_licences,
    is_permitted,
    licence_expression,
    licence_family,
    spdx_id,
)

#: Every value that ``licenses.license`` has in BigQuery's github_repos, with its id and family.
BIGQUERY = {
    "agpl-3.0": ("AGPL-3.0", None),
    "apache-2.0": ("Apache-2.0", "apache"),
    "artistic-2.0": ("Artistic-2.0", None),
    "bsd-2-clause": ("BSD-2-Clause", "bsd"),
    "bsd-3-clause": ("BSD-3-Clause", "bsd"),
    "cc0-1.0": ("CC0-1.0", None),
    "epl-1.0": ("EPL-1.0", None),
    "gpl-2.0": ("GPL-2.0", None),
    "gpl-3.0": ("GPL-3.0", None),
    "isc": ("ISC", None),
    "lgpl-2.1": ("LGPL-2.1", None),
    "lgpl-3.0": ("LGPL-3.0", None),
    "mit": ("MIT", "mit"),
    "mpl-2.0": ("MPL-2.0", None),
    "unlicense": ("Unlicense", None),
}


@pytest.mark.parametrize("name", BIGQUERY)
def test_every_licence_of_bigquery_has_its_id_and_family(name):
    spdx, family = BIGQUERY[name]
    assert spdx_id(name) == spdx
    assert licence_family(spdx) == family


@pytest.mark.parametrize(
    ("name", "spdx"),
    [
        ("License :: OSI Approved :: MIT License", "MIT"),
        ("License :: OSI Approved :: MIT No Attribution License (MIT-0)", "MIT-0"),
        ("License :: OSI Approved :: Apache Software License", "LicenseRef-Apache"),
        ("License :: OSI Approved :: BSD License", "LicenseRef-BSD"),
        ("License :: OSI Approved :: GNU General Public License v3 or later (GPLv3+)", "LicenseRef-GPL"),
        ("License :: OSI Approved :: ISC License (ISCL)", "ISC"),
        ("License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)", "MPL-2.0"),
        ("License :: OSI Approved", None),
        ("Apache License, Version 2.0", "Apache-2.0"),
        ("Apache 2", "Apache-2.0"),
        ("Apache2", "Apache-2.0"),
        ("ASL 2.0", "Apache-2.0"),
        ("Apache License 1.1", "Apache-1.1"),
        ('BSD 3-Clause "New" or "Revised" License', "BSD-3-Clause"),
        ("New BSD License", "BSD-3-Clause"),
        ("Modified BSD", "BSD-3-Clause"),
        ("3-Clause BSD License", "BSD-3-Clause"),
        ("Simplified BSD", "BSD-2-Clause"),
        ("BSD", "LicenseRef-BSD"),
        ("The MIT License (MIT)", "MIT"),
        ("MIT/X11", "LicenseRef-MIT"),
        ("Expat", "MIT"),
        ("GPLv3", "GPL-3.0"),
        ("Public Domain", "LicenseRef-public-domain"),
        ("Proprietary", "LicenseRef-proprietary"),
        ("0bsd", "0BSD"),
        ("bsd-3-clause-clear", "BSD-3-Clause-Clear"),
        ("x11", "X11"),
        ("licenseref-scancode-example", "LicenseRef-scancode-example"),
        ("a licence of my own", None),
        ("", None),
        ("mit" * 1000, None),
    ],
)
def test_names_as_people_spell_them(name, spdx):
    assert spdx_id(name) == spdx


@pytest.mark.parametrize(
    ("spdx", "family"),
    [
        ("MIT-0", "mit"),
        ("X11", "mit"),
        ("JSON", None),
        ("0BSD", "bsd"),
        ("BSD-4-Clause", "bsd"),
        ("BSD-3-Clause-Clear", "bsd"),
        ("BSD-3-Clause-No-Nuclear-Warranty", "bsd"),
        ("BSD-3-Clause-No-Nuclear-License", None),
        ("BSD-3-Clause-No-Military-License", None),
        ("BSD-Protection", None),
        ("Apache-1.0", "apache"),
        ("ISC", None),
        ("Zlib", None),
        ("Unlicense", None),
    ],
)
def test_variants_belong_to_a_family_unless_they_restrict_use(spdx, family):
    assert spdx_id(spdx) == spdx
    assert licence_family(spdx) == family


@pytest.mark.parametrize(
    ("name", "expression"),
    [
        ("mit or apache-2.0", "MIT OR Apache-2.0"),
        ("MIT/Apache-2.0", "MIT OR Apache-2.0"),
        ("(MIT AND BSD-3-Clause) or gpl-2.0-only", "(MIT AND BSD-3-Clause) OR GPL-2.0-only"),
        ("apache-2.0 with llvm-exception", "Apache-2.0 WITH LLVM-exception"),
        ("MIT OR", None),
        ("MIT OR Mine", None),
        ("((((", None),
    ],
)
def test_expressions_are_written_as_spdx_writes_them(name, expression):
    assert licence_expression(name) == expression


@pytest.mark.parametrize(
    ("expression", "permitted"),
    [
        ("MIT", True),
        ("GPL-2.0-only", False),
        ("GPL-2.0-only OR MIT", True),
        ("GPL-2.0-only AND MIT", False),
        ("MIT AND BSD-3-Clause AND Apache-2.0", True),
        ("GPL-2.0-only WITH Classpath-exception-2.0", False),
        ("Apache-2.0 WITH LLVM-exception OR NCSA", True),
        ("MIT OR GPL-2.0-only AND GPL-3.0-only", True),  # AND binds closer
        ("(MIT OR GPL-2.0-only) AND GPL-3.0-only", False),
        ("((MIT) OR (GPL-2.0-only)) AND (BSD-2-Clause)", True),
        ("", False),
        ("all rights reserved", False),
    ],
)
def test_a_choice_needs_one_permitted_licence_and_a_sum_all(expression, permitted):
    assert is_permitted(expression) is permitted


@given(
    st.recursive(st.sampled_from(["MIT", "ISC"]), lambda inner: st.tuples(st.sampled_from(["AND", "OR"]), inner, inner))
)
def test_expressions_are_judged_as_python_judges_them(tree):
    def write(node, names):
        return names[node] if isinstance(node, str) else f"({write(node[1], names)} {node[0]} {write(node[2], names)})"

    python = write(tree, {"MIT": "True", "ISC": "False"}).replace("AND", "and").replace("OR", "or")
    assert is_permitted(write(tree, {"MIT": "MIT", "ISC": "ISC"})) is eval(python)


def test_expressions_without_brackets_are_judged_with_and_before_or():
    for names in itertools.product(["MIT", "ISC"], repeat=3):
        for first, second in itertools.product(["AND", "OR"], repeat=2):
            values = ["True" if name == "MIT" else "False" for name in names]
            python = f"{values[0]} {first.lower()} {values[1]} {second.lower()} {values[2]}"
            assert is_permitted(f"{names[0]} {first} {names[1]} {second} {names[2]}") is eval(python)


def test_a_repository_without_a_licence_is_left_out():
    for names in ([], [""], [" ", ""]):
        drop = check_licences(names)
        assert drop is not None
        assert drop.reason is LicenceReason.MISSING


def test_a_licence_that_nobody_knows_is_left_out_under_its_name():
    drop = check_licences(["mit", "Frobnicated"])
    assert drop is not None
    assert (drop.reason, drop.detail) == (LicenceReason.UNKNOWN, "Frobnicated")


def test_of_several_licences_each_must_be_permitted():
    assert check_licences(["mit", "apache-2.0"]) is None
    drop = check_licences(["mit", "gpl-3.0"])
    assert drop is not None
    assert (drop.reason, drop.detail) == (LicenceReason.NOT_PERMITTED, "GPL-3.0")


def test_families_can_be_chosen():
    assert check_licences(["apache-2.0"], families=("mit", "bsd")) is not None
    assert check_licences(["bsd-2-clause"], families=("mit", "bsd")) is None


def test_a_file_whose_header_names_another_licence_is_left_out():
    assert check_header_licences([]) is None
    assert check_header_licences(["MIT", "GPL-2.0 OR BSD-3-Clause"]) is None
    drop = check_header_licences(["MIT", "GPL-2.0"])
    assert drop is not None
    assert (drop.reason, drop.detail) == (LicenceReason.OTHER_IN_FILE, "GPL-2.0")


def test_no_licence_is_in_two_families():
    for first, second in itertools.combinations(FAMILIES.values(), 2):
        assert not first & second


def test_families_have_ids_as_spdx_spells_them():
    for spdx in set().union(*FAMILIES.values()):
        assert spdx.startswith("LicenseRef-") or spdx_id(spdx.lower()) == spdx
