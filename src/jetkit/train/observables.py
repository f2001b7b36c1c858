"""What is the same for a jet in every epoch, computed once: observables, or vectors of a frozen encoder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from jetkit.data.cloud import Cloud
from jetkit.data.loader import Loader


class WithObservables:
    """Batches of a loader, each jet with its observables as a target; position and order are the loader's.

    Args:
        loader: gives clouds with the target ``row``
        ordered: the same jets in the order of the file, so that resuming gives the same bits
        compute: the observables of a batch
        name: of the target
        passes: times that the loader has each jet in an epoch, one row after the other
        dtype: of the observables; default: that of the clouds
        report: called with batches done, batches in all, and what happens
    """

    def __init__(
        self,
        loader: Loader,
        ordered: Loader,
        compute: Callable[[Cloud], Float[Tensor, "B D"]],
        name: str,
        passes: int = 1,
        dtype: torch.dtype | None = None,
        report: Callable[[int, int, str], None] = lambda done, total, what: None,
    ) -> None:
        self.loader, self.ordered, self.compute, self.name = loader, ordered, compute, name
        self.passes, self.dtype, self.report = passes, dtype, report

    @cached_property
    def table(self) -> tuple[Int[Tensor, " usable"], Float[Tensor, "usable D"]]:
        """Rows of the usable jets, rising, and their observables."""

        def compute(cloud: Cloud) -> Float[Tensor, "B D"]:
            return self.compute(cloud.to(dtype=self.dtype))

        return table_of(self.ordered, compute, lambda done, total: self.report(done, total, "observables"))

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Cloud]:
        for cloud in self.loader:
            rows, observables = self.table
            found = observables[torch.searchsorted(rows, cloud.targets["row"] // self.passes)]
            yield cloud.replace(targets={**cloud.targets, self.name: found})

    def rewind(self) -> None:
        """Go to the beginning of the first epoch."""
        self.loader.rewind()

    def state_dict(self) -> dict[str, Any]:
        """Position of the loader."""
        return self.loader.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go to a position.

        Raises:
            JetkitError: as `Loader.load_state_dict`.
        """
        self.loader.load_state_dict(state)


def table_of(
    loader: Loader, compute: Callable[[Cloud], Float[Tensor, "B D"]], report: Callable[[int, int], None]
) -> tuple[Int[Tensor, " usable"], Float[Tensor, "usable D"]]:
    """Rows of all usable jets, in the order of a loader that gives the target ``row``, and what is computed of them."""
    rows, found = [], []
    for done, cloud in enumerate(loader, start=1):
        rows.append(cloud.targets["row"])
        found.append(compute(cloud))
        report(done, len(loader))
    return torch.cat(rows), torch.cat(found)


Batches = Loader | WithObservables
"""What a training goes through."""


def compute(*batches: Batches) -> None:
    """Compute observables now, rather than with the first batch, when interrupts wait for the end of a step."""
    for one in batches:
        if isinstance(one, WithObservables):
            _ = one.table
