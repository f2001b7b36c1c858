"""Neural spline flow: a density of the features of the row."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from jetkit.data.batch import Batch
from jetkit.data.spec import Needs, Spec
from jetkit.errors import JetkitError
from jetkit.models.model import Generator
from jetkit.nn.spline_flow import SplineFlow
from jetkit.nn.standardisation import Standardisation
from jetkit.progress import Count, silent
from jetkit.registry import register


@register(
    "nsf",
    kind="generator",
    paper="Neural Spline Flows, 2019, arXiv:1906.04032",
    tiny={"transforms": 2, "width": 8, "bins": 4},
)
class NSF(Generator):
    """p(row) of the standardised features of the row, by coupling transforms of rational-quadratic splines.

    Args:
        transforms: length of the chain
        width: of the two hidden layers of each perceptron
        bins: of a spline

    Raises:
        JetkitError: the data have fewer than two features of the row.

    Example:
        >>> model = NSF(Spec(row=("event_mj1", "event_tau21_j1")), transforms=2, width=8)
        >>> model.log_prob(Batch(row=torch.zeros(3, 2))).shape, model.sample(None, 5).row.shape
        (torch.Size([3]), torch.Size([5, 2]))
    """

    needs: ClassVar[Needs] = Needs(row=True)

    def __init__(self, spec: Spec, *, transforms: int = 6, width: int = 64, bins: int = 8) -> None:
        super().__init__(spec)
        if len(spec.row) < 2:
            raise JetkitError(f"nsf needs two features of the row or more, the data have {len(spec.row)}")
        self.standard = Standardisation(len(spec.row))
        self.flow = SplineFlow(len(spec.row), 0, transforms=transforms, width=width, bins=bins)

    @torch.no_grad()
    def begin(self, batches: Iterable[Batch]) -> None:
        """Standardise the features over these rows."""
        self.standard.fit(torch.cat([batch.row for batch in batches]).to(self.standard.mean))

    def log_prob(self, batch: Batch) -> Float[Tensor, " B"]:
        """Return ln p of each row, in the units of its features."""
        x = self.standard(batch.row)
        return self.flow.log_prob(x, x.new_zeros(x.shape[0], 0)) - self.standard.scale.log().sum()

    @torch.no_grad()
    def sample(
        self,
        context: Batch | None,
        rows: int,
        *,
        longest: int = 128,
        steps: int = 100,
        report: Count = silent,
    ) -> Batch:
        """Return new rows."""
        given = self.standard.mean.new_zeros(rows, 0)
        return Batch(row=self.standard.undone(self.flow.sample(given)))
