"""Progress of long operations: callbacks that report it, and requests to stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

Report = Callable[[int, int, str], None]
"""Callback with (steps done, total steps, current activity)."""
Count = Callable[[int, int], None]
"""Callback with (done, total)."""


def silent(done: int, total: int, what: str = "") -> None:
    """Report nothing; the default of each `Report` and `Count`."""


@dataclass
class Stop:
    """A request to stop after the current step.

    On an interrupt, the program ``jetkit`` requests a stop if the running operation heeds it, and interrupts any other
    operation at once. In Python, setting ``STOP.requested = True`` in a `Report` stops a training after a checkpoint.

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
        """Declare that the work within a ``with`` block checks ``requested`` after each step."""
        self.heeded, self.requested = True, False
        try:
            yield
        finally:
            self.heeded = self.requested = False


STOP = Stop()
"""Stop request of this process."""
