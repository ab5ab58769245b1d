"""The n-grams of all evaluation sets, gathered in the launching process and loaded by the workers."""

import functools
import io
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from filters.decontamination import DecontaminationReason, Ngrams, Origins, gather_ngrams, some_at_once
from filters.ngram_words import Words, hash_words
from pipeline.batch import Batch
from pipeline.decontamination_items import SOURCE, Item, read_items
from pipeline.decontamination_settings import DecontaminationSettings
from pipeline.document import Dropped, MalformedRecord, Shard
from pipeline.files import join, read_bytes
from pipeline.run import Run
from pipeline.sources.outputs import digest_inputs, owned, stage_outputs
from pipeline.stage import LauncherWork, Stage, StageResult
from pipeline.writing import Outputs, commit_batch, write_left_out

NGRAMS = "evaluation_ngrams"
NGRAMS_PATH = f"work/{NGRAMS}/ngrams.npz"
#: Where n-grams come from: for the report, not for the workers that look for them.
ORIGINS_PATH = f"work/{NGRAMS}/origins.npz"
TEXTS_PATH = f"work/{NGRAMS}/texts.parquet"
_MANIFEST = "evaluation sets"
#: What begins the facts that name sets of which no text is looked for.
_SILENT = "nothing_searched/"


def ngrams_stage(run: Run, settings: DecontaminationSettings, files: Sequence[Sequence[Shard]]) -> Stage:
    """Give the stage that gathers the evaluation sets' n-grams."""
    shards = [shard for listed in files for shard in listed]
    asked = settings.model_dump(mode="json", include={"sets", "ngram_words", "min_text_words"})
    outputs = stage_outputs(run, SOURCE, NGRAMS)
    work = LauncherWork(functools.partial(gather_and_write, outputs, settings, files), "gathering n-grams")
    inputs = {"evaluation sets": digest_inputs(run, _MANIFEST, shards)}
    return Stage(NGRAMS, asked, inputs, work, owns=owned(SOURCE, NGRAMS), counts="items")


def say_silent_sets(run: Run, settings: DecontaminationSettings, gathered: StageResult) -> None:
    """Say of which sets no text is looked for: their texts may stand in fields that are not at an item's top."""
    for place, wanted in enumerate(settings.sets):
        if gathered.stats["facts"].get(f"{_SILENT}{wanted.id}"):
            key = f"decontamination.sets.{place}.fields"
            run.say(NGRAMS, f"no text of {wanted.id} is looked for: none is long enough; does {key} name its texts?")


class _Text(NamedTuple):
    set: str
    item: str
    text: str


def gather_and_write(outputs: Outputs, settings: DecontaminationSettings, files: Sequence[Sequence[Shard]]) -> None:
    """Read evaluation sets, and write their n-grams and the texts that these come from."""
    batch = Batch(NGRAMS, 0, last=True)
    items: list[Item] = []
    for wanted, shards in zip(settings.sets, files, strict=True):
        for found in (found for shard in shards for found in read_items(shard, wanted)):
            if isinstance(found, MalformedRecord):
                batch.errors.append(found)
            else:
                items.append(found)
    texts = [_Text(item.set, item.id, text) for item in items for text in item.texts]
    batch.read = len(items) + sum(error.is_record for error in batch.errors)
    batch.bytes_in = sum(len(text.text) for text in texts)
    words = _hash_texts([text.text.encode(errors="replace") for text in texts])
    ngrams, origins, searched = gather_ngrams(words, settings.ngram_words, settings.min_text_words)
    kept = _leave_out(batch, items, searched, np.diff(words.starts), settings)
    spoken = {texts[place].set for place in np.flatnonzero(searched).tolist()}
    batch.facts += Counter(f"{_SILENT}{wanted.id}" for wanted in settings.sets if wanted.id not in spoken)
    batch.facts += Counter({"texts": len(texts), "ngrams": len(ngrams.hashes)})
    batch.facts += Counter({"texts_too_short": int((~searched).sum())})
    batch.files[NGRAMS_PATH] = ngrams_to_bytes(ngrams), len(ngrams.hashes)
    batch.files[ORIGINS_PATH] = _to_npz(texts=origins.texts, words=origins.words, lengths=origins.lengths), len(texts)
    batch.files[TEXTS_PATH] = _texts_to_parquet(texts), len(texts)
    commit_batch(batch, outputs, list(write_left_out(batch, outputs)), kept=kept, bytes_out=batch.bytes_in)


def _hash_texts(texts: Sequence[bytes]) -> Words:
    """Hash the words of many texts, some at once."""
    parts = [hash_words(some) for some in some_at_once(texts)]
    counts = np.concatenate([np.zeros(1, np.int64), *(np.diff(part.starts) for part in parts)])
    return Words(np.concatenate([np.empty(0, np.uint64), *(part.hashes for part in parts)]), np.cumsum(counts))


def _leave_out(
    batch: Batch,
    items: Sequence[Item],
    searched: np.ndarray[tuple[int], np.dtype[np.bool_]],
    counts: np.ndarray[tuple[int], np.dtype[np.int64]],
    settings: DecontaminationSettings,
) -> int:
    """Account for items of which no text is looked for, and give how many others there are."""
    limit = min(settings.min_text_words or settings.ngram_words, settings.ngram_words)
    place = kept = 0
    for item in items:
        own = slice(place, place := place + len(item.texts))
        if searched[own].any():
            kept += 1
            continue
        longest = int(max(counts[own], default=0))
        reason, text = DecontaminationReason.TOO_SHORT, "\n".join(item.texts)
        text = text.encode(errors="replace").decode()
        batch.dropped.append(Dropped(f"{item.set}/{item.id}", "", reason, longest, limit, text))
    return kept


def ngrams_to_bytes(ngrams: Ngrams) -> bytes:
    """Encode n-grams; equal ones give equal bytes."""
    return _to_npz(hashes=ngrams.hashes, heads=ngrams.heads, lengths=ngrams.lengths)


def read_ngrams(run: str) -> Ngrams:
    """Read the n-grams of a run's evaluation sets."""
    with np.load(io.BytesIO(read_bytes(join(run, NGRAMS_PATH))), allow_pickle=False) as arrays:
        return Ngrams(arrays["hashes"], arrays["heads"], arrays["lengths"])


def read_origins(run: str) -> tuple[Origins, pa.Table]:
    """Read where they come from, and the texts."""
    with np.load(io.BytesIO(read_bytes(join(run, ORIGINS_PATH))), allow_pickle=False) as arrays:
        origins = Origins(arrays["texts"], arrays["words"], arrays["lengths"])
    return origins, pq.read_table(io.BytesIO(read_bytes(join(run, TEXTS_PATH))))


def _to_npz(**arrays: np.ndarray[tuple[int], np.dtype[np.generic]]) -> bytes:
    sink = io.BytesIO()
    np.savez(sink, **arrays)  # type: ignore[arg-type]
    return sink.getvalue()


def _texts_to_parquet(texts: Sequence[_Text]) -> bytes:
    columns = {
        "set": pa.array([text.set for text in texts], pa.string()),
        "item": pa.array([text.item for text in texts], pa.string()),
        "text": pa.array([text.text.encode(errors="replace").decode() for text in texts], pa.string()),
    }
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink, compression="zstd")
    return sink.getvalue()
