"""How much each stage of a run reads: bytes of raw files, or of the text that an earlier stage gives.

Which stage's text another one reads is known by name, so that the volume of stages that cannot be built yet follows
from the raw files and the measured ratios of text out to bytes in.
"""

import os
import re
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from pipeline.document import Shard
from pipeline.launch import Inputs
from pipeline.settings import RunSettings
from pipeline.sources import commoncrawl, wikipedia
from pipeline.sources.arxiv_files import PaperUnit
from pipeline.sources.book_units import BookUnit
from pipeline.sources.github_repositories import RepositoryUnit

#: What a stage reads, if not the text of one stage: raw files, or that of all stages with such an end of their name.
_FILES, _ALL_DOCUMENTS, _ALL_SAMPLES = "", ".documents", ".tokenizer_sample"
#: The kind of what is read: the text of a stage, or raw files of kinds that were not measured.
TEXT, ANY = "text", "any"

_CITATIONS = "commoncrawl.citations"
_SCORED = "commoncrawl.scored"
_COMPRESSED = re.compile(r"(\.[a-z]{2,8})?\.(?:gz|zst|xz)\Z")
_READS = {
    "wikipedia.pages": _FILES,
    "wikipedia": "wikipedia.pages",
    "stackexchange.posts": _FILES,
    "stackexchange": "stackexchange.posts",
    "books.cleaned": _FILES,
    "books": "books.cleaned",
    "arxiv.papers": _FILES,
    "arxiv": "arxiv.papers",
    "github.licences": _FILES,
    "github.places": _FILES,
    "github.contents": _FILES,
    "github.cleaned": _FILES,
    "github": "github.cleaned",
    "c4.urls": _FILES,
    "c4.duplicate_urls": "c4.urls",
    "c4.cleaned": _FILES,
    "c4.scored": "c4.cleaned",
    "c4.documents": "c4.scored",
    "c4": "c4.cleaned",
    "commoncrawl.fingerprints": _FILES,
    "commoncrawl.duplicate_ids": "commoncrawl.fingerprints",
    "commoncrawl.duplicate_pages": "commoncrawl.fingerprints",
    "commoncrawl.duplicate_lines": "commoncrawl.fingerprints",
    "commoncrawl.scored": _FILES,
    "commoncrawl.ngram_models": "commoncrawl.ngram_sample",
    "commoncrawl.citations": _FILES,
    "commoncrawl.cited_urls": _CITATIONS,
    "commoncrawl.reference_model": "commoncrawl.reference_sample",
    "commoncrawl": _SCORED,
    "tokenizer": _ALL_SAMPLES,
    "token_manifests": _ALL_DOCUMENTS,
}
#: Stages of any source that read its documents.
_BEHIND = (".shared_ngrams", ".decontaminated", ".tokenizer_sample", ".tokens")
#: What is in the files that a stage of GitHub reads, where it does not read all.
_GITHUB = {"github.licences": ("+licenses",), "github.places": ("+files",), "github.contents": ("+rows",)}


def origins(name: str, settings: RunSettings, names: Collection[str]) -> list[str]:
    """Say whose text a stage reads: the names of stages; none for a stage that reads raw files.

    Args:
        name: The stage's name.
        settings: The config.
        names: All stages of the run.
    """
    origin = _origin(name, settings, names)
    if origin in {_ALL_DOCUMENTS, _ALL_SAMPLES}:
        return [other for other in names if other.endswith(origin)]
    return [origin] if origin != _FILES else []


def _origin(name: str, settings: RunSettings, names: Collection[str]) -> str:
    source = name.partition(".")[0]
    if name.endswith(_BEHIND):
        return f"{source}.documents"
    if name == "c4.documents" and _READS[name] not in names:
        return _FILES
    if name == "commoncrawl.cited_urls" and _CITATIONS not in names:
        return wikipedia.PAGES
    if name == "commoncrawl.ngram_sample":
        return _training_text(settings)
    if "." not in name:
        return _READS.get(name, _ALL_DOCUMENTS)
    documents = f"{source}.documents"
    return _READS.get(name, _READS.get(source, documents if name != documents else _FILES))


