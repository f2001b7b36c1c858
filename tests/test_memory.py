from __future__ import annotations

import sys

import pytest

from jetkit import memory
from jetkit.memory import FreedMemory

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="glibc's heap is Linux's")


def test_freed_memory_is_handed_back_at_twice_what_a_step_needs(monkeypatch) -> None:
    class Glibc:
        def malloc_trim(self, pad: int) -> None:
            trimmed.append(len(seen))

    resident = [100, 150, 200, 201, 60, 119, 121, 80]
    seen: list[int] = []
    trimmed: list[int] = []

    def pages() -> int:
        seen.append(resident[len(seen)])
        return seen[-1]

    monkeypatch.setattr(memory, "glibc", Glibc)
    monkeypatch.setattr(memory, "_resident_pages", pages)
    freed = FreedMemory()
    for _ in resident:
        freed.after_step()
    assert trimmed == [4, 7]


def test_the_heap_of_this_process_can_be_handed_back(monkeypatch) -> None:
    monkeypatch.setattr(memory, "_resident_pages", iter([1, 3]).__next__)
    freed = FreedMemory()
    freed.after_step()
    freed.after_step()
    monkeypatch.undo()
    assert memory._resident_pages() > 1000
