"""Cross entropy: how surprised a classifier is by the true classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from jetkit.errors import JetkitError
from jetkit.evaluation.interval import LEAST_EFFECTIVE, effective_count
from jetkit.evaluation.number import Number
from jetkit.evaluation.scores import checked_label, checked_logits, checked_weight, log_sum, weight_sum


def cross_entropy(
    logits: Float[np.ndarray, "B C"],
    label: Int[np.ndarray, " B"],
    classes: Sequence[str],
    weight: Float[np.ndarray, " B"] | None = None,
) -> Number:
    """⟨−ln p_true⟩ over the jets, in nats; its error is that of the mean.

    With weights, H = Σwh/Σw with the variance Σw²(h−H)²/(Σw)² · n/(n−1), n = (Σw)²/Σw².

    Raises:
        JetkitError: logits, label and weight do not fit each other, or there are fewer than two jets (with weights: of
            their effective number).

    Example:
        >>> print(cross_entropy(np.zeros((4, 2)), np.array([0, 1, 1, 0]), ["QCD", "top"]))
        0.693147 ± 0
    """
    logits = checked_logits(logits, classes)
    label = checked_label(label, classes, len(logits))
    if len(label) < 2:
        raise JetkitError("a cross entropy with its error needs two jets or more")
    each = log_sum(logits, range(len(classes))) - logits[np.arange(len(label)), label]
    if weight is None:
        return Number(float(each.mean()), float(each.std(ddof=1) / np.sqrt(len(each))), len(each))
    w = checked_weight(weight, len(label))
    share = w / weight_sum(w, "the jets")
    n_eff = effective_count(w)
    if n_eff < LEAST_EFFECTIVE:
        raise JetkitError(f"a cross entropy with its error needs two jets or more, these weigh as {n_eff:.2g}")
    mean = float(share @ each)
    error = float(np.sqrt(np.square(share * (each - mean)).sum() * n_eff / (n_eff - 1)))
    return Number(mean, error, len(each), n_eff=n_eff)
