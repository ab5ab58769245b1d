"""Deduplication of C4 by spans of three sentences, as the paper has it (Raffel et al., 2020, section 2.2).

The paper discards "all but one of any three-sentence span occurring more than once in the data set"; the published C4
was made with lines instead (:func:`filters.c4_text.line_keys`). A span is known by the 64 bits of XXH3 of its
sentences, stripped and lower-cased as C4 does with lines, whatever blanks lie between them. All of it follows from the
text alone, so the second reading of a document finds the same spans as the first.

Which spans are copies is decided in the pipeline, where all of them meet; this module gives the keys and takes the
sentences out. Spans overlap, so a sentence goes when any of the three spans it belongs to does.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import xxhash
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from filters.c4_text import Sentences

SPAN_SENTENCES = 3


def span_keys(text: str, sentences: Sentences) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Give the keys of a text's spans, one for each sentence that two others follow.

    Args:
        text: A cleaned page.
        sentences: Finds its sentences.

    Returns:
        The keys, in order; none for fewer than three sentences. And the borders, an array of ``(start, end)`` in
        characters for each sentence: span ``i`` is made of the sentences ``i``, ``i + 1`` and ``i + 2``.
    """
    borders = np.array(sentences.spans(text), np.int64).reshape(-1, 2)
    if len(borders) < SPAN_SENTENCES:
        return np.empty(0, np.uint64), borders
    single = b"".join(xxhash.xxh3_64_digest(text[start:end].strip().lower().encode()) for start, end in borders)
    spans = sliding_window_view(np.frombuffer(single, ">u8"), SPAN_SENTENCES)
    digests = b"".join(xxhash.xxh3_64_digest(span.tobytes()) for span in spans)
    return np.frombuffer(digests, ">u8").astype(np.uint64), borders


def remove_spans(text: str, borders: NDArray[np.int64], marked: NDArray[np.bool_]) -> str:
    """Take all sentences of marked spans out of a text.

    Args:
        text: The text whose spans were given.
        borders: Its sentences, from :func:`span_keys`.
        marked: For each of its spans, whether it goes.

    Returns:
        The other sentences, with the blanks between them. Where sentences are gone, what is left is joined by the
        blanks before the second one, or by a line end when one of those left out was the last or first of its line.
        The text itself when no span is marked; empty when no sentence is left.

    Raises:
        ValueError: ``marked`` is not as long as the text has spans.
    """
    spans = max(len(borders) - SPAN_SENTENCES + 1, 0)
    if len(marked) != spans:
        raise ValueError(f"{spans} spans in the text, {len(marked)} are marked or not")
    if not marked.any():
        return text
    gone = np.zeros(len(borders), np.bool_)
    for i in range(SPAN_SENTENCES):
        gone[i : i + spans] |= marked
    return "".join(_pieces(text, borders.tolist(), gone.tolist()))


def _pieces(text: str, borders: Sequence[Sequence[int]], gone: Sequence[bool]) -> Iterator[str]:
    """Give the sentences that stay, and before each but the first the blanks that join it to the last."""
    began = broken = False
    behind = 0
    for (start, end), is_gone in zip(borders, gone, strict=True):
        blanks, behind = text[behind:start], end
        broken = broken or "\n" in blanks
        if is_gone:
            continue
        if began:
            yield "\n" if broken else blanks
        yield text[start:end]
        began, broken = True, False
