"""Checks for models and tasks, of jetkit or of yours: the contract as one call, symmetries, random batches."""

from __future__ import annotations

from typing import Any

from jetkit.testing.random_batch import random_batch
from jetkit.testing.symmetries import SYMMETRIES, assert_broken, assert_invariant, change_of_output

__all__ = ["SYMMETRIES", "assert_broken", "assert_invariant", "change_of_output", "check", "random_batch"]


def __getattr__(name: str) -> Any:
    """Import `check` when it is first used, since it needs all models."""
    if name != "check":
        raise AttributeError(f"module 'jetkit.testing' has no attribute {name!r}")
    from jetkit.testing.contract import check

    return check
