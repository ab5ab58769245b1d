"""How many bytes of text each token stands for: what a loss per token is divided by to give bits per byte.

Losses per token of two tokenizers can not be compared, losses per byte of the same text can (Gao et al., 2020, section
3.1). A piece stands for its own UTF-8 bytes, spaces in place of U+2581, a byte piece for one byte, BOS and EOS for
none. The space that SentencePiece leads in before a document's first piece is no text: decoding drops it.
"""

import numpy as np
from numpy.typing import NDArray

from tokenizer.encoding import Ids
from tokenizer.model_file import Piece, read_model_file
from tokenizer.segments import SPACE_SYMBOL

_WITHOUT_TEXT = {"control", "unknown"}


def byte_lengths(model: bytes) -> NDArray[np.int64]:
    """Count the UTF-8 bytes of text that each piece of a vocabulary stands for, wherever it is not a document's first.

    Args:
        model: A SentencePiece model that shards can be made with; its byte fallback is complete, so that no text yields
            the unknown piece.

    Returns:
        A number for each id.
    """
    return np.array([_length(piece) for piece in read_model_file(model).pieces], np.int64)


def text_lengths(document: Ids, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count the bytes of text that each token of a document stands for; their sum is that of the decoded document.

    Args:
        document: The ids of one whole document, with BOS and EOS or without.
        lengths: Those of the pieces, see :func:`byte_lengths`.
    """
    found = lengths[document]
    (with_text,) = np.nonzero(found)
    if with_text.size:
        found[with_text[0]] -= 1
    return found


def _length(piece: Piece) -> int:
    if piece.kind == "byte":
        return 1
    return 0 if piece.kind in _WITHOUT_TEXT else len(piece.text.replace(SPACE_SYMBOL, " ").encode())
