"""The mixture: in which proportions sources are sampled for training, and what that means for each of them.

Table 1 of the paper (Touvron et al., 2023) gives each source a sampling proportion and the epochs that follow from it
over 1.4 T tokens. Here proportions and budget are given, the tokens are counted in the shards, and the epochs follow.
Nothing of it touches the shards: another mixture is another plan for the same tokens.

Whoever draws by a plan takes from every block of ``block`` consecutive sequences exactly ``share`` of each source, in
an order keyed by seed and block, and of each source its windows without replacement, in an order keyed by seed, source
and epoch (:mod:`train.data`). So the position in the data is a number, and shares hold in every block.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

PLAN_NAME = "mixture.json"
#: Version of the rule in the module's docstring, by which windows are drawn.
DRAWING: Final = 1
#: Sequences in a block, the smallest that suits: the paper's proportions are thousandths.
BLOCKS = (1_000, 10_000, 100_000, 1_000_000)
#: How far the share of a source in a block may lie from its proportion, as a fraction of the latter.
MAX_SHARE_ERROR = 0.01
#: How far epochs may lie from those asked for before it is said.
_TOLD_EPOCH_ERROR = 0.05

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class MixtureError(ValueError):
    """A mixture that these sources cannot give. The message is one line."""


class MixtureSettings(BaseModel):
    """What share of the training tokens each source gives.

    Attributes:
        proportions: Share of each source, in any unit; a source without one is not trained on. ``None`` takes the
            sources of ``epochs``, each as often as these say, or all sources by their tokens.
        epochs: How often each source shall be seen. Beside ``proportions`` they are a wish: proportions and budget
            decide, and where what follows lies more than 5 % from it, a line says so.
        budget_tokens: Tokens of the training run. ``None`` is what ``epochs`` ask for, one epoch of sources without.
        seed: Decides the order in which windows are drawn.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    proportions: Annotated[dict[str, Positive], Field(min_length=1)] | None = None
    epochs: Annotated[dict[str, Positive], Field(min_length=1)] | None = None
    budget_tokens: Annotated[float, Field(ge=1, le=1e15)] | None = None
    seed: Annotated[int, Field(ge=0, lt=1 << 32)] = 0

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.proportions is not None:
            if extra := sorted(set(self.epochs or ()) - set(self.proportions)):
                raise ValueError(f"epochs.{extra[0]}: proportions does not name it, so it is not trained on")
            share_out(self.proportions)
        return self

    @property
    def named(self) -> Mapping[str, float]:
        """The sources that are named, empty where all are taken."""
        return self.proportions or self.epochs or {}

    def check_sources(self, present: Collection[str]) -> None:
        """Hold the sources that are named to those that there are.

        Raises:
            MixtureError: One is not there.
        """
        key = "proportions" if self.proportions else "epochs"
        for name in sorted(set(self.named) - set(present)):
            raise MixtureError(f"mixture.{key}.{name}: there is no such source; there are {', '.join(sorted(present))}")


