"""KenLM (Heafield et al. 2013), which set-up builds from its source where there is a C++ compiler."""

import importlib
import os
import shutil
import sys
from importlib import metadata
from typing import Any, NamedTuple

_REMEDY = "run make kenlm"


class KenlmTools(NamedTuple):
    """Paths of KenLM's programs."""

    lmplz: str
    build_binary: str


def kenlm_version() -> str:
    """Give the version of KenLM's module, which set-up builds with its programs; empty where it is not installed."""
    try:
        return metadata.version("kenlm")
    except metadata.PackageNotFoundError:
        return ""


def load_kenlm() -> Any:
    """Import KenLM's Python module, which asks models.

    Raises:
        FileNotFoundError: It is not installed.
    """
    try:
        return importlib.import_module("kenlm")
    except ImportError as error:
        raise FileNotFoundError(f"KenLM's Python module is not installed: {_REMEDY}") from error


def find_kenlm_tools() -> KenlmTools:
    """Find what trains models: KenLM's programs, beside the Python interpreter, else on the ``PATH``, and its module.

    Raises:
        FileNotFoundError: One of them is not installed.
    """
    load_kenlm()
    return KenlmTools(*map(_find, KenlmTools._fields))


def _find(name: str) -> str:
    beside = os.path.join(os.path.dirname(sys.executable), name)
    found = beside if os.access(beside, os.X_OK) else shutil.which(name)
    if not found:
        raise FileNotFoundError(f"KenLM's {name} is not installed, neither as {beside} nor on the PATH: {_REMEDY}")
    return found
