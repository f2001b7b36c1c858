"""Temperature scaling: one number that calibrates a tagger and leaves every ranking of two classes as it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from jetkit.errors import JetkitError
from jetkit.evaluation.interval import effective_count
from jetkit.evaluation.number import Number
from jetkit.evaluation.scores import (
    CANCELLED,
    checked_label,
    checked_logits,
    checked_weight,
    probabilities,
    weight_sum,
)


def fit_temperature(
    logits: Float[np.ndarray, "B C"],
    label: Int[np.ndarray, " B"],
    classes: Sequence[str],
    weight: Float[np.ndarray, " B"] | None = None,
) -> Number:
    """The T that minimises the negative log-likelihood of softmax(z/T); 1 for a calibrated tagger, above it for one
    too sure of itself.

    The likelihood is concave in 1/T, so Newton's method finds it. The error, σ_T = T² √(Σ w²g²)/Σ w h, with gradient g
    and curvature h of each jet, holds also where the model is not exactly right. Where negative weights make several
    minima, it is the one that Newton's method reaches from T = 1.

    Source: On Calibration of Modern Neural Networks, 2017, arXiv:1706.04599.

    Raises:
        JetkitError: logits, label and weight do not fit each other, the weights do not sum to more than zero, or no
            finite T > 0 is best: all jets are right (with weights: on balance), or the tagger is no better than a
            guess.

    Example:
        >>> logits = 2 * np.log([[0.8, 0.2]] * 1000)
        >>> print(fit_temperature(logits, (np.arange(1000) % 5 == 0).astype(int), ["QCD", "top"]))
        2.00 ± 0.11
    """
    logits = checked_logits(logits, classes)
    label = checked_label(label, classes, len(logits))
    w = checked_weight(weight, len(logits))
    if weight is not None:
        weight_sum(w, "the jets")
    shifted = logits - logits.max(axis=1, keepdims=True)
    true = shifted[np.arange(len(label)), label]
    if w @ true >= CANCELLED * (np.abs(w) @ true):  # no logit is above the largest: true ≤ 0
        raise JetkitError("every jet is classified rightly, so no temperature is best: use more jets")
    if w @ (shifted.mean(axis=1) - true) >= 0:
        raise JetkitError("the tagger is no better than a guess, so no temperature calibrates it")
    beta = _best_inverse(shifted, true, w)
    gradient, curvature = _derivatives(shifted, true, beta)
    error = float(np.sqrt(np.square(w * gradient).sum()) / (w @ curvature))
    return Number(1 / beta, error / beta**2, len(label), n_eff=None if weight is None else effective_count(w))


def apply_temperature(logits: Float[np.ndarray, "B C"], temperature: Number | float) -> Float[np.ndarray, "B C"]:
    """Calibrated logits z/T.

    Raises:
        JetkitError: the temperature is not positive.

    Example:
        >>> apply_temperature(np.array([[2.0, 0.0]]), 2.0).tolist()
        [[1.0, 0.0]]
    """
    value = temperature.value if isinstance(temperature, Number) else temperature
    if not value > 0:
        raise JetkitError(f"a temperature should be positive, got {value}")
    return np.asarray(logits, dtype=np.float64) / value


def _best_inverse(
    logits: Float[np.ndarray, "B C"], true: Float[np.ndarray, " B"], weight: Float[np.ndarray, " B"]
) -> float:
    """Root in β = 1/T of the mean gradient, which rises with β: Newton's steps, halved where they leave the bracket."""
    low, high, beta = 0.0, np.inf, 1.0
    for _ in range(200):
        gradient, curvature = _derivatives(logits, true, beta)
        slope, bend = float(weight @ gradient), float(weight @ curvature)
        low, high = (beta, high) if slope < 0 else (low, beta)
        step = beta - slope / bend if bend > 0 else np.inf
        if abs(step - beta) < 1e-10 * beta:
            break
        beta = step if low < step < min(high, 8 * beta) else (low + min(high, 3 * beta)) / 2
    return beta


def _derivatives(
    logits: Float[np.ndarray, "B C"], true: Float[np.ndarray, " B"], beta: float
) -> tuple[Float[np.ndarray, " B"], Float[np.ndarray, " B"]]:
    """First and second derivative of −ln p_true by β: ⟨z⟩ − z_true and ⟨z²⟩ − ⟨z⟩²."""
    p = probabilities(beta * logits)
    mean = np.einsum("bc,bc->b", p, logits)
    return mean - true, np.einsum("bc,bc->b", p, (logits - mean[:, None]) ** 2)
