"""Encoding words once: a text is cut where no piece can reach across, and the ids of each segment are remembered.

SentencePiece's BPE joins neighbouring symbols while their join is a piece of the vocabulary (Sennrich et al., 2016;
Kudo & Richardson, 2018). Where no piece of the vocabulary holds something else before a space, and none joins a newline
to anything, no join ever crosses from a character to a following space or over a newline, so a text cut there has
the ids of its segments, one after the other. Words repeat, so most segments are looked up instead of encoded; and a
long document is not one long agenda of joins, on which SentencePiece alone falls from 6 to 2 MB/s.
"""

import re
from collections.abc import Iterable, Sequence

import numpy as np
import sentencepiece

SPACE_SYMBOL = "\u2581"

#: A run of spaces with the word after it, or a newline with the word after it. The text is led by a space, as
#: SentencePiece leads it, so every character falls into exactly one segment.
_SEGMENT = re.compile(r" +[^ \n]*|\n[^ \n]*")

_JOINS_ACROSS = re.compile(rf"[^{SPACE_SYMBOL}]{SPACE_SYMBOL}|.\n|\n.", re.DOTALL)

#: What remembering a segment costs beside its text and ids: two string headers and a slot, in bytes.
_ENTRY_BYTES = 150


def is_separable(pieces: Iterable[str]) -> bool:
    """Tell whether texts may be cut into segments under this vocabulary.

    Args:
        pieces: The vocabulary, spaces written as U+2581.

    Returns:
        Whether no piece reaches over a segment's border.
    """
    return not any(_JOINS_ACROSS.search(piece) for piece in pieces)


class SegmentEngine:
    """Encodes texts to id bytes, exactly as SentencePiece does, remembering segments.

    What it remembers never changes what it returns. It is not safe to share between threads.
    """

    def __init__(
        self, processor: sentencepiece.SentencePieceProcessor, dtype: np.dtype, max_memory_bytes: int = 64 << 20
    ) -> None:
        """Start with nothing remembered.

        Args:
            processor: A BPE model with identity normaliser and dummy prefix, whose vocabulary :func:`is_separable`.
            dtype: Little-endian type of the ids.
            max_memory_bytes: Beyond this all is forgotten before the next text, so one text may exceed it.
        """
        self._processor = processor
        self._dtype = dtype
        self._max_memory_bytes = max_memory_bytes
        self._memory: dict[str, bytes] = {}
        self._memory_bytes = 0

    def __call__(self, text: str) -> bytes:
        """Encode one text.

        Args:
            text: Any text without lone surrogates.

        Returns:
            Its ids, little-endian, without BOS and EOS.
        """
        if not text:
            return b""
        segments = _SEGMENT.findall(" " + text.replace(SPACE_SYMBOL, " "))
        if self._memory_bytes > self._max_memory_bytes:
            self._memory.clear()
            self._memory_bytes = 0
        self._learn(list(set(segments).difference(self._memory)))
        return b"".join(map(self._memory.__getitem__, segments))

    def _learn(self, segments: Sequence[str]) -> None:
        """Encode segments and remember their ids.

        SentencePiece leads each with a space. A segment that begins with spaces gives its first one up for it; before
        a newline the space stays alone and its id is taken off again. So it is for the lone space at the end of a text,
        which is encoded before a newline whose id, the last, is taken off.
        """
        inputs = ["\n" if segment == " " else segment.removeprefix(" ") for segment in segments]
        for segment, ids in zip(segments, self._processor.encode(inputs, num_threads=1), strict=True):
            own = ids[:-1] if segment == " " else ids[1:] if segment[0] == "\n" else ids
            packed = np.array(own, dtype=self._dtype).tobytes()
            self._memory[segment] = packed
            self._memory_bytes += _ENTRY_BYTES + len(segment) + len(packed)
