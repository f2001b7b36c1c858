"""Batches for a ``torch.utils.data.DataLoader`` whose workers share the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch.utils.data import IterableDataset, get_worker_info

from jetkit.data.batch import Batch
from jetkit.data.batching import Batching
from jetkit.data.loader import Loader
from jetkit.data.spec import Spec
from jetkit.errors import JetkitError

MOST_WORKERS = 1024


class BatchStream(IterableDataset[Batch]):
    """Epochs of complete batches for ``DataLoader(…, batch_size=None, num_workers=…)``.

    With W workers in each of R processes, each reads different rows, as one of R·W ranks (`Batching.rank`). Every
    usable row appears once per epoch. Each iteration is the next epoch, even if the workers are restarted. The order
    depends only on ``seed``, the epoch and R·W. Unlike ``Dataset.batches``, it cannot be resumed within an epoch.

    Raises:
        JetkitError: the options do not fit the data, or there are more workers than rows.
    """

    def __init__(self, loader: Callable[[Batching], Loader], options: Batching) -> None:
        self.spec: Spec = loader(options).spec
        """Names, units and kinds of what the batches hold."""
        self._loader, self._options = loader, options
        self._started = torch.zeros(MOST_WORKERS, dtype=torch.int64).share_memory_()  # type: ignore[no-untyped-call]
        """Epochs that each worker has begun: a worker counts its own, and its successor goes on."""

    def __iter__(self) -> Iterator[Batch]:
        worker = get_worker_info()
        number, workers = (0, 1) if worker is None else (worker.id, worker.num_workers)
        if workers > MOST_WORKERS:
            raise JetkitError(f"{workers} workers are too many: use at most {MOST_WORKERS}")
        epoch = int(self._started[number])
        self._started[number] += 1
        return iter(self._loader(self._options.shared(number, workers, epoch)))
