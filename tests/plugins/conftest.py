"""Nothing here is a test: these modules are loaded by the tests that need them."""

collect_ignore_glob = ["*.py"]
