"""Settings of a training run, as written in ``configs/train/*.yaml``.

A setting that cannot be is an error when the settings are built, before anything is read or written.
"""

import os
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from train.attention import Kernel
from train.model import ModelSettings
from train.optimizer import OptimizerSettings
from train.remat import Remat
from train.sharding import MeshSettings


class DocumentMask(BaseModel):
    """Keep the documents of a window apart: attention ends where a document begins.

    Attributes:
        bos_id: The id that begins a document; ``None`` where there is none.
        eos_id: The id that ends one; ``None`` where there is none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    bos_id: int | None = Field(default=1, ge=0)
    eos_id: int | None = Field(default=2, ge=0)


class CheckpointSettings(BaseModel):
    """When the state of a run is saved, and how long it is kept. The last step is saved in any case.

    Attributes:
        every: Steps between two checkpoints.
        keep: Newest checkpoints that are kept; older ones are deleted once a newer one is whole.
        keep_every: Checkpoints at multiples of this step are never deleted; ``None`` for none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    every: int = Field(default=1000, ge=1)
    keep: int = Field(default=3, ge=1)
    keep_every: int | None = Field(default=None, ge=1)


class HeldOutSettings(BaseModel):
    """How the loss on held-out documents is measured, source by source.

    Attributes:
        every: Steps between two measurements; the last step is measured in any case.
        tokens: Most tokens of a source that are predicted; ``None`` for all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    every: int = Field(default=1000, ge=1)
    tokens: int | None = Field(default=1 << 19, ge=1)


class SpikeSettings(BaseModel):
    """When a step is unusual, and what becomes of it. An unusual step changes no weight and no moment.

    A step is unusual when its loss or the norm of its gradient is not finite, or lies more than ``deviations`` standard
    deviations above the mean of the last ``window`` usual steps, once there are that many.

    Attributes:
        action: ``stop`` ends the run at the first unusual step; ``skip`` leaves it out and goes on with the next data.
        window: Steps that the mean and the deviation are taken over.
        deviations: Standard deviations above the mean; ``None`` asks for finite numbers alone.
        in_a_row: As many unusual steps in a row end the run under ``skip`` too.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: Literal["stop", "skip"] = "stop"
    window: int = Field(default=128, ge=2)
    deviations: float | None = Field(default=None, gt=0)
    in_a_row: int = Field(default=10, ge=1)


class TraceSettings(BaseModel):
    """Which steps are recorded by JAX's profiler, into ``<output>/trace``.

    Attributes:
        first: The first step recorded, counted from 1.
        steps: How many.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    first: int = Field(default=10, ge=1)
    steps: int = Field(default=3, ge=1)


class EnergySettings(BaseModel):
    """What energy and carbon are reckoned from: Wh = device-hours x watts x PUE (Touvron et al., 2023, section 6).

    Attributes:
        watts: Power of a device; ``None`` takes that of its kind, where it is known.
        pue: Power usage effectiveness of the data centre; the paper's.
        kg_per_kwh: Carbon dioxide equivalent of a kilowatt-hour; the paper's, the average of the US.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    watts: float | None = Field(default=None, gt=0)
    pue: float = Field(default=1.1, ge=1)
    kg_per_kwh: float = Field(default=0.385, ge=0)


