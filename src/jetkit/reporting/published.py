"""What others have published for the same tagger: to stand beside our numbers, never among them."""

from __future__ import annotations

from pydantic import Field
from pydantic.dataclasses import dataclass

from jetkit.config import build, load, names


@dataclass(frozen=True)
class PublishedRejection:
    """Background rejection 1/ε_B at one signal efficiency; the error, where there is one, as its source defines it."""

    comparison: str
    efficiency: float = Field(gt=0, le=1)
    value: float = Field(gt=1)
    error: float | None = None

    def text(self) -> str:
        """As its source prints it.

        Example:
            >>> PublishedRejection("top vs QCD", 0.3, 1615, 93).text()
            '1615 ± 93'
        """
        return f"{self.value:g}" if self.error is None else f"{self.value:g} ± {self.error:g}"


@dataclass(frozen=True)
class Published:
    """Numbers of one tagger from one source.

    Attributes:
        model: registered name.
        source: title, year, arXiv number.
        training_jets: how many jets it was trained on.
    """

    model: str
    source: str
    training_jets: int
    note: str = ""
    accuracy: float | None = Field(default=None, gt=0, lt=1)
    auc: float | None = Field(default=None, gt=0, lt=1)
    rejections: tuple[PublishedRejection, ...] = ()

    def rejection(self, comparison: str, efficiency: float) -> PublishedRejection | None:
        """The rejection of a comparison at a signal efficiency, where it was published."""
        found = (r for r in self.rejections if r.comparison == comparison and abs(r.efficiency - efficiency) < 1e-9)
        return next(found, None)


@dataclass(frozen=True)
class Benchmark:
    """All published numbers on one sample.

    Attributes:
        dataset: in words; it is never the sample of our own jets.
        meaning: what errors and quantities are.
    """

    dataset: str
    meaning: str
    entries: tuple[Published, ...]


def benchmark(dataset: str) -> Benchmark | None:
    """What is published on the sample that a dataset's recipe follows; None where nothing is.

    Raises:
        ConfigError: the packaged file is damaged.

    Example:
        >>> benchmark("jetclass").dataset
        'the public JetClass sample, doi:10.5281/zenodo.6619768'
    """
    if dataset not in names("published"):
        return None
    return build(Benchmark, load("published", dataset), f"the published numbers of {dataset}")


def published_numbers(dataset: str, model: str) -> tuple[Published, ...]:
    """What is published for a registered tagger on the sample that a dataset's recipe follows.

    Raises:
        ConfigError: the packaged file is damaged.

    Example:
        >>> [(one.auc, one.training_jets) for one in published_numbers("top-landscape", "lorentz-net")]
        [(0.9868, 1200000)]
        >>> published_numbers("my-jets", "lorentz-net")
        ()
    """
    found = benchmark(dataset)
    return tuple(entry for entry in found.entries if entry.model == model) if found else ()
