"""Batches side by side: each thread of the processor has one of its own, instead of all threads sharing each."""

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
    """Results of a function on each item, in their order; as many at a time as torch has threads.

    A batch of jets is many small operations, which two threads share badly: each waits for the other at every one. On
    batches of their own they do not meet. Within, torch and numpy have one thread, so that results do not depend on
    their number; gradients and modes such as `torch.inference_mode` belong to a thread: the function sets them.

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
