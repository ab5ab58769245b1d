"""The mixture: in which proportions sources are sampled for training (Touvron et al., 2023, table 1)."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Proportion = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class MixtureSettings(BaseModel):
    """What share of the training tokens each source gives.

    Attributes:
        proportions: Share of each source, in any unit; ``None`` takes all sources by their tokens.
        budget_tokens: Tokens of the training run, over which epochs are counted; ``None`` is one epoch of all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    proportions: dict[str, Proportion] | None = None
    budget_tokens: Annotated[float, Field(gt=0, le=1e15)] | None = None
