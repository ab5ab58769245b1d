"""Which documents train the tokenizer, and in which order documents lie in a token shard.

Both follow from a hash of the document's id and a seed, so neither the order of arrival nor the number of workers
changes them.
"""

import hashlib
from collections.abc import Sequence

from tokenizer.settings import HeldOutSettings


def is_sampled(document_id: str, fraction: float, seed: int) -> bool:
    """Decide whether a document belongs to a sample.

    Samples of one seed are nested: what is in the sample of a fraction is in that of any larger one.

    Args:
        document_id: The document's stable id.
        fraction: Share of the documents wanted, 0 to 1; for the tokenizer ``sample_bytes`` over the corpus' bytes.
        seed: Any number below 2**64.

    Returns:
        Whether the document is in the sample.
    """
    return int.from_bytes(_seeded_hash(document_id, seed), "big") < fraction * 2**64


def is_held_out(document_id: str, settings: HeldOutSettings | None) -> bool:
    """Decide whether a document is kept out of all training, the tokenizer's included.

    The choice is independent of that of :func:`is_sampled`, whatever the seeds.

    Args:
        document_id: The document's stable id.
        settings: Share and seed; ``None`` holds nothing out.

    Returns:
        Whether the document is held out.
    """
    return settings is not None and is_sampled(f"held out\0{document_id}", settings.fraction, settings.seed)


def bounded(settings: HeldOutSettings | None, documents: int) -> HeldOutSettings | None:
    """Lower a source's fraction to what holds out about ``max_documents`` of its documents.

    What a lower fraction holds out a higher one does too. So whoever leaves out documents by the settings as they are,
    as the tokenizer's sample does, leaves out all of these.

    Args:
        settings: Share, bound and seed; ``None`` holds nothing out.
        documents: Documents of the source.

    Returns:
        The settings with the fraction to use.
    """
    if settings is None or settings.max_documents is None:
        return settings
    fraction = min(settings.fraction, settings.max_documents / max(1, documents))
    return settings.model_copy(update={"fraction": fraction})


def seeded_order(document_ids: Sequence[str], seed: int) -> list[int]:
    """Put documents in a random order that follows from their ids and a seed.

    Args:
        document_ids: The documents' ids, each once.
        seed: Any number below 2**64.

    Returns:
        Positions in ``document_ids``; the order of the ids they point at does not depend on the order of the argument.
    """
    return sorted(range(len(document_ids)), key=lambda i: (_seeded_hash(document_ids[i], seed), document_ids[i]))


def _seeded_hash(text: str, seed: int) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=8, key=seed.to_bytes(8, "little")).digest()
