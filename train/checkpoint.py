"""Checkpoints of a run: saved while training goes on, kept as long as the settings say, restored on any mesh.

Orbax writes them: each process its own pieces, in a thread, to a folder that gets its name ``<step>`` once it is whole.
What was interrupted never gets that name and is taken away when the folder is opened again.
"""

import errno
import os
import shutil
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import jax
import orbax.checkpoint as ocp  # type: ignore[import-untyped]  # Orbax ships no py.typed marker

from train.config import CheckpointSettings
from train.digest import named
from train.hosts import is_first, meet
from train.huggingface_config import CheckpointError
from train.orbax_quiet import quieten
from train.restore import (
    RECORD,
    STATE,
    DamagedCheckpoint,
    describe,
    one_line,
    read_contents,
    restore,
    steps_in,
)

DAMAGED = "damaged"
#: Bytes of a piece of an array in a file: pieces are read and written side by side, and a mesh of other sizes need not
#: read whole arrays.
_CHUNK_BYTES = 64 << 20
#: Copies of an array on several devices share the writing of it from this size on; each share is a program to compile.
_SHARED_BYTES = 1 << 20
_LONGEST_SAVE_SECONDS = 2 * 60 * 60
_UNFINISHED, _DELETED = ".orbax-checkpoint-tmp", ".deleted"


class UnsavedCheckpoint(CheckpointError):
    """A checkpoint that could not be written."""


class Checkpoints:
    """The checkpoints of one run, a folder ``<step>`` each. A context manager: leaving it waits until all is saved.

    With several processes, each must make one, and call :meth:`save`, :meth:`restore` and :meth:`restore_newest` like
    the others.
    """

    def __init__(self, folder: str, settings: CheckpointSettings) -> None:
        """Open the folder, make it if it is not there, and take away what an interrupted run left in it.

        Raises:
            CheckpointError: It cannot be written to.
        """
        self.folder, self.settings = os.path.abspath(folder), settings
        if is_first():
            try:
                os.makedirs(self.folder, exist_ok=True)
                if not os.access(self.folder, os.W_OK, effective_ids=True):
                    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
                _delete_leftovers(self.folder)
            except OSError as error:
                raise CheckpointError(
                    f"{self.folder}: checkpoints cannot be written there: {one_line(error)}"
                ) from error
        quieten()
        self._checkpointer = _checkpointer()
        self._background = ThreadPoolExecutor(1, thread_name_prefix="checkpoints")
        self._saving: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.wait()
        finally:
            self._background.shutdown()
            self._checkpointer.close()

    def steps(self) -> list[int]:
        """The steps of whole checkpoints, the oldest first."""
        return steps_in(self.folder)

    def save(self, step: int, state: Any, record: Mapping[str, Any]) -> None:
        """Save a state while training goes on; the caller may give its memory away at once.

        Args:
            step: Its step. A checkpoint of this step that is there already is left as it is.
            state: Any tree of arrays.
            record: Values of JSON that are kept beside it.

        Raises:
            CheckpointError: This checkpoint cannot be saved, or the one before was not; older ones are untouched.
        """
        self.wait()
        if step in self.steps():
            return
        contents = describe(record, state)
        tree = _nested(named(state))
        pieces = jax.tree.map(lambda _: ocp.SaveArgs(chunk_byte_size=_CHUNK_BYTES), tree)
        items = {STATE: ocp.args.PyTreeSave(tree, save_args=pieces), RECORD: ocp.args.JsonSave(contents)}
        try:
            self._checkpointer.save(self._path(step), ocp.args.Composite(**items))
        except (OSError, ValueError, RuntimeError) as error:
            raise self._not_saved(step, error) from error
        self._saving = self._background.submit(self._finish, step)

    def wait(self) -> None:
        """Wait until the last checkpoint is whole and those that it replaces are deleted.

        Raises:
            CheckpointError: It was not saved, or an old one cannot be deleted; told once.
        """
        saving, self._saving = self._saving, None
        if saving is not None:
            saving.result()
            meet("checkpoint saved")  # or one process would still see what another deletes

    def restore(self, step: int, abstract: Any) -> tuple[Any, dict[str, Any]]:
        """Read a checkpoint: see :func:`train.restore.restore`."""
        return restore(self._path(step), abstract)

    def record(self, step: int) -> dict[str, Any]:
        """Read a checkpoint's record alone.

        Raises:
            DamagedCheckpoint: It is not there, or not as it was written.
        """
        return read_contents(self._path(step)).record

    def restore_newest(self, abstract: Any, *, notify: Callable[[str], None]) -> tuple[int, Any, dict[str, Any]] | None:
        """Read the newest checkpoint that is as it was saved; damaged ones are moved out of the way.

        Args:
            abstract: As for :meth:`restore`.
            notify: Told in one line of each that is damaged, and where it lies now: ``damaged/<step>`` beside the
                folder of checkpoints, so that the step can be saved again.

        Returns:
            Step, state and record; ``None`` where there is no checkpoint.

        Raises:
            CheckpointError: The newest is of another model; it stays where it is.
        """
        for step in reversed(self.steps()):
            try:
                state, record = self.restore(step, abstract)
            except DamagedCheckpoint as error:
                notify(f"{error}; moved to {self._move_aside(step)}")
            else:
                return step, state, record
        return None

    def _path(self, step: int) -> str:
        return os.path.join(self.folder, str(step))

    def _finish(self, step: int) -> None:
        """Wait for Orbax, in a thread, then delete what the new checkpoint replaces."""
        try:
            self._checkpointer.wait_until_finished()
        except (OSError, ValueError, RuntimeError) as error:
            raise self._not_saved(step, error) from error
        if not is_first():
            return
        try:
            for old in superseded(self.steps(), self.settings):
                # Out of the list first: a deletion that is interrupted leaves no checkpoint that looks whole.
                deleted = self._path(old) + _DELETED
                os.rename(self._path(old), deleted)
                shutil.rmtree(deleted)
        except OSError as error:
            raise UnsavedCheckpoint(f"{self.folder}: an old checkpoint cannot be deleted: {one_line(error)}") from error

    def _not_saved(self, step: int, error: Exception) -> UnsavedCheckpoint:
        """Free the space that an unfinished checkpoint takes."""
        if is_first():
            with suppress(OSError):  # the error that is told is the one before
                _delete_leftovers(self.folder)
        return UnsavedCheckpoint(f"{self._path(step)}: the checkpoint could not be saved: {_reason(error)}")

    def _move_aside(self, step: int) -> str:
        """Move a checkpoint to a free name and return it."""
        folder = os.path.join(os.path.dirname(self.folder), DAMAGED)
        place, number = os.path.join(folder, str(step)), 1
        while os.path.exists(place):
            number += 1
            place = os.path.join(folder, f"{step}-{number}")
        meet("checkpoint named")
        if is_first():
            os.makedirs(folder, exist_ok=True)
            os.rename(self._path(step), place)
        meet("checkpoint moved")
        return place