class HostSettings(BaseModel):
    """The processes of a run, for :func:`jax.distributed.initialize`; on a TPU pod all three may be ``None``.

    Attributes:
        coordinator: ``host:port`` of process 0, reachable by all.
        processes: How many there are.
        process: This one's number, from 0.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    coordinator: str | None = None
    processes: int | None = Field(default=None, ge=1)
    process: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _all_or_none(self) -> "HostSettings":
        given = [self.coordinator, self.processes, self.process]
        if None in given and given != [None] * 3:
            raise ValueError("hosts: give coordinator, processes and process, or none of them (a TPU pod knows)")
        if self.processes is not None and self.process is not None and self.process >= self.processes:
            raise ValueError(f"hosts.process must be below hosts.processes={self.processes}, got {self.process}")
        return self


class TrainSettings(BaseModel):
    """What is trained, on what, for how long.

    Attributes:
        data: A run folder of the pipeline, or its URL (``gs://bucket/run``); token shards are read from
            ``<data>/tokens/<source>``.
        verify: Read all shards whole first and hold them to their checksums; sizes are compared in any case.
        sources: Share of each source in the training sequences, in any unit, for only the sources named; ``None`` takes
            the mixture that the run of the pipeline planned, or all sources by their tokens where it planned none.
        model: Shape of the model; ``model.context`` is the length of a training sequence, in tokens.
        optimizer: AdamW and its schedule.
        batch: Sequences per step.
        steps: Steps of the run.
        accumulate: Parts that a step's batch is computed in, one after the other; 1 computes it at once.
        seed: Draws the weights and the order of the data.
        compute_dtype: Of matrix products; master weights, normalisation, softmax and loss are float32 in any case.
        z_loss: Weight of the squared log-sum-exp of the logits beside the loss; ``None`` for none, as LLaMA.
        loss_chunks: Pieces of the vocabulary whose logits are held one at a time; must divide the vocabulary.
        document_mask: Keep documents apart in attention; ``None`` lets them run on, as LLaMA.
        attention: The kernel; ``auto`` takes the fastest that can do what is asked.
        remat: What a layer keeps for its backward pass, see :mod:`train.remat`.
        mesh: The devices.
        start_from: A checkpoint whose weights the run begins with: a Hugging Face LLaMA, or one of this trainer's;
            ``None`` draws them. Moments and the step begin at zero.
        checkpoint: When the state is saved.
        held_out: Measures the loss on held-out documents; ``None`` does not.
        spikes: Which steps are left out.
        trace: Steps to record with the profiler; ``None`` for none.
        energy: What the run's energy is reckoned from.
        hosts: Several processes, each with devices of its own; ``None`` is one process.
        peak_tflops: Of one device in the compute dtype, for the utilisation that is shown; ``None`` takes that of its
            kind, where it is known.
        tensorboard: Write the metrics for TensorBoard too.
        log_every: Steps between two lines of progress, where stderr is no terminal.
        output: Folder of checkpoints and metrics; ``None`` is ``<data>/train``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: str = Field(min_length=1)
    verify: bool = False
    sources: dict[str, float] | None = None
    model: ModelSettings = ModelSettings()
    optimizer: OptimizerSettings = OptimizerSettings()
    batch: int = Field(ge=1)
    steps: int = Field(ge=1)
    seed: int = Field(default=0, ge=0, lt=2**32)
    compute_dtype: Literal["bfloat16", "float32"] = "bfloat16"
    accumulate: int = Field(default=1, ge=1)
    z_loss: float | None = Field(default=None, gt=0)
    loss_chunks: int = Field(default=1, ge=1)
    document_mask: DocumentMask | None = None
    attention: Kernel = "auto"
    remat: Remat = "none"
    mesh: MeshSettings = MeshSettings()
    start_from: str | None = Field(default=None, min_length=1)
    checkpoint: CheckpointSettings = CheckpointSettings()
    held_out: HeldOutSettings | None = HeldOutSettings()
    spikes: SpikeSettings = SpikeSettings()
    trace: TraceSettings | None = None
    energy: EnergySettings = EnergySettings()
    hosts: HostSettings | None = None
    peak_tflops: float | None = Field(default=None, gt=0)
    tensorboard: bool = True
    log_every: int = Field(default=10, ge=1)
    output: str | None = Field(default=None, min_length=1)

    @field_validator("sources")
    @classmethod
    def _weights_are_positive(cls, sources: dict[str, float] | None) -> dict[str, float] | None:
        if sources is None:
            return None
        if not sources:
            raise ValueError("sources must name at least one source, or be null to take all by their tokens")
        for name, weight in sources.items():
            if not 0 < weight < float("inf"):
                raise ValueError(f"sources.{name} must be a number above 0, got {weight}; leave out what is not wanted")
        return sources

    @model_validator(mode="after")
    def _warmup_ends(self) -> "TrainSettings":
        if self.optimizer.warmup_steps >= self.steps:
            raise ValueError(
                f"optimizer.warmup_steps must be below steps={self.steps}, got {self.optimizer.warmup_steps}"
            )
        return self

    @model_validator(mode="after")
    def _trace_is_of_the_run(self) -> "TrainSettings":
        if self.trace is not None and self.trace.first > self.steps:
            raise ValueError(f"trace.first must be at most steps={self.steps}, got {self.trace.first}")
        return self

    @model_validator(mode="after")
    def _output_is_a_folder(self) -> "TrainSettings":
        if "://" in self.output_folder:
            raise ValueError(f"output must be a folder that all processes see, got {self.output_folder}")
        return self

    @model_validator(mode="after")
    def _parts_are_equal(self) -> "TrainSettings":
        if self.batch % self.accumulate:
            raise ValueError(f"accumulate must divide batch={self.batch}, got {self.accumulate}")
        return self

    @property
    def output_folder(self) -> str:
        """Where the run writes."""
        return self.output if self.output is not None else os.path.join(self.data, "train")
