"""Parallel batches: each thread processes a batch of its own instead of all threads sharing one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch
from threadpoolctl import threadpool_limits

T = TypeVar("T")
R = TypeVar("R")


def side_by_side(work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Yield the results of a function on each item, in order, computed in as many threads as torch has.

    A batch of jets consists of many small operations, at each of which two threads would wait for each other. On
    separate batches they do not wait. Within ``work``, torch and numpy use one thread, so results do not depend on the
    number of threads. Gradients and modes such as `torch.inference_mode` are per thread, so ``work`` must set them.

    Example:
        >>> list(side_by_side(lambda batch: int(batch.sum()), [torch.ones(2), torch.ones(3)]))
        [2, 3]
    """
    threads = torch.get_num_threads()
    if threads == 1:
        yield from map(work, items)
        return
    waiting: deque[Future[R]] = deque()
    pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
    try:
        with threadpool_limits(1, user_api="blas"):
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)
