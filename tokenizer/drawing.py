"""How much text of each source trains the tokenizer, and which documents give it.

The paper trains its tokenizer on the data it trains the model on; the sample is therefore drawn in the mixture's
proportions (Touvron et al., 2023, table 1).
"""

from collections.abc import Iterator, Mapping, Sequence

from tokenizer.sampling import seeded_order

#: What is drawn beyond a quota by documents' ids alone, before their sizes are known: a share of it, and some tens of
#: books, since few large documents vary most.
_SLACK = 1.25
_SLACK_BYTES = 32 << 20


def sample_quotas(
    text_bytes: Mapping[str, int], proportions: Mapping[str, float] | None, sample_bytes: int
) -> dict[str, int]:
    """Share the bytes of the sample out among sources.

    Each source is due ``sample_bytes`` times its share of the proportions. One that has no more text than it is due
    gives all of it; what it leaves is shared among the others in the same proportions, and so on, until the sample is
    full or all text of the sources named is in it. Quotas are rounded down.

    Args:
        text_bytes: UTF-8 bytes of text of each source.
        proportions: Share of each source, in any unit; a source without one gives nothing. ``None`` goes by
            ``text_bytes``.
        sample_bytes: Bound of the sample.

    Returns:
        Bytes of each source, in the order of ``text_bytes``, in all at most ``sample_bytes``.

    >>> sample_quotas({"web": 900, "books": 10}, {"web": 50, "books": 50}, 100)
    {'web': 90, 'books': 10}
    """
    shares = text_bytes if proportions is None else proportions
    quotas = dict.fromkeys(text_bytes, 0)
    open_shares = {source: shares[source] for source in text_bytes if shares.get(source, 0) > 0}
    left = sample_bytes
    while open_shares:
        total = sum(open_shares.values())
        due = {source: left * share / total for source, share in open_shares.items()}
        exhausted = [source for source in open_shares if text_bytes[source] <= due[source]]
        if not exhausted:
            return quotas | {source: int(amount) for source, amount in due.items()}
        for source in exhausted:
            quotas[source] = text_bytes[source]
            left -= text_bytes[source]
            del open_shares[source]
    return quotas


def drawing_fraction(quota: int, text_bytes: int) -> float:
    """Give the share of a source's documents to draw, so that their text very likely fills the quota.

    >>> drawing_fraction(1 << 30, 11 << 30), drawing_fraction(1 << 20, 30 << 20)
    (0.11647727272727272, 1.0)
    """
    return min(1.0, (_SLACK * quota + _SLACK_BYTES) / max(1, text_bytes)) if quota else 0.0


def draw_documents(names: Sequence[str], sizes: Sequence[int], quota: int, seed: int) -> dict[int, int]:
    """Choose the documents that fill a source's quota: in a seeded order, until it is full.

    Args:
        names: Ids of documents that were drawn.
        sizes: UTF-8 bytes of their text.
        quota: Bytes wanted.
        seed: Decides the order, see :func:`tokenizer.sampling.seeded_order`.

    Returns:
        Bytes to take of each document chosen, by its place; all of it, but for the last chosen, which is cut.
    """
    taken: dict[int, int] = {}
    left = quota
    for place in seeded_order(names, seed):
        if left <= 0:
            break
        taken[place] = min(left, sizes[place])
        left -= taken[place]
    return taken


def cut_documents(texts: Sequence[str], taken: Mapping[int, int]) -> Iterator[str]:
    """Yield the chosen documents in the order of their places, cut to the bytes to take of each.

    Args:
        texts: All documents that were drawn.
        taken: What :func:`draw_documents` chose.
    """
    for place in sorted(taken):
        yield first_bytes(texts[place], taken[place])


def first_bytes(text: str, size: int) -> str:
    """Cut a text after whole characters of at most ``size`` UTF-8 bytes.

    >>> first_bytes("naïve", 3), first_bytes("naïve", 4)
    ('na', 'naï')
    """
    encoded = text.encode()
    return text if len(encoded) <= size else encoded[:size].decode(errors="ignore")
