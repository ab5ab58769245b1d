"""Whether KenLM, which set-up builds where there is a C++ compiler, is there to be tested."""

import pytest

from filters.kenlm_tools import find_kenlm_tools


def _is_installed() -> bool:
    try:
        find_kenlm_tools()
    except FileNotFoundError:
        return False
    return True


needs_kenlm = pytest.mark.skipif(not _is_installed(), reason="no KenLM: make kenlm")
