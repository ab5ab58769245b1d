"""Small runs of the trainer to be interrupted, resumed and compared, in this process and in others."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np

from train.checkpoint import Checkpoints
from train.config import CheckpointSettings

ROOT = Path(__file__).parent.parent.parent
#: A process that trains and does something to itself after a step.
_PROGRAM = """
import json, os, signal, sys
import train.loop
from train.config import TrainSettings

settings, step, number = json.loads(sys.argv[1])

def after(report):
    if report.step == step:
        os.kill(os.getpid(), number)

try:
    train.loop.train(TrainSettings(**settings), report=after)
except train.loop.Stopped as stopped:
    print("stopped", stopped.step, flush=True)
"""


def start(settings, *, devices=8, after=None, signal=0):
    """Start a process that trains, and may send itself a signal after a step."""
    flags = f"--xla_force_host_platform_device_count={devices} --xla_backend_optimization_level=0"
    environment = os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    arguments = json.dumps([settings.model_dump(mode="json"), after, signal])
    return subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def curve(output):
    """Step, loss, norm of the gradient and learning rate of each line of the metrics."""
    lines = [json.loads(line) for line in Path(output, "metrics.jsonl").read_text().splitlines()]
    return [(line["step"], line["loss"], line["grad_norm"], line["learning_rate"]) for line in lines if "loss" in line]


def held_out(output):
    """Losses on held-out documents by step."""
    lines = [json.loads(line) for line in Path(output, "metrics.jsonl").read_text().splitlines()]
    return {line["step"]: line["held_out"] for line in lines if "held_out" in line}


def saved_state(output, step, settings):
    """The arrays of a checkpoint, on the host."""
    from train.step import plan, state_shapes

    layout, _ = plan(settings, jax.devices(), backend="cpu")
    with Checkpoints(os.path.join(output, "checkpoints"), CheckpointSettings()) as checkpoints:
        state, _ = checkpoints.restore(step, state_shapes(settings, layout))
    return [np.asarray(leaf) for leaf in jax.tree.leaves(state)]


def saved_steps(output):
    """The steps of whole checkpoints."""
    return sorted(int(name) for name in os.listdir(Path(output, "checkpoints")) if name.isdigit())
