"""How characters are written where n-grams are hashed."""

import numpy as np

from filters.fasttext_windows import Utf8Table


def test_characters_are_spelled_in_utf8_as_python_does() -> None:
    table = Utf8Table()
    table.assign(0xD800, "👍")
    for unit in [*range(0xD801), *range(0xE000, 0x10000)]:
        encoded = ("👍" if unit == 0xD800 else chr(unit)).encode()
        assert table.parts[: table.sizes[unit], unit].astype(np.uint8).tobytes() == encoded
