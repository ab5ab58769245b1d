"""The training loop: read a batch, take a step, report it, save it from time to time.

The state of a run is its weights, AdamW's moments, what :mod:`train.spikes` remembers and the step number; the data
follow from the step number alone (:mod:`train.data`). So the same settings give the same losses, bit for bit on the
same mesh, whether a run is interrupted or not; another mesh or another number of processes rounds otherwise.
"""

import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib import metadata
from typing import Any

import jax
import jax.numpy as jnp
import yaml

from train import energy
from train.checkpoint import CheckpointError, Checkpoints
from train.config import TrainSettings
from train.execution import Execution
from train.flops import mfu, peak_tflops
from train.held_out import HeldOut, HeldOutLoss
from train.hosts import is_first, joined, meet
from train.inputs import TOKENIZER_FOLDER, Inputs, open_inputs
from train.loading import initial_params
from train.metrics import Metrics
from train.model import parameter_count
from train.prefetch import Prefetch
from train.record import check_same_run, record_of
from train.report import StepReport, TrainSummary, ends_of, progress
from train.sharding import Layout
from train.spikes import most_in_a_row
from train.step import Metrics as OnDevice
from train.step import State, Update, initial_state, jit_update, plan, state_layout
from train.stopping import Stopping

Report = Callable[[StepReport], None]


class Stopped(Exception):  # noqa: N818 -- not an error
    """A run that was asked to end and has saved its state; its argument is one line."""
