"""Logits, labels and weights: checked, and combined without loss near a probability of one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from jetkit.errors import JetkitError

CANCELLED = 1e-12
"""Part of Σ|w| below which a sum of weights is zero but for the computer's rounding."""


def checked_logits(logits: Float[np.ndarray, "B C"], classes: Sequence[str]) -> Float[np.ndarray, "B C"]:
    """The logits in double precision.

    Raises:
        JetkitError: they are not one finite number for each jet and class, or there is no jet.
    """
    logits = np.asarray(logits, dtype=np.float64)
    if logits.ndim != 2 or logits.shape[1] != len(classes):
        raise JetkitError(f"logits should have one column for each of {len(classes)} classes, got shape {logits.shape}")
    if len(classes) < 2:
        raise JetkitError("a tagger is evaluated between two classes or more, got one")
    if not len(logits):
        raise JetkitError("there are no jets to evaluate")
    bad = int(len(logits) - np.isfinite(logits).all(axis=1).sum())
    if bad:
        raise JetkitError(f"the logits of {bad} jets are NaN or infinite: look at the training or the input features")
    return logits


def checked_label(label: Int[np.ndarray, " B"], classes: Sequence[str], jets: int) -> Int[np.ndarray, " B"]:
    """The labels as integers.

    Raises:
        JetkitError: there is not one label a jet, or a label is not the index of a class.
    """
    label = np.asarray(label)
    if label.shape != (jets,) or label.dtype.kind not in "iu":
        raise JetkitError(
            f"label should be one whole number for each of {jets} jets, got {label.dtype} of shape {label.shape}"
        )
    if label.min() < 0 or label.max() >= len(classes):
        raise JetkitError(f"labels of {len(classes)} classes should lie between 0 and {len(classes) - 1}")
    return label.astype(np.int64, copy=False)


def checked_weight(weight: Float[np.ndarray, " B"] | None, jets: int) -> Float[np.ndarray, " B"]:
    """The weights in double precision, of either sign; ones where there are none.

    Raises:
        JetkitError: there is not one weight a jet, or one is not finite.

    Example:
        >>> checked_weight(np.array([1, -1, 2]), 3).tolist(), checked_weight(None, 2).tolist()
        ([1.0, -1.0, 2.0], [1.0, 1.0])
    """
    if weight is None:
        return np.ones(jets)
    weight = np.asarray(weight, dtype=np.float64)
    if weight.shape != (jets,):
        raise JetkitError(f"weight should be one number for each of {jets} jets, got shape {weight.shape}")
    bad = int(jets - np.isfinite(weight).sum())
    if bad:
        raise JetkitError(f"the weights of {bad} jets are NaN or infinite: leave these jets out or mend their weights")
    return weight


def weight_sum(weight: Float[np.ndarray, " B"], jets: str) -> float:
    """Σw, which is above zero; ``jets`` says whose weights they are.

    A sum that is zero but for the rounding of weights that cancel is none.

    Raises:
        JetkitError: it is not above zero.

    Example:
        >>> weight_sum(np.array([1.0, -0.5, 1.0]), "the signal jets")
        1.5
        >>> weight_sum(np.array([0.5, -1.0]), "the signal jets")
        Traceback (most recent call last):
        jetkit.errors.JetkitError: the weights of the signal jets sum to -0.5, not above zero: take more of these jets
    """
    total = float(weight.sum())
    if total <= CANCELLED * np.abs(weight).sum():
        raise JetkitError(f"the weights of {jets} sum to {total:.3g}, not above zero: take more of these jets")
    return total


def log_sum(
    logits: Float[np.ndarray, "B C"], classes: Sequence[int], factor: Float[np.ndarray, " K"] | None = None
) -> Float[np.ndarray, " B"]:
    """ln Σ_c f_c e^{z_c} over some classes, computed from the largest; f = 1 where no factor is given.

    Example:
        >>> log_sum(np.array([[1000.0, 1000.0, 0.0]]), [0, 1]).round(3).tolist()
        [1000.693]
    """
    chosen = logits[:, list(classes)]
    largest = chosen.max(axis=1)
    if factor is None and len(classes) == 1:
        return np.asarray(largest)
    terms = np.exp(chosen - largest[:, None])
    total = terms.sum(axis=1) if factor is None else terms @ np.asarray(factor, dtype=np.float64)
    return np.asarray(largest + np.log(total))


def log_ratio(
    logits: Float[np.ndarray, "B C"], signal: Sequence[int], background: Sequence[int]
) -> Float[np.ndarray, " B"]:
    """ln Σ_S p − ln Σ_B p: it rises with s = Σ_S p/(Σ_S p + Σ_B p), whose logit it is, and does not saturate at one.

    Example:
        >>> log_ratio(np.array([[0.0, 60.0, 0.0]]), [1], [0, 2]).round(3).tolist()
        [59.307]
    """
    return np.asarray(log_sum(logits, signal) - log_sum(logits, background))


def log_odds(logits: Float[np.ndarray, "B C"]) -> Float[np.ndarray, "B C"]:
    """ln p_c − ln(1 − p_c) of every class: it rises with p_c and does not saturate at one.

    Example:
        >>> log_odds(np.array([[60.0, 0.0]])).tolist()
        [[60.0, -60.0]]
    """
    rows, best = np.arange(len(logits)), logits.argmax(axis=1)
    largest = logits[rows, best]
    terms = np.exp(logits - largest[:, None])
    with np.errstate(divide="ignore"):  # the best class of all, mended below
        odds: Float[np.ndarray, "B C"] = logits - largest[:, None] - np.log(terms.sum(axis=1, keepdims=True) - terms)
    others = logits.copy()
    others[rows, best] = -np.inf
    odds[rows, best] = largest - log_sum(others, range(logits.shape[1]))
    return odds


def probabilities(logits: Float[np.ndarray, "B C"]) -> Float[np.ndarray, "B C"]:
    """p_c = e^{z_c}/Σ e^z.

    Example:
        >>> probabilities(np.array([[1000.0, 1000.0]])).tolist()
        [[0.5, 0.5]]
    """
    terms = np.exp(logits - logits.max(axis=1, keepdims=True))
    p: Float[np.ndarray, "B C"] = terms / terms.sum(axis=1, keepdims=True)
    return p


def log_probabilities(probability: Float[np.ndarray, "B C"]) -> Float[np.ndarray, "B C"]:
    """Logits of given probabilities: ln p, with the smallest positive double in place of zero.

    Example:
        >>> log_probabilities(np.array([[0.0, 1.0]])).round(1).tolist()
        [[-708.4, 0.0]]
    """
    tiny = np.finfo(np.float64).tiny
    return np.log(np.maximum(np.asarray(probability, dtype=np.float64), tiny))
