"""Where a training run begins: at its newest checkpoint, with the weights of another model, or with fresh ones."""

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import cast

import jax
import numpy as np
import yaml

from train import metrics, profiling
from train.checkpoint import DAMAGED, Checkpoints
from train.config import TrainSettings
from train.hosts import is_first, meet
from train.huggingface_config import CheckpointError
from train.inputs import Inputs
from train.loading import CHECKPOINTS, TOKENIZER_FOLDER, initial_params, own_checkpoint
from train.record import Spent, check_same_run, record_of
from train.sharding import Layout
from train.spikes import most_in_a_row
from train.step import State, initial_state, state_layout, state_shapes

#: What a run writes into its folder, but for the tokenizer and the config, which are written anew.
_WRITTEN = (CHECKPOINTS, DAMAGED, metrics.LINES, metrics.FOLDER, profiling.FOLDER)


@dataclass(frozen=True)
class Begun:
    """A state to go on from.

    Attributes:
        state: Laid over the mesh.
        step: Steps it holds.
        spent: What they have taken.
        is_resumed: Whether it comes from a checkpoint of this run.
    """

    state: State
    step: int
    spent: Spent = field(default_factory=Spent)
    is_resumed: bool = False


def begin(
    inputs: Inputs, layout: Layout, checkpoints: Checkpoints, *, notify: Callable[[str], None], accept_change: bool
) -> Begun:
    """Find the state to begin with.

    Args:
        inputs: What the run reads, and its settings.
        layout: Where the state is to lie; that of the checkpoint may be another.
        checkpoints: Those of the run.
        notify: Told in one line what the user should know.
        accept_change: Do not compare the checkpoint's settings and data with the run's.

    Raises:
        OtherRun: The checkpoints were made with other settings or data.
        CheckpointError: None of the checkpoints can be read, or ``start_from`` does not fit the model.
    """
    settings = inputs.settings
    steps = checkpoints.steps()
    wanted = record_of(settings, inputs.drawing, step=0, spent=Spent())
    if steps and not accept_change:
        # Before the weights, whose shapes may differ too. A record that is damaged is dealt with below.
        with suppress(CheckpointError):
            check_same_run(checkpoints.record(steps[-1]), wanted, where=settings.output_folder)
    found = checkpoints.restore_newest(state_shapes(settings, layout), notify=notify)
    if found is not None:
        step, state, record = found
        if not accept_change:
            check_same_run(record, wanted, where=settings.output_folder)
        if step > settings.steps:
            raise CheckpointError(
                f"steps={settings.steps}, but {settings.output_folder} holds a checkpoint of step {step}: "
                "name another output, or begin anew with --start-over"
            )
        notify(f"resumed from step {step} of {settings.steps}")
        begun = _without_end(state, inputs, layout)
        return Begun(begun, step, Spent(**record["spent"]), is_resumed=True)
    if steps or _were_damaged(settings.output_folder):
        raise CheckpointError(
            f"none of the checkpoints in {settings.output_folder} can be read, they lie in {DAMAGED}: "
            "name another output, or begin anew with --start-over"
        )
    return Begun(first_state(settings, layout), 0)


def _were_damaged(output: str) -> bool:
    folder = os.path.join(output, DAMAGED)
    return os.path.isdir(folder) and bool(os.listdir(folder))


def first_state(settings: TrainSettings, layout: Layout) -> State:
    """Make the state before the first step.

    Raises:
        CheckpointError: ``start_from`` cannot be read, or does not fit the model.
    """
    fresh = jax.jit(lambda: initial_state(settings), out_shardings=state_layout(settings, layout))
    if settings.start_from is None:
        return cast("State", fresh())
    params = initial_params(settings.start_from, settings.model, layout.params())
    return cast("State", fresh()._replace(params=params))


def _without_end(state: State, inputs: Inputs, layout: Layout) -> State:
    """A run that had ended at an unusual step is given another chance."""
    recent = state.recent
    if int(jax.device_get(recent.in_a_row)) < most_in_a_row(inputs.settings.spikes):
        return state
    none = jax.device_put(np.zeros((), np.int32), layout.whole())
    return state._replace(recent=recent._replace(in_a_row=none))


def clear(settings: TrainSettings) -> None:
    """Delete what an earlier run has written into the output folder.

    Raises:
        ValueError: ``start_from`` is among it; nothing has been deleted.
    """
    output = settings.output_folder
    if settings.start_from is not None and _holds(os.path.join(output, CHECKPOINTS), settings.start_from):
        raise ValueError(
            f"start_from={settings.start_from} is what --start-over would delete: name another output, or export it"
        )
    if is_first():
        for name in _WRITTEN:
            path = os.path.join(output, name)
            if os.path.isdir(path):
                shutil.rmtree(path)
            elif os.path.exists(path):
                os.remove(path)
    meet("cleared")


def _holds(folder: str, checkpoint: str) -> bool:
    own = own_checkpoint(checkpoint)
    return own is not None and os.path.realpath(os.path.dirname(own)) == os.path.realpath(folder)


def write_inputs(inputs: Inputs) -> None:
    """Write the settings and the tokenizer into the output folder, which is then a whole model by itself."""
    if not is_first():
        return
    output = inputs.settings.output_folder
    folder = os.path.join(output, TOKENIZER_FOLDER)
    os.makedirs(folder if inputs.tokenizer else output, exist_ok=True)
    config: str = yaml.safe_dump(inputs.settings.model_dump(mode="json"), sort_keys=False)
    _write(os.path.join(output, "config.yaml"), config.encode())
    for name, content in inputs.tokenizer.items():
        _write(os.path.join(folder, name), content)


def _write(path: str, content: bytes) -> None:
    """Write a file in one piece: on a full disk the one that was there stays.

    Raises:
        OSError: It cannot be written; the message names it.
    """
    unfinished = path + ".tmp"
    try:
        with open(unfinished, "wb") as file:
            file.write(content)
        os.replace(unfinished, path)
    except OSError as error:
        with suppress(OSError):
            os.remove(unfinished)
        raise OSError(error.errno, error.strerror, path) from error
