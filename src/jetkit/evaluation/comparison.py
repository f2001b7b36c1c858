"""Signal against background in words: ``Tbqq+Tbl vs QCD``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from jetkit.config import nearest
from jetkit.errors import JetkitError
from jetkit.evaluation.ranking import Ranking, rank
from jetkit.evaluation.scores import checked_weight, log_ratio

EVERYTHING_ELSE = ("all", "rest")


@dataclass(frozen=True)
class Comparison:
    """Some classes as signal, others as background; jets of neither stay out.

    Attributes:
        signal: indices of classes.
        background: indices of classes.
        text: as the user wrote it, with single spaces.
    """

    signal: tuple[int, ...]
    background: tuple[int, ...]
    text: str

    def is_signal(self, label: Int[np.ndarray, " B"]) -> Bool[np.ndarray, " B"]:
        """Whether a jet's class is one of the signal's."""
        return np.isin(label, self.signal)

    def takes_part(self, label: Int[np.ndarray, " B"]) -> Bool[np.ndarray, " B"]:
        """Whether a jet's class is one of the signal's or of the background's."""
        return np.isin(label, self.signal + self.background)

    def score(self, logits: Float[np.ndarray, "B C"]) -> Float[np.ndarray, " B"]:
        """ln Σ_S p − ln Σ_B p of every jet, the logit of s = Σ_S p/(Σ_S p + Σ_B p)."""
        return log_ratio(logits, self.signal, self.background)

    def rank(
        self,
        logits: Float[np.ndarray, "B C"],
        label: Int[np.ndarray, " B"],
        weight: Float[np.ndarray, " B"] | None = None,
    ) -> Ranking:
        """The jets that take part, by falling `score`.

        Raises:
            JetkitError: there are no jets of the signal or of the background, the weights of one do not sum to more
                than zero, or there is not one finite weight a jet.
        """
        return self.rank_by(self.score(logits), label, weight)

    def rank_by(
        self,
        score: Float[np.ndarray, " B"],
        label: Int[np.ndarray, " B"],
        weight: Float[np.ndarray, " B"] | None = None,
    ) -> Ranking:
        """The jets that take part, by any falling score.

        Raises:
            JetkitError: as `rank`.
        """
        jet = np.flatnonzero(self.takes_part(label))
        w = None if weight is None else checked_weight(weight, len(label))[jet]
        try:
            return rank(score[jet], self.is_signal(label[jet]), w, jet)
        except JetkitError as error:
            raise JetkitError(f"{self.text}: {error}") from None


def parse_comparison(text: str, classes: Sequence[str]) -> Comparison:
    """Read ``SIGNAL vs BACKGROUND``, each one class or several joined by ``+``.

    The background may be ``all`` or ``rest``: every class that is not signal.

    Raises:
        JetkitError: the words cannot be read so, name no class, or name one twice.

    Example:
        >>> parse_comparison("Tbqq+Tbl vs QCD", ["QCD", "Tbqq", "Tbl"])
        Comparison(signal=(1, 2), background=(0,), text='Tbqq+Tbl vs QCD')
        >>> parse_comparison("Tbqq vs rest", ["QCD", "Tbqq", "Tbl"]).background
        (0, 2)
        >>> parse_comparison("Tbqqq vs QCD", ["QCD", "Tbqq", "Tbl"])
        Traceback (most recent call last):
        jetkit.errors.JetkitError: unknown class 'Tbqqq' in 'Tbqqq vs QCD'; did you mean Tbqq?
    """
    sides = re.split(r"\s+vs\.?\s+", text.strip())
    if len(sides) != 2:
        raise JetkitError(f"cannot read the comparison {text!r}: write it as in 'Tbqq+Tbl vs QCD'")
    signal = class_indices(sides[0], classes, text)
    if sides[1] in EVERYTHING_ELSE and sides[1] not in classes:
        background = tuple(index for index in range(len(classes)) if index not in signal)
    else:
        background = class_indices(sides[1], classes, text)
    if not background:
        raise JetkitError(f"no class is left as background in {text!r}")
    both = set(signal) & set(background)
    if both:
        raise JetkitError(f"{classes[min(both)]} is both signal and background in {text!r}")
    return Comparison(signal, background, " vs ".join(re.sub(r"\s*\+\s*", "+", side) for side in sides))


def class_indices(text: str, classes: Sequence[str], where: str) -> tuple[int, ...]:
    """Indices of the classes joined by ``+``.

    Raises:
        JetkitError: an unknown class, or one named twice; ``where`` is shown.

    Example:
        >>> class_indices("b + c", ["u", "c", "b"], "b + c vs u")
        (2, 1)
    """
    known = list(classes)
    found: list[int] = []
    for name in (part.strip() for part in text.split("+")):
        if name not in known:
            hint = nearest(name, known) or f"; known: {', '.join(known[:12])}{', ...' if len(known) > 12 else ''}"
            raise JetkitError(f"unknown class {name!r} in {where!r}{hint}")
        if known.index(name) in found:
            raise JetkitError(f"class {name} appears twice in {where!r}")
        found.append(known.index(name))
    return tuple(found)
