"""Settings of a training run, as written in ``configs/train/*.yaml``.

A setting that cannot be is an error when the settings are built, before anything is read or written.
"""

import os
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from train.model import ModelSettings
from train.optimizer import OptimizerSettings


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
        seed: Draws the weights and the order of the data.
        compute_dtype: Of matrix products; master weights, normalisation, softmax and loss are float32 in any case.
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

    @property
    def output_folder(self) -> str:
        """Where the run writes."""
        return self.output if self.output is not None else os.path.join(self.data, "train")
