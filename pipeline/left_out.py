"""Leaving copies out of committed files, where that is all a stage does: as tables, without making documents of rows.

What is written, counted and committed is the same as by reading documents, leaving out copies with
:class:`pipeline.fingerprints.DropDuplicates` and writing them, for less time.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.verdict import Drop, Reason
from pipeline.batch import Batch, Blame
from pipeline.files import WrittenFile, write_output
from pipeline.fingerprints import find_copies
from pipeline.parquet import read_table, table_to_documents, table_to_parquet
from pipeline.stage import BatchFile
from pipeline.writing import Outputs, commit_batch, write_left_out

#: Counts what a stage wants in its facts of the documents that stay.
Count = Callable[[pa.Table], Counter[str]]


class LeaveCopiesOut(beam.PTransform):  # type: ignore[misc]
    """Write committed files of documents again without those that are copies.

    In: one element a file, ``(file, indices of its committed batches)``, each file a batch of its own. Out: the name
    of each batch written. A file that does not match its masks stops the run.

    Args:
        outputs: Where to; ``documents`` must be given.
        copies: The stages that found copies of documents, with the reason each gives, in order.
        count: Counts facts of the documents that stay.
    """

    def __init__(self, outputs: Outputs, copies: Mapping[str, Reason], count: Count) -> None:
        super().__init__()
        self._arguments = outputs, dict(copies), count

    def expand(self, units: beam.PCollection) -> beam.PCollection:
        """Apply."""
        return units | beam.Map(leave_copies_out, *self._arguments).with_output_types(str)


def leave_copies_out(
    unit: tuple[BatchFile, frozenset[int]], outputs: Outputs, copies: Mapping[str, Reason], count: Count
) -> str:
    """Write one committed file again, as :class:`LeaveCopiesOut` says, and give its batch's name."""
    file, _ = unit
    batch = Batch(file.shard, file.index, position=file.size, last=True)
    with Blame(batch.name):
        with batch.timed("read"):
            table = read_table(file.path)
            batch.read, batch.bytes_in = table.num_rows, _text_bytes(table)
        with batch.timed("dedup"):
            table = _drop_rows(table, batch, find_copies(outputs.run, copies, batch.name, table.num_rows))
            batch.facts.update(count(table))
        with batch.timed("write"):
            written = [*_write_table(table, batch, outputs), *write_left_out(batch, outputs)]
        commit_batch(batch, outputs, written, kept=table.num_rows, bytes_out=_text_bytes(table))
    return batch.name


def _write_table(table: pa.Table, batch: Batch, outputs: Outputs) -> Iterator[WrittenFile]:
    if table.num_rows:
        path = f"{outputs.documents}/part-{batch.name}.parquet"
        yield write_output(outputs.run, path, table_to_parquet(table), rows=table.num_rows)


def _drop_rows(table: pa.Table, batch: Batch, copies: Mapping[int, Drop]) -> pa.Table:
    """Account for the rows that are copies, and give the others."""
    if not copies:
        return table
    places = sorted(copies)
    for place, document in zip(places, table_to_documents(table.take(places)), strict=True):
        batch.drop(document, copies[place])
    stays = np.ones(table.num_rows, np.bool_)
    stays[places] = False
    return table.filter(pa.array(stays))


def _text_bytes(table: pa.Table) -> int:
    return int(pc.sum(pc.binary_length(table.column("text")), min_count=0).as_py())