class SourcePlan(BaseModel):
    """What the mixture makes of one source.

    Attributes:
        tokens: Tokens in its training shards.
        documents: Documents in them.
        proportion: Its share of the training tokens as asked for, a fraction of 1.
        share: Its sequences in each block; ``None`` where all windows of all sources are one population.
        drawn_tokens: Tokens drawn from it over the budget.
        epochs: How often that is each of its tokens, in the mean.
        asked_epochs: The epochs asked for, ``None`` where none were.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    tokens: Annotated[int, Field(ge=1)]
    documents: Annotated[int, Field(ge=0)]
    proportion: Annotated[float, Field(gt=0, le=1)]
    share: Annotated[int, Field(ge=1)] | None
    drawn_tokens: Annotated[int, Field(ge=0)]
    epochs: Annotated[float, Field(ge=0)]
    asked_epochs: float | None = None

    @property
    def repeated_tokens(self) -> int:
        """Tokens drawn beyond the first epoch."""
        return max(0, self.drawn_tokens - self.tokens)

    @property
    def unused_tokens(self) -> int:
        """Tokens never drawn."""
        return max(0, self.tokens - self.drawn_tokens)


class MixturePlan(BaseModel):
    """The mixture resolved against the tokens that there are: all that drawing windows by it takes.

    Attributes:
        format: Always ``llama-corpus-mixture``.
        version: Version of the format.
        drawing: Version of the rule of drawing, :data:`DRAWING`.
        seed: Keys the order of the blocks and of each epoch's windows.
        block: Sequences in which shares are exact; ``None`` where all windows of all sources are one population.
        budget_tokens: Tokens of the training run that epochs are counted over.
        sources: The sources that are trained on.
        left_out: Tokens of the sources that are not.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    format: Literal["llama-corpus-mixture"] = "llama-corpus-mixture"
    version: Literal[1] = 1
    drawing: int = DRAWING
    seed: int
    block: int | None
    budget_tokens: int
    sources: dict[str, SourcePlan]
    left_out: dict[str, int]

    @property
    def shares(self) -> dict[str, int] | None:
        """Sequences of each source in a block; ``None`` where all windows are one population."""
        return None if self.block is None else {name: plan.share or 0 for name, plan in self.sources.items()}

    def one_epoch_budget(self, name: str) -> int:
        """Tell the budget over which a source is seen once."""
        plan = self.sources[name]
        if self.block is None or plan.share is None:
            return sum(source.tokens for source in self.sources.values())
        return round(plan.tokens * self.block / plan.share)

    def notes(self) -> Iterator[str]:
        """Say what a user might not expect, a line each."""
        for name, tokens in self.left_out.items():
            yield f"{name} has no proportion: its {tokens:,} tokens are not trained on"
        missed = [
            f"{name} {plan.epochs:.2f} for {plan.asked_epochs:.2f}"
            for name, plan in self.sources.items()
            if plan.asked_epochs is not None and abs(plan.epochs / plan.asked_epochs - 1) > _TOLD_EPOCH_ERROR
        ]
        if missed:
            yield f"over {self.budget_tokens:,} tokens epochs are not those asked for: {', '.join(missed)}"

    def to_json(self) -> str:
        """Return the plan's file; equal plans give equal bytes."""
        return json.dumps(self.model_dump(), indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, content: str | bytes) -> Self:
        """Read a plan's file.

        Raises:
            MixtureError: It is no plan, or one that this version cannot draw by.
        """
        try:
            raw: Any = json.loads(content)
            plan = cls.model_validate(raw)
        except ValidationError as error:
            first = error.errors()[0]
            raise MixtureError(f"{PLAN_NAME}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
        except ValueError as error:
            raise MixtureError(f"{PLAN_NAME} is not JSON: {error}") from error
        if plan.drawing != DRAWING:
            raise MixtureError(f"{PLAN_NAME} is drawn by rule {plan.drawing}, this version draws by rule {DRAWING}")
        return plan


def resolve(settings: MixtureSettings | None, counts: Mapping[str, tuple[int, int]]) -> MixturePlan:
    """Work out what a mixture means for the tokens that there are.

    Args:
        settings: The mixture; ``None`` takes all sources by their tokens, one epoch of them.
        counts: Tokens and documents in the training shards of each source.

    Returns:
        The plan, sources in alphabetical order.

    Raises:
        MixtureError: A source that is named is not there or has no tokens, or its proportion is too small for a block.

    >>> plan = resolve(MixtureSettings(proportions={"web": 3, "books": 1}), {"web": (600, 9), "books": (100, 2)})
    >>> [(name, source.drawn_tokens, source.epochs) for name, source in plan.sources.items()]
    [('books', 175, 1.75), ('web', 525, 0.875)]
    """
    settings = settings or MixtureSettings()
    settings.check_sources(counts)
    names = [name for name in sorted(counts) if name in settings.named or (not settings.named and counts[name][0])]
    for name in names or sorted(counts):
        if not counts[name][0]:
            raise MixtureError(f"mixture: the token shards of {name} hold no tokens")
    asked = settings.epochs or {}
    wanted = {name: asked.get(name, 1.0) * counts[name][0] for name in names}
    weights = {name: settings.proportions[name] for name in names} if settings.proportions else wanted
    block, shares = share_out(weights) if settings.named else (None, {})
    budget = round(settings.budget_tokens or sum(wanted.values()))
    sources = {}
    for name in names:
        proportion = weights[name] / sum(weights.values())
        drawn = round(budget * shares[name] / block) if block else round(budget * proportion)
        sources[name] = SourcePlan(
            tokens=counts[name][0],
            documents=counts[name][1],
            proportion=proportion,
            share=shares.get(name),
            drawn_tokens=drawn,
            epochs=drawn / counts[name][0],
            asked_epochs=asked.get(name),
        )
    left_out = {name: counts[name][0] for name in sorted(counts) if name not in sources}
    return MixturePlan(seed=settings.seed, block=block, budget_tokens=budget, sources=sources, left_out=left_out)


def share_out(weights: Mapping[str, float]) -> tuple[int, dict[str, int]]:
    """Choose the smallest block in which every source's share lies within 1 % of its weight.

    A weight of a thousandth of all is within 1 % in the third block at the latest, one of a ten-thousandth in the last.

    Returns:
        Sequences in a block, and those of each source.

    Raises:
        MixtureError: A weight is too small for the largest block.

    >>> share_out({"crawl": 67.0, "c4": 33.0})[0], share_out({"crawl": 66.66, "c4": 33.34, "rare": 0.25})[0]
    (1000, 10000)
    """
    total = sum(weights.values())
    for block in BLOCKS:
        shares = apportion(weights, block)
        off = {name: abs(shares[name] * total / (block * weight) - 1) for name, weight in weights.items()}
        if max(off.values()) <= MAX_SHARE_ERROR:
            return block, shares
    worst = max(off, key=lambda name: off[name])
    raise MixtureError(
        f"the proportion of {worst}, {weights[worst] / total:.3g} of all, is too small: a block of {BLOCKS[-1]:,} "
        f"sequences does not hold it within {MAX_SHARE_ERROR:.0%}"
    )


def apportion(weights: Mapping[str, float], total: int) -> dict[str, int]:
    """Split ``total`` by ``weights`` into whole numbers, the leftovers going to the largest remainders.

    >>> apportion({"crawl": 0.67, "c4": 0.15, "github": 0.045, "other": 0.135}, 1000)
    {'crawl': 670, 'c4': 150, 'github': 45, 'other': 135}
    """
    exact = {name: total * weight / sum(weights.values()) for name, weight in weights.items()}
    shares = {name: int(share) for name, share in exact.items()}
    by_remainder = sorted(exact, key=lambda name: (shares[name] - exact[name], name))
    for name in by_remainder[: total - sum(shares.values())]:
        shares[name] += 1
    return shares
