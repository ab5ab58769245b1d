"""AdamW with warm-up, cosine decay and clipping, as LLaMA was trained (Touvron et al., 2023, section 2.3).

Betas 0.9 and 0.95, decay 0.1, gradients clipped to a norm of 1.0, linear warm-up, then a cosine down to 10 % of the
peak. The paper does not say which weights decay: here all matrices do, the embeddings too, and the gains of the norms
do not, since pulling a gain to zero only fights the scale it sets. Nor does it give epsilon: 1e-8 is Adam's own
(Kingma & Ba, 2015).
"""

import jax
import jax.numpy as jnp
import optax  # type: ignore[import-untyped]  # optax ships no py.typed marker
from pydantic import BaseModel, ConfigDict, Field

from train.model import Params, is_matrix


class OptimizerSettings(BaseModel):
    """What AdamW and its schedule are steered by; the defaults are those of LLaMA 7B and 13B.

    Attributes:
        learning_rate: The peak, reached at the end of the warm-up (33B and 65B: 1.5e-4).
        final_fraction: The learning rate of the last step, as a fraction of the peak.
        warmup_steps: Steps of linear growth; the last of them takes the peak. 0 starts at the peak.
        beta1: Decay of the mean of gradients.
        beta2: Decay of the mean of squared gradients.
        epsilon: Added to the root of the squared mean.
        weight_decay: Decoupled decay of the matrices, per step and unit of learning rate.
        max_gradient_norm: Global norm that gradients are clipped to; ``None`` does not clip.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    learning_rate: float = Field(default=3e-4, gt=0, le=1)
    final_fraction: float = Field(default=0.1, ge=0, le=1)
    warmup_steps: int = Field(default=2000, ge=0)
    beta1: float = Field(default=0.9, ge=0, lt=1)
    beta2: float = Field(default=0.95, ge=0, lt=1)
    epsilon: float = Field(default=1e-8, gt=0)
    weight_decay: float = Field(default=0.1, ge=0, lt=1)
    max_gradient_norm: float | None = Field(default=1.0, gt=0)


def learning_rate(settings: OptimizerSettings, *, steps: int) -> optax.Schedule:
    """The learning rate of each step, the first being step 0, of a run of ``steps``.

    Step 0 takes ``peak / warmup_steps``, not 0, so no step is wasted; step ``warmup_steps - 1`` takes the peak and step
    ``steps - 1`` the final value. Later steps keep it.

    Raises:
        ValueError: The warm-up leaves no step for the decay.
    """
    if settings.warmup_steps >= steps:
        raise ValueError(f"warmup_steps must be below steps={steps}, got {settings.warmup_steps}")
    peak = settings.learning_rate
    decay = optax.cosine_decay_schedule(peak, steps - settings.warmup_steps, alpha=settings.final_fraction)
    pieces, borders = [decay], []
    if settings.warmup_steps > 0:
        pieces, borders = [optax.linear_schedule(0.0, peak, settings.warmup_steps), decay], [settings.warmup_steps]
    joined = optax.join_schedules(pieces, borders)
    return lambda step: joined(jnp.asarray(step + 1, jnp.float32))


def adamw(settings: OptimizerSettings, *, steps: int) -> optax.GradientTransformation:
    """AdamW (Loshchilov & Hutter, 2019, algorithm 2, decay times learning rate) over :class:`train.model.Params`."""
    update = optax.adamw(
        learning_rate(settings, steps=steps),
        b1=settings.beta1,
        b2=settings.beta2,
        eps=settings.epsilon,
        weight_decay=settings.weight_decay,
        mask=is_matrix,
    )
    if settings.max_gradient_norm is not None:
        update = optax.chain(optax.clip_by_global_norm(settings.max_gradient_norm), update)
    return optax.GradientTransformation(update.init, _with_promotion(update.update))


def _with_promotion(update: optax.TransformUpdateFn) -> optax.TransformUpdateFn:
    """Let optax raise a float to the power of a step count, which JAX's strict dtype promotion refuses."""

    def promoting(gradient: Params, state: optax.OptState, params: Params) -> tuple[Params, optax.OptState]:
        with jax.numpy_dtype_promotion("standard"):
            changed: tuple[Params, optax.OptState] = update(gradient, state, params)
        return changed

    return promoting
