"""Discriminants: one number from the logits of several classes, with fixed shares of the backgrounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from jetkit.errors import JetkitError
from jetkit.evaluation.comparison import class_indices
from jetkit.evaluation.scores import checked_logits, log_sum


def discriminant(
    logits: Float[np.ndarray, "B C"], classes: Sequence[str], *, signal: str, background: Mapping[str, float]
) -> Float[np.ndarray, " B"]:
    """D = ln[p_S/Σ_j f_j p_j], computed from the logits in log space, so that it does not saturate.

    Signal and backgrounds are classes or several joined by ``+``; the fractions f_j sum to one.

    Raises:
        JetkitError: an unknown class, a class that appears twice, or fractions that are negative or do not sum to one.

    Example:
        >>> p = np.array([[0.1, 0.1, 0.8]])
        >>> discriminant(np.log(p), ["u", "c", "b"], signal="b", background={"c": 0.2, "u": 0.8}).round(5).tolist()
        [2.07944]
    """
    logits = checked_logits(logits, classes)
    fractions = list(background.values())
    if not fractions or not min(fractions) >= 0 or not abs(sum(fractions) - 1) < 1e-6:
        raise JetkitError(f"fractions of a background should be shares that sum to 1, got {fractions}")
    groups = {name: class_indices(name, classes, f"the discriminant of {signal}") for name in (signal, *background)}
    used = [index for group in groups.values() for index in group]
    if len(set(used)) < len(used) or signal in background:
        raise JetkitError(f"a class appears twice in the discriminant of {signal}")
    indices = [index for name in background for index in groups[name]]
    factor = np.array([fraction for name, fraction in background.items() for _ in groups[name]])
    kept = factor > 0
    mixture = log_sum(logits, np.array(indices)[kept].tolist(), factor[kept])
    return np.asarray(log_sum(logits, groups[signal]) - mixture)


def d_b(
    logits: Float[np.ndarray, "B C"], classes: Sequence[str], *, f_c: float = 0.2, f_tau: float = 0.0
) -> Float[np.ndarray, " B"]:
    """D_b = ln[p_b/(f_c p_c + f_τ p_τ + (1 − f_c − f_τ) p_u)] of classes named b, c, u and, where f_τ > 0, tau.

    The fractions are a choice of the analysis: those of ATLAS taggers lie between 0.02 and 0.2 for c.

    Source: ATLAS flavour-tagging algorithms for the LHC Run 2 pp collision dataset, 2022, arXiv:2211.16345.

    Raises:
        JetkitError: a class is missing, or a fraction is not a share.

    Example:
        >>> [d_b(np.log([[0.8, 0.1, 0.1]]), ["b", "c", "u"], f_c=f).round(5).item() for f in (0.0, 0.2, 1.0)]
        [2.07944, 2.07944, 2.07944]
    """
    return _flavour(logits, classes, "b", "c", f_c, f_tau)


def d_c(
    logits: Float[np.ndarray, "B C"], classes: Sequence[str], *, f_b: float = 0.3, f_tau: float = 0.0
) -> Float[np.ndarray, " B"]:
    """D_c = ln[p_c/(f_b p_b + f_τ p_τ + (1 − f_b − f_τ) p_u)] of classes named b, c, u and, where f_τ > 0, tau.

    Source: ATLAS flavour-tagging algorithms for the LHC Run 2 pp collision dataset, 2022, arXiv:2211.16345.

    Raises:
        JetkitError: a class is missing, or a fraction is not a share.

    Example:
        >>> d_c(np.log([[0.1, 0.8, 0.1]]), ["b", "c", "u"]).round(5).item()
        2.07944
    """
    return _flavour(logits, classes, "c", "b", f_b, f_tau)


def d_hbb(
    logits: Float[np.ndarray, "B C"],
    classes: Sequence[str],
    *,
    f_hcc: float = 0.02,
    f_top: float = 0.25,
    top: str = "top",
) -> Float[np.ndarray, " B"]:
    """D_Hbb = ln[p_Hbb/(f_Hcc p_Hcc + f_top p_top + (1 − f_Hcc − f_top) p_QCD)]; ``top`` may name several classes.

    Raises:
        JetkitError: a class is missing, or a fraction is not a share.

    Example:
        >>> p = np.array([[0.7, 0.1, 0.1, 0.1]])
        >>> d_hbb(np.log(p), ["Hbb", "Hcc", "top", "QCD"]).round(5).item()
        1.94591
    """
    background = {"Hcc": f_hcc, top: f_top, "QCD": 1 - f_hcc - f_top}
    return discriminant(logits, classes, signal="Hbb", background=background)


def _flavour(
    logits: Float[np.ndarray, "B C"], classes: Sequence[str], signal: str, heavy: str, fraction: float, f_tau: float
) -> Float[np.ndarray, " B"]:
    background = {heavy: fraction, "u": 1 - fraction - f_tau, **({"tau": f_tau} if f_tau else {})}
    return discriminant(logits, classes, signal=signal, background=background)
