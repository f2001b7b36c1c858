"""Cross entropy: how surprised a classifier is by the true classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from jetkit.errors import JetkitError
from jetkit.evaluate.number import Number
from jetkit.evaluate.scores import checked_label, checked_logits, log_sum


def cross_entropy(logits: Float[np.ndarray, "B C"], label: Int[np.ndarray, " B"], classes: Sequence[str]) -> Number:
    """⟨−ln p_true⟩ over the jets, in nats; its error is that of the mean.

    Raises:
        JetkitError: logits and label do not fit each other, or there are fewer than two jets.

    Example:
        >>> print(cross_entropy(np.zeros((4, 2)), np.array([0, 1, 1, 0]), ["QCD", "top"]))
        0.693147 ± 0
    """
    logits = checked_logits(logits, classes)
    label = checked_label(label, classes, len(logits))
    if len(label) < 2:
        raise JetkitError("a cross entropy with its error needs two jets or more")
    each = log_sum(logits, range(len(classes))) - logits[np.arange(len(label)), label]
    return Number(float(each.mean()), float(each.std(ddof=1) / np.sqrt(len(each))), len(each))
