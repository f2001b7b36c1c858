"""Options of a simulation; every field is a ``key=value`` of ``jetkit simulate``."""

from __future__ import annotations

import os
from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

Twin = Literal["none", "reshower", "rehadronise", "redetect"]


@dataclass(frozen=True)
class Options:
    """Options of a simulation: number of jets, output folder, seed and processes."""

    jets: Annotated[int, Field(gt=0, description="number of kept jets, shared equally among the classes")] = 20_000
    out: Annotated[str, Field(description="folder to write; default: data/RECIPE")] = ""
    seed: Annotated[int, Field(ge=0, lt=2**31, description="seed of all random numbers")] = 1
    workers: Annotated[int, Field(ge=1, description="local processes; default: one per core")] = os.cpu_count() or 1
    scheduler: Annotated[
        str, Field(description="address of a dask scheduler (tcp://host:port) to use instead of workers")
    ] = ""
    shard: Annotated[int, Field(gt=0, description="kept jets per shard; each shard is one task")] = 1_000
    twin: Annotated[
        Twin, Field(description="write each event twice, with the later stages drawn from another seed")
    ] = "none"
    variation: Annotated[str, Field(description="named variation of shower or detector; see `jetkit list`")] = "none"
    detector: Annotated[str, Field(description="detector card to replace the recipe's; 'none': particle level")] = ""