def superseded(steps: Collection[int], settings: CheckpointSettings) -> list[int]:
    """Choose the checkpoints to delete.

    >>> superseded([10, 20, 30, 40, 50], CheckpointSettings(keep=2, keep_every=20))
    [10, 30]
    """
    older = sorted(steps)[: -settings.keep]
    return [step for step in older if settings.keep_every is None or step % settings.keep_every]


def _reason(error: Exception) -> str:
    """What the system said, where TensorStore tells of every layer above it, else the whole."""
    whole = one_line(error)
    return whole.rsplit(": ", 1)[-1] if "os_error_code=" in str(error) else whole


def _checkpointer() -> ocp.AsyncCheckpointer:
    arrays = ocp.type_handlers.ArrayHandler(
        min_slice_bytes_for_replica_parallel=_SHARED_BYTES,
        # Where arrays lay when they were saved is nothing that a restore asks for.
        enable_write_sharding_file=False,
        array_metadata_store=None,
    )
    state = ocp.PyTreeCheckpointHandler(
        # Weights hardly shrink (7 %), and packing them takes eight times as long as writing them.
        use_compression=False,
        type_handler_registry=ocp.type_handlers.create_type_handler_registry((jax.Array, arrays)),
    )
    return ocp.AsyncCheckpointer(
        ocp.CompositeCheckpointHandler(**{STATE: state, RECORD: ocp.JsonCheckpointHandler()}),
        # Folders are made at once: where that fails in a thread, all other threads wait minutes for them.
        async_options=ocp.options.AsyncOptions(
            timeout_secs=_LONGEST_SAVE_SECONDS, create_directories_asynchronously=False
        ),
    )


def _nested(leaves: Mapping[str, Any]) -> dict[str, Any]:
    """Make dictionaries of paths, so that no class of ours or of optax's is needed to read them."""
    tree: dict[str, Any] = {}
    for name, leaf in leaves.items():
        *parents, last = name.split("/")
        place = tree
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = leaf
    return tree


def _delete_leftovers(folder: str) -> None:
    for name in os.listdir(folder):
        if _UNFINISHED in name or name.endswith(_DELETED):
            shutil.rmtree(os.path.join(folder, name), ignore_errors=True)
