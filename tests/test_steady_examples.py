"""Property tests draw the same examples in any order of the tests, in any process."""

import importlib.util
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st


def drawn() -> list[tuple[int, str, bytes]]:
    examples = []

    @settings(max_examples=500)
    @given(st.integers(), st.text(), st.binary())
    def draw(number, text, data) -> None:
        examples.append((number, text, data))

    draw()
    return examples


def test_modules_that_other_tests_have_loaded_do_not_change_the_examples(tmp_path, monkeypatch) -> None:
    if settings.get_current_profile_name() != "steady":
        pytest.skip("examples are to be new ones")
    before = drawn()
    source = tmp_path / "constants.py"
    source.write_text("\n".join(f"A{i} = {i + 12345}, 'word {i}', b'bytes {i}'" for i in range(99)))
    spec = importlib.util.spec_from_file_location("constants", source)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "constants", module)
    spec.loader.exec_module(module)
    assert drawn() == before
