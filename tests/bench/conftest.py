"""Keeps pytest out of this folder: nothing timed belongs to the tests."""

collect_ignore_glob = ["*.py"]
