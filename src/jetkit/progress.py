"""Progress of what takes long: callbacks by which it is reported, and the request to stop it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

Report = Callable[[int, int, str], None]
"""Called with (steps done, steps in all, what happens)."""
Count = Callable[[int, int], None]
"""Called with (done, in all)."""


def silent(done: int, total: int, what: str = "") -> None:
    """Report nothing: the default of each `Report` and `Count`."""


@dataclass
class Stop:
    """A request to stop after the present step.

    The program ``jetkit`` makes it on an interrupt, if the work that is done heeds it; other work is interrupted at
    once. From Python, ``STOP.requested = True`` in a `Report` stops a training after a checkpoint.

    Example:
        >>> stop = Stop()
        >>> with stop.heeding():
        ...     stop.requested = True
        ...     print(stop.heeded, stop.requested)
        True True
        >>> stop.heeded, stop.requested
        (False, False)
    """

    heeded: bool = False
    requested: bool = False

    @contextmanager
    def heeding(self) -> Iterator[None]:
        """Within, the work asks for ``requested`` after each step."""
        self.heeded, self.requested = True, False
        try:
            yield
        finally:
            self.heeded = self.requested = False


STOP = Stop()
"""The request of this process."""
