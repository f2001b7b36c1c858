"""What is the same for a row in every epoch, computed once: observables, or vectors of a frozen encoder."""

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
    """Batches of a loader as plain tables of what was computed of each row; position and order are the loader's.

    Args:
        loader: gives batches with the place of each row in their index
        ordered: the same rows in the order of the file, so that resuming gives the same bits
        compute: numbers of each row of a batch
        passes: times that the loader has each row in an epoch, one after the other
        dtype: of the numbers; default: that of the batches
        report: called with batches done, batches in all, and what happens
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
        """Places of the usable rows, rising, and their numbers."""

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
        """Go to the beginning of the first epoch."""
        self.loader.rewind()

    def state_dict(self) -> dict[str, Any]:
        """Return the position of the loader."""
        return self.loader.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go to a position.

        Raises:
            JetkitError: as `Loader.load_state_dict`.
        """
        self.loader.load_state_dict(state)


def table_of(
    loader: Loader, compute: Callable[[Batch], Float[Tensor, "B D"]], report: Count
) -> tuple[Int[Tensor, " usable"], Float[Tensor, "usable D"]]:
    """Return the places of all usable rows, in the order of a loader, and what is computed of them."""
    rows, found = [], []
    for done, batch in enumerate(loader, start=1):
        rows.append(batch.index.row)
        found.append(compute(batch))
        report(done, len(loader))
    return torch.cat([row for row in rows if row is not None]), torch.cat(found)


Batches = Loader | Cached
"""What a training goes through."""


def compute(*batches: Batches) -> None:
    """Compute what is cached now, rather than with the first batch, when interrupts wait for the end of a step."""
    for one in batches:
        if isinstance(one, Cached):
            _ = one.table
