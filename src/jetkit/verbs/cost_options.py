"""Options of the measurement of a model's cost."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

Positive = Annotated[int, Field(ge=1)]


@dataclass(frozen=True)
class CostOptions:
    """Of which jets, and with how much of the machine."""

    particles: Annotated[
        tuple[Positive, ...],
        Field(description="with cost: particles of a jet, at most those that the model was trained with", min_length=1),
    ] = (8, 16, 32, 64, 128)
    batches: Annotated[tuple[Positive, ...], Field(description="with cost: jets in a batch", min_length=1)] = (
        1,
        32,
        128,
    )
    threads: Annotated[int, Field(description="with cost: threads that compute", ge=1)] = 1
    memory: Annotated[
        float, Field(description="with cost: GB that a batch may need; what may need more is left out", gt=0)
    ] = 4.0
