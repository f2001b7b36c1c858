"""Energy flow network that does not see how a jet is turned about its axis."""

from __future__ import annotations

import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn

from jetkit.data.batch import Batch, momentum_fractions
from jetkit.data.spec import Needs, Spec, columns
from jetkit.errors import JetkitError
from jetkit.models.model import Encoder
from jetkit.nn.mlp import mlp
from jetkit.registry import register


@register(
    "so2-efn",
    paper="Particle Convolution for High Energy Physics, 2021, arXiv:2107.02908",
    symmetries=("permutation", "soft", "collinear"),
    tiny={"orders": 3, "channels": 4, "radial": (16,), "f": (16,)},
)
class SO2EFN(Encoder):
    """F of the invariants of the moments c_mk = Σ_i z_i R_mk(r_i) e^{imθ_i}, with z = pT/Σ pT.

    (r, θ) are polar coordinates of (``part_deta``, ``part_dphi``); the R_mk are learned, of ½ ln(1 + r²/δ²). A rotation
    by α about the jet axis multiplies c_mk by e^{imα}. It leaves alone, and F sees, normalised over the jets,

    - c_0k,
    - the power and cross spectra c_mk c*_ml for k ≤ l and m > 0,
    - the bispectra c_mk c_nk c*_(m+n)k for 0 < m ≤ n, which tell how the orders lie to each other.

    The moments are linear in z: infrared and collinear safe. A reflection conjugates them, so that the real parts alone
    are invariant under O(2). In place of e^{iθ} stands (Δη + i Δφ)/√(r² + δ²), so that nothing jumps at the axis. The
    paper has this symmetry from a convolution over the group; moments and sizes are jetkit's. 83,102 parameters with a
    head for two classes.

    Args:
        orders: largest m
        channels: number of radial functions for each m
        radial: widths of the hidden layers of R
        f: widths of F before the last layer
        reflections: whether reflections are a symmetry too
        angle: δ in radians

    Raises:
        JetkitError: orders < 2, which know no bispectrum.

    Example:
        >>> from jetkit.tasks.classify import Classify
        >>> spec = Spec.of(features=("part_deta", "part_dphi"), classes=("QCD", "top"))
        >>> Classify(SO2EFN(spec), spec).size
        83102
    """

    needs = Needs(p4=True)

    def __init__(
        self,
        spec: Spec,
        *,
        orders: int = 6,
        channels: int = 8,
        radial: tuple[int, ...] = (64, 64),
        f: tuple[int, ...] = (100, 100, 100),
        reflections: bool = False,
        angle: float = 0.01,
    ) -> None:
        super().__init__(spec)
        if orders < 2:
            raise JetkitError(f"so2-efn needs orders >= 2, got {orders}")
        self._direction = columns(spec, "part_deta", "part_dphi")
        self.orders, self.channels, self.reflections, self.angle = orders, channels, reflections, angle
        self.radial = nn.Sequential(*mlp([1, *radial]), nn.Linear(radial[-1], (1 + orders) * channels))
        self._triples = [(m, n, m + n) for m in range(1, orders) for n in range(m, orders - m + 1)]
        squares = channels * (channels + 1) // 2 if reflections else channels**2
        bispectra = len(self._triples) * channels * (1 if reflections else 2)
        count = channels + orders * squares + bispectra
        self.norm = nn.BatchNorm1d(count, eps=1e-8)  # bispectra vary by no more than some 1e-4
        self.f = mlp([count, *f])
        self.encoded = f[-1]

    def encode(self, batch: Batch) -> Float[Tensor, "B D"]:
        """F of the invariants."""
        encoded: Tensor = self.f(self.norm(self.invariants(self.moments(batch))))
        return encoded

    def moments(self, batch: Batch) -> Complex[Tensor, "B orders+1 channels"]:
        """c_mk = Σ_i z_i R_mk(r_i) e^{imθ_i}."""
        x, y = batch.x[..., self._direction].unbind(-1)
        r2 = x**2 + y**2
        scale = 0.5 * torch.log1p(r2 / self.angle**2).unsqueeze(-1)
        radial = self.radial(scale).unflatten(-1, (1 + self.orders, self.channels))
        phase = torch.complex(x, y) / (r2 + self.angle**2).sqrt()
        turns = torch.stack([torch.ones_like(phase), *(phase**m for m in range(1, 1 + self.orders))], -1)
        weight = torch.view_as_real(turns * momentum_fractions(batch).to(x.dtype).unsqueeze(-1))
        # b: jet, n: particle, m: order, k: channel, c: real and imaginary part
        return torch.view_as_complex(torch.einsum("bnmc,bnmk->bmkc", weight, radial.to(x.dtype)).contiguous())

    def invariants(self, moments: Complex[Tensor, "B orders+1 channels"]) -> Float[Tensor, "B invariants"]:
        """What a rotation of all moments leaves alone; with ``reflections`` the real parts."""
        c = moments[:, 1:]
        first, second = torch.triu_indices(self.channels, self.channels, device=c.device)
        spectra = c[..., first] * c[..., second].conj()
        m, n, total = (moments[:, list(orders)] for orders in zip(*self._triples, strict=True))
        bispectra = m * n * total.conj()
        parts = [moments[:, 0].real, spectra.real, bispectra.real]
        if not self.reflections:
            parts += [spectra[..., first < second].imag, bispectra.imag]
        return torch.cat([part.flatten(1) for part in parts], 1)
