"""The licences of repositories, where a table of its own has them: twelve bytes a repository in each worker.

BigQuery's ``licenses`` has 3.3 million rows; as fingerprints of names and numbers of licences that is 40 MB, so each
worker holds them all, and the two billion rows of ``files`` need not meet their repositories in files first.
"""

import functools
import io
from collections.abc import Sequence

import apache_beam as beam
import numpy as np
import xxhash
from numpy.typing import NDArray

from pipeline.batch import Batch, Blame
from pipeline.files import read_bytes
from pipeline.sources.github_context import SOURCE


def licences_path(stage: str, batch: str) -> str:
    """Give the path of a batch's licences, relative to the run folder."""
    return f"work/{stage}/licences/{batch}.npz"


class KeepLicences(beam.PTransform):  # type: ignore[misc]
    """Hand each batch the licences of its repositories as a file, to be written with it.

    Args:
        stage: The stage's name, under whose work the files lie.
    """

    def __init__(self, stage: str) -> None:
        super().__init__()
        self._stage = stage

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        """Apply."""
        return batches | beam.Map(_keep_batch, self._stage).with_output_types(Batch)


def _keep_batch(batch: Batch, stage: str) -> Batch:
    with Blame(batch.name), batch.timed("licences"):
        if batch.documents:
            prefix = f"{SOURCE}/"
            pairs = [(row.id.removeprefix(prefix), row.text.split("\n")) for row in batch.documents]
            content = licences_to_bytes([(name, one) for name, licences in pairs for one in licences])
            batch.files[licences_path(stage, batch.name)] = content, len(batch.documents)
    return batch


def licences_to_bytes(pairs: Sequence[tuple[str, str]]) -> bytes:
    """Encode repositories with a licence each; equal pairs give equal bytes."""
    names = sorted({licence for _, licence in pairs})
    numbers = {name: number for number, name in enumerate(names)}
    sink = io.BytesIO()
    np.savez(
        sink,
        repositories=np.array([_fingerprint(repository) for repository, _ in pairs], np.uint64),
        licences=np.array([numbers[licence] for _, licence in pairs], np.uint32),
        names=np.frombuffer("\n".join(names).encode(), np.uint8),
    )
    return sink.getvalue()


def _fingerprint(repository: str) -> int:
    return xxhash.xxh3_64_intdigest(repository.encode())


class LicenceIndex:
    """Looks up the licences of a repository.

    Args:
        repositories: Fingerprints, ascending. Shape (pairs,).
        licences: The number of a licence of each, ascending for one repository. Shape (pairs,).
        names: The licences.
    """

    def __init__(self, repositories: NDArray[np.uint64], licences: NDArray[np.uint32], names: Sequence[str]) -> None:
        self._repositories, self._licences, self._names = repositories, licences, names

    def of(self, repository: str) -> list[str]:
        """Give what is stated of a repository: nothing, a licence, or several that all bind."""
        key = np.uint64(_fingerprint(repository))
        start = int(np.searchsorted(self._repositories, key))
        found = []
        while start < len(self._repositories) and self._repositories[start] == key:
            found.append(self._names[self._licences[start]])
            start += 1
        return [name for name in found if name]


@functools.lru_cache(maxsize=4)
def load_licences(paths: tuple[str, ...]) -> LicenceIndex:
    """Read the files of :class:`KeepLicences`, once a worker."""
    keys: list[NDArray[np.uint64]] = [np.empty(0, np.uint64)]
    numbers: list[NDArray[np.uint32]] = [np.empty(0, np.uint32)]
    names: dict[str, int] = {}
    parts = [_read(path) for path in paths]
    for name in sorted({name for _, _, own in parts for name in own}):
        names[name] = len(names)
    for repositories, licences, own in parts:
        keys.append(repositories)
        numbers.append(np.array([names[name] for name in own], np.uint32)[licences])
    repositories, licences = np.concatenate(keys), np.concatenate(numbers)
    order = np.lexsort((licences, repositories))
    repositories, licences = repositories[order], licences[order]
    new = np.ones(len(repositories), np.bool_)
    new[1:] = (repositories[1:] != repositories[:-1]) | (licences[1:] != licences[:-1])
    return LicenceIndex(repositories[new], licences[new], list(names))


def _read(path: str) -> tuple[NDArray[np.uint64], NDArray[np.uint32], list[str]]:
    with np.load(io.BytesIO(read_bytes(path)), allow_pickle=False) as arrays:
        names = arrays["names"].tobytes().decode().split("\n")
        return arrays["repositories"], arrays["licences"], names