def _training_text(settings: RunSettings) -> str:
    crawl = settings.sources.commoncrawl
    asked = crawl.perplexity.train_on if crawl is not None and crawl.perplexity is not None else None
    source = asked or "wikipedia"
    if source == commoncrawl.SOURCE or getattr(settings.sources, source) is None:
        return _SCORED
    return f"{source}.documents"


def raw_files(name: str, inputs: Inputs) -> Sequence[Shard]:
    """List the raw files that a stage reads."""
    source = name.partition(".")[0]
    if source == commoncrawl.SOURCE and inputs.commoncrawl is not None:
        return inputs.commoncrawl.wikipedia if name == _CITATIONS else inputs.commoncrawl.shards
    shards = inputs.shards.get(source, ())
    if source == "github":
        kinds = _GITHUB.get(name, ("+rows", "+repositories"))
        return [shard for shard in shards if shard.dump.endswith(kinds)]
    return shards


def bytes_by_kind(units: Iterable[Any]) -> dict[str, int]:
    """Add up the bytes on disk of raw files, or of units of them, by kind."""
    sizes: dict[str, int] = {}
    for unit in units:
        kind = kind_of_unit(unit)
        sizes[kind] = sizes.get(kind, 0) + unit.size
    return sizes


def kind_of_unit(unit: Any) -> str:
    """Tell the kind of a unit by its first file."""
    if isinstance(unit, BookUnit):
        unit = unit.files[0]
    elif isinstance(unit, PaperUnit):
        unit = unit.papers[0].files[0]
    elif isinstance(unit, RepositoryUnit):
        unit = unit.files[0][2]
    return kind_of(unit.path) if isinstance(unit, Shard) else ANY


def kind_of(path: str) -> str:
    """Tell a file's kind by its name: how many bytes of text are in a byte depends on it.

    >>> kind_of("CC-MAIN-1.warc.wet.gz"), kind_of("a/1342-0.TXT"), kind_of("2401.00003v1.gz"), kind_of("README")
    ('.wet.gz', '.txt', '.gz', 'any')
    """
    name = path.rpartition("/")[2].lower()
    found = _COMPRESSED.search(name)
    return found[0] if found else os.path.splitext(name)[1] or ANY


def sampled_bytes(name: str, size: int, total: int, settings: RunSettings, document_bytes: float) -> int:
    """Bound the text that a stage lets through, where it draws a sample; else it is ``size``.

    Args:
        name: The stage's name.
        size: Bytes of text it reads.
        total: Bytes of the documents of all sources.
        settings: The config, whose bounds count.
        document_bytes: Text of a page of the crawl, about.
    """
    crawl = settings.sources.commoncrawl
    if name.endswith(".tokenizer_sample") and settings.tokenizer is not None:
        return int(size * min(1.0, settings.tokenizer.sample_bytes / max(1, total)))
    if name == "commoncrawl.ngram_sample" and crawl is not None and crawl.perplexity is not None:
        return min(size, crawl.perplexity.training.sample_bytes * len(crawl.language.languages or ("",)))
    if name == "commoncrawl.reference_sample" and crawl is not None and crawl.reference is not None:
        return min(size, int(5 * crawl.reference.training.max_pages * document_bytes))
    return size


def passes_over_text(name: str, settings: RunSettings) -> int:
    """Say how often a training goes over its text."""
    crawl = settings.sources.commoncrawl
    if name == "commoncrawl.reference_model" and crawl is not None and crawl.reference is not None:
        return crawl.reference.training.epoch
    return 1


def shuffle_bound(name: str, settings: RunSettings) -> int | None:
    """Give the bytes of fingerprints that may meet at once, by the config; ``None`` for no bound."""
    asked: Any = getattr(settings.sources, name.partition(".")[0], None)
    for place in (asked, getattr(asked, "line_dedup", None), getattr(asked, "dedup", None)):
        bound = getattr(place, "max_shuffle_bytes", None)
        if bound is not None:
            return int(bound)
    return None
