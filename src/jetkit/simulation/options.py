"""What a user may set when simulating; every field is a ``key=value`` of ``jetkit simulate``."""

from __future__ import annotations

import os
from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

Twin = Literal["none", "reshower", "rehadronise", "redetect"]


@dataclass(frozen=True)
class Options:
    """How many jets, where to, from which seed, on how many processes."""

    jets: Annotated[int, Field(gt=0, description="kept jets in all, shared equally among the classes")] = 20_000
    out: Annotated[str, Field(description="folder to write; default: data/RECIPE")] = ""
    seed: Annotated[int, Field(ge=0, lt=2**31, description="fixes every random number")] = 1
    workers: Annotated[int, Field(ge=1, description="local processes; default: one a core")] = os.cpu_count() or 1
    scheduler: Annotated[
        str, Field(description="address of a dask scheduler (tcp://host:port) in place of workers")
    ] = ""
    shard: Annotated[int, Field(gt=0, description="kept jets a shard; a shard is one task with its own seed")] = 1_000
    twin: Annotated[
        Twin, Field(description="write each event twice: same hard process, what follows with another seed")
    ] = "none"
    variation: Annotated[str, Field(description="a named change of shower or detector; see `jetkit list`")] = "none"
    detector: Annotated[str, Field(description="a detector card in place of the recipe's; 'none': particle level")] = ""
