"""A perceptron on the Minkowski functionals of a jet image and its two-point energy correlations."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from jetkit.data.batch import Batch, four_momenta, ragged_momenta
from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.models.observable_network import ObservableNetwork
from jetkit.nn.mlp import mlp
from jetkit.observables.cloud_images import cloud_images
from jetkit.physics import four_vectors as fv
from jetkit.physics.minkowski_functionals import minkowski_functionals
from jetkit.physics.two_point_spectrum import two_point_spectrum
from jetkit.registry import register


@register(
    "morphology",
    paper="Morphology for Jet Classification, 2020, arXiv:2010.13469",
    symmetries=("permutation", "rotation-about-beam", "collinear"),
    broken=("soft",),
    tiny={"pixels": 16, "thresholds": (0.0, 2.0), "dilations": 2, "bins": 8, "f": (32, 16)},
)
class Morphology(ObservableNetwork):
    """A perceptron on the geometry of a jet and the angles at which its momentum is.

    Geometry: area, boundary length and Euler characteristic of the pixels whose pT exceeds a threshold, after k = 0 …
    ``dilations`` dilations (`jetkit.physics.minkowski_functionals`), for every threshold. A particle of any pT switches
    a pixel on where the threshold is 0: these numbers generalise the multiplicity. Angles: the spectrum S₂(R) of all
    pairs, up to the width of the image, which is infrared and collinear safe.

    The sizes are not the paper's. 30,210 parameters with a head for two classes.

    Args:
        pixels: of the image along each axis
        half_width: of the image, in pseudorapidity and azimuth
        thresholds: on the pT of a pixel, in GeV
        dilations: most steps, a pixel in all directions each
        bins: of the spectrum
        f: widths of the perceptron before the last layer

    Example:
        >>> model = Morphology(Spec.of(features=(), classes=("QCD", "top")))
        >>> model.f[0]
        Linear(in_features=104, out_features=128, bias=True)
    """

    def __init__(
        self,
        spec: Spec,
        *,
        pixels: int = 32,
        half_width: float = 0.8,
        thresholds: tuple[float, ...] = (0.0, 1.0, 2.0, 4.0),
        dilations: int = 6,
        bins: int = 20,
        f: tuple[int, ...] = (128, 128),
    ) -> None:
        if min(thresholds, default=-1.0) < 0:
            raise JetkitError(f"morphology needs a threshold or more in GeV, none of them negative, got {thresholds}")
        numbers = 3 * len(thresholds) * (dilations + 1) + bins
        super().__init__(spec, observables=numbers, f=mlp([numbers, *f]), width=f[-1], eps=1e-6)
        self.pixels, self.half_width = pixels, half_width
        self.thresholds, self.dilations, self.bins = thresholds, dilations, bins

    def observables(self, batch: Batch) -> Float[Tensor, "B D"]:
        """Functionals, then the spectrum."""
        return torch.cat([self.functionals(batch).flatten(1), self.spectrum(batch)], 1)

    def functionals(self, batch: Batch) -> Float[Tensor, "B thresholds dilations+1 3"]:
        """Minkowski functionals of the pixels above each threshold."""
        exact = batch.with_cloud(p4=four_momenta(batch).detach().double())
        pt = (fv.pt(four_momenta(exact)) * batch.mask).sum(1)
        images = cloud_images(exact, pixels=self.pixels, half_width=self.half_width, align=False)
        above = images * pt[:, None, None, None] > images.new_tensor(self.thresholds)[:, None, None]
        table = minkowski_functionals(above.cpu().numpy(), dilations=self.dilations)
        return torch.from_numpy(table).to(batch.x)

    def spectrum(self, batch: Batch) -> Float[Tensor, "B bins"]:
        """Two-point spectrum up to R = 2 half_width."""
        width = 2 * self.half_width / self.bins
        return torch.from_numpy(two_point_spectrum(*ragged_momenta(batch), bins=self.bins, width=width)).to(batch.x)
