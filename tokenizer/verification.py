"""Documents of a token shard into ids, a seeded share of them held against SentencePiece's own.

Which engine computed the ids must leave no trace in them. A shard with one document that differs is encoded anew,
whole, by SentencePiece, and the number of such documents is handed on to be counted.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from tokenizer.encoding import Encoder, Ids
from tokenizer.sampling import is_sampled
from tokenizer.settings import TokenShardSettings

#: Ids and texts of documents, batch by batch.
Texts = Iterable[tuple[Sequence[str], Sequence[str]]]


@dataclass(slots=True)
class EncodedShard:
    """The documents of a shard.

    Attributes:
        names: Their ids, in the order read.
        documents: The ids of their tokens, in the same order.
        text_bytes: UTF-8 bytes of their text.
        verified: How many were held against SentencePiece.
        differing: How many of these differed; where any did, ``documents`` are SentencePiece's.
    """

    names: list[str] = field(default_factory=list)
    documents: list[Ids] = field(default_factory=list)
    text_bytes: int = 0
    verified: int = 0
    differing: int = 0

    @property
    def facts(self) -> dict[str, int]:
        """The counts that belong into a commit's facts."""
        return {"verified_documents": self.verified, "differing_documents": self.differing}


def encode_verified(encoder: Encoder, read: Callable[[], Texts], settings: TokenShardSettings) -> EncodedShard:
    """Encode a shard's documents and verify a share of them.

    Args:
        encoder: The tokenizer.
        read: Reads ids and texts of the shard's documents; called once more where a document differs.
        settings: The share, BOS and EOS. The shard's first document is verified whatever the share.

    Returns:
        The documents; their ids are the same whatever the encoder's engine, as far as verification sees.
    """
    shard = _encode(encoder, read(), settings, by_reference=False)
    if not shard.differing:
        return shard
    again = _encode(encoder, read(), settings, by_reference=True)
    return EncodedShard(again.names, again.documents, again.text_bytes, shard.verified, shard.differing)


def _encode(encoder: Encoder, batches: Texts, settings: TokenShardSettings, *, by_reference: bool) -> EncodedShard:
    shard = EncodedShard()
    for names, texts in batches:
        documents = encoder.encode_documents(texts, bos=settings.bos, eos=settings.eos, by_reference=by_reference)
        if not by_reference:
            _verify(shard, encoder, names, texts, documents, settings)
        shard.names += names
        shard.documents += documents
        shard.text_bytes += sum(len(text.encode()) for text in texts)
    return shard


def _verify(
    shard: EncodedShard,
    encoder: Encoder,
    names: Sequence[str],
    texts: Sequence[str],
    documents: Sequence[Ids],
    settings: TokenShardSettings,
) -> None:
    """Hold the next batch's share against SentencePiece and count."""
    places = {place for place, name in enumerate(names) if _is_verified(name, settings)}
    if names and not shard.names:
        places.add(0)
    for place in sorted(places):
        (ids,) = encoder.encode_documents([texts[place]], bos=settings.bos, eos=settings.eos, by_reference=True)
        shard.verified += 1
        shard.differing += not np.array_equal(documents[place], ids)


def _is_verified(name: str, settings: TokenShardSettings) -> bool:
    return is_sampled(f"verified\0{name}", settings.verified_fraction, settings.seed)
