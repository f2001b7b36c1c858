from __future__ import annotations

import threading

import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from jetkit.training.machine import threads_of
from jetkit.training.side_by_side import side_by_side


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_results_come_in_the_order_of_the_items(threads: int) -> None:
    with threads_of(threads):
        assert list(side_by_side(lambda number: number**2, range(20))) == [number**2 for number in range(20)]


def test_so_many_are_at_work_at_once_and_each_has_one_thread() -> None:
    meeting = threading.Barrier(2, timeout=30)

    def work(_: int) -> set[int]:
        meeting.wait()  # both must be there
        return {torch.get_num_threads(), *blas_threads()}

    with threads_of(2), threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        assert list(side_by_side(work, range(4))) == [{1}] * 4
        assert torch.get_num_threads() == 2
        assert blas_threads() == before


def blas_threads() -> set[int]:
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def test_no_more_items_are_taken_than_are_worked_on() -> None:
    taken = []

    def items():
        for number in range(50):
            taken.append(number)
            yield number

    with threads_of(2):
        results = side_by_side(lambda number: number, items())
        assert next(results) == 0
        assert len(taken) <= 4
        results.close()


def test_what_one_raises_is_raised() -> None:
    def fail(number: int) -> int:
        if number == 3:
            raise ValueError("the third")
        return number

    with threads_of(2), pytest.raises(ValueError, match="the third"):
        list(side_by_side(fail, range(10)))
    assert torch.get_num_threads() >= 1
