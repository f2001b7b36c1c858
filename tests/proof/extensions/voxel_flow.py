"""A flow on the voxels of calorimeter showers, given the energy of the particle.

Source: CaloFlow: Fast and Accurate Generation of Calorimeter Showers with Normalizing Flows, 2021, arXiv:2106.05285.
"""

import math
from typing import ClassVar

import torch
from torch import Tensor

from jetkit.data.batch import Batch
from jetkit.data.spec import Needs, Spec
from jetkit.models.model import Generator
from jetkit.nn.spline_flow import SplineFlow
from jetkit.progress import Count, silent
from jetkit.registry import register

VOXELS = "voxel_energy"
FLOOR = 1e-3


@register("voxel-flow", kind="generator", tiny={"width": 8, "transforms": 2})
class VoxelFlow(Generator):
    """p(voxels | energy) of u = ln(x + δ), by a spline flow.

    Args:
        width: of the hidden layers
        transforms: length of the chain
    """

    needs: ClassVar[Needs] = Needs(row=True, arrays=(VOXELS,))

    def __init__(self, spec: Spec, *, width: int = 32, transforms: int = 4) -> None:
        super().__init__(spec)
        self.shape = spec.arrays[VOXELS]
        self.flow = SplineFlow(math.prod(self.shape), len(spec.row), transforms=transforms, width=width)

    def log_prob(self, batch: Batch) -> Tensor:
        u = (batch.arrays[VOXELS].flatten(1).clamp(min=0) + FLOOR).log()
        return self.flow.log_prob(u, batch.row) - u.sum(1)

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
        assert context is not None
        voxels = (self.flow.sample(context.row).exp() - FLOOR).clamp(min=0)
        return Batch(row=context.row, arrays={VOXELS: voxels.unflatten(1, self.shape)})
