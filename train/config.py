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


class TrainSettings(BaseModel):
    """What is trained, on what, for how long.

    Attributes:
        data: A run folder of the pipeline; token shards are read from ``<data>/tokens/<source>``.
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
        log_every: Steps between two lines of progress, where stderr is no terminal.
        output: Folder of the metrics; ``None`` is ``<data>/train``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: str = Field(min_length=1)
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
    def _parts_are_equal(self) -> "TrainSettings":
        if self.batch % self.accumulate:
            raise ValueError(f"accumulate must divide batch={self.batch}, got {self.accumulate}")
        return self

    @property
    def output_folder(self) -> str:
        """Where the run writes."""
        return self.output if self.output is not None else os.path.join(self.data, "train")
