"""Cache of per-row quantities that are the same in every epoch: observables, or vectors of a frozen encoder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from jetkit.data.batch import Batch
from jetkit.data.loader import Loader
from jetkit.progress import Count, Report, silent


class Cached:
    """Batches of a loader as plain tables of computed quantities; position and order are those of the loader.

    Args:
        loader: gives batches with the place of each row in their index
        ordered: the same rows in the order of the file, so that resuming gives the same bits
        compute: numbers of each row of a batch
        passes: number of consecutive repetitions of each row in an epoch of the loader
        dtype: of the numbers; default: that of the batches
        report: callback with (batches done, total batches, activity)
    """

    def __init__(
        self,
        loader: Loader,
        ordered: Loader,
        compute: Callable[[Batch], Float[Tensor, "B D"]],
        passes: int = 1,
        dtype: torch.dtype | None = None,
        report: Report = silent,
    ) -> None:
        self.loader, self.ordered, self.compute = loader, ordered, compute
        self.passes, self.dtype, self.report = passes, dtype, report

    @cached_property
    def table(self) -> tuple[Int[Tensor, " usable"], Float[Tensor, "usable D"]]:
        """Places of the usable rows, in rising order, and their computed numbers."""

        def compute(batch: Batch) -> Float[Tensor, "B D"]:
            return self.compute(batch.to(dtype=self.dtype))

        return table_of(self.ordered, compute, lambda done, total: self.report(done, total, "observables"))

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Batch]:
        for batch in self.loader:
            rows, numbers = self.table
            assert batch.index.row is not None
            found = numbers[torch.searchsorted(rows, batch.index.row // self.passes)]
            yield batch.replace(sets={}, row=found, arrays={}, links={})

    def rewind(self) -> None:
        """Return to the beginning of the first epoch."""
        self.loader.rewind()

    def state_dict(self) -> dict[str, Any]:
        """Return the position of the loader."""
        return self.loader.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume at a stored position.

        Raises:
            JetkitError: as `Loader.load_state_dict`.
        """
        self.loader.load_state_dict(state)


def table_of(
    loader: Loader, compute: Callable[[Batch], Float[Tensor, "B D"]], report: Count
) -> tuple[Int[Tensor, " usable"], Float[Tensor, "usable D"]]:
    """Compute the numbers of all usable rows, and return them with the places of the rows, in the loader's order."""
    rows, found = [], []
    for done, batch in enumerate(loader, start=1):
        rows.append(batch.index.row)
        found.append(compute(batch))
        report(done, len(loader))
    return torch.cat([row for row in rows if row is not None]), torch.cat(found)


Batches = Loader | Cached
"""Batches of a training: a loader, or a cache of one."""


def compute(*batches: Batches) -> None:
    """Fill the caches now instead of at the first batch, at which interrupts wait for the end of a step."""
    for one in batches:
        if isinstance(one, Cached):
            _ = one.table
