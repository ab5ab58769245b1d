"""One file a source: a pure parser from the raw format, and the recipe that reads like the paper's paragraph."""
