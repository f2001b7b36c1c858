"""L-GATr: a transformer on multivectors of spacetime that is equivariant under the Lorentz group."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from jetkit.data.batch import Batch, four_momenta
from jetkit.data.spec import Needs, Spec, columns
from jetkit.errors import require
from jetkit.models.model import Encoder
from jetkit.nn.attention import padding_bias
from jetkit.nn.grouping import length_groups
from jetkit.registry import register

UNIT = 20.0
"""GeV that count as 1."""
CACHE = 2**21
"""Bytes of a processor's cache that a table of the pairs of a group of jets, a number per multivector, should fill."""


class Tokens(NamedTuple):
    """What the network sees: the global token, the spurions, the particles."""

    multivectors: Float[Tensor, "B T 1 16"]
    """Components 1; t, x, y, z; tx, ty, tz, xy, xz, yz; four of grade 3; one of grade 4."""
    scalars: Float[Tensor, "B T S"]
    """Features of the particles, and last what marks the global token."""
    mask: Bool[Tensor, "B T"]


@register(
    "l-gatr",
    paper="A Lorentz-Equivariant Transformer for All of the LHC, 2024, arXiv:2411.00446",
    symmetries=("permutation", "rotation-about-beam"),
    broken=("collinear", "boost-along-beam", "lorentz"),
    tiny={"multivectors": 2, "width": 8, "depth": 2, "heads": 2},
)
class LGATr(Encoder):
    """Tokens of 16 multivectors and 32 scalars through blocks of attention and geometric products.

    The tokens are a global one, from which the class is read; two spurions, the plane across the beam (the bivector xy)
    and the time (1, 0, 0, 0); and the particles, p/20 GeV. Attention compares queries and keys by their Lorentz
    products; the perceptron multiplies multivectors. The output is invariant under every proper Lorentz transformation
    of particles and spurions together. The blocks are those of the package ``lgatr``.

    The global token's scalars, pseudoscalars and scalar channels are what it encodes; a head combines them to a logit
    per class: 65 C parameters for C classes. The package's last layer has 226 for the paper's single output, of which
    161 do not reach its scalar part, and its first has 64 for scalar parts of the tokens' multivectors, which are 0;
    both are left out. So with a head for two classes it has 1,076,866 parameters, and the paper's network 1,077,026.

    Source: also Lorentz-Equivariant Geometric Algebra Transformers for High-Energy Physics, 2024, arXiv:2405.14806.

    Args:
        multivectors: channels of multivectors of a token
        width: channels of scalars of a token
        depth: number of blocks
        heads: attention heads
        spurions: whether the plane across the beam and the time are tokens; they leave only rotations about the beam
        scalars: names of features that are scalars of a particle (none: four-momenta alone)

    Raises:
        JetkitError: lgatr is not installed, or a feature is not in the spec.

    Example:
        >>> from jetkit.tasks.classify import Classify
        >>> spec = Spec.of(features=("part_deta", "part_dphi"), classes=("QCD", "top"))
        >>> Classify(LGATr(spec), spec).size
        1076866
    """

    needs = Needs(p4=True)

    def __init__(
        self,
        spec: Spec,
        *,
        multivectors: int = 16,
        width: int = 32,
        depth: int = 12,
        heads: int = 8,
        spurions: bool = True,
        scalars: tuple[str, ...] = (),
    ) -> None:
        super().__init__(spec)
        self.spurions = spurions
        self._scalars = columns(spec, *scalars)
        net = _network(multivectors, len(scalars) + 1, width, depth, heads)
        self.multivectors = multivectors
        self.embed, self.blocks = net.linear_in, net.blocks
        self.embed.mvs2s = self.embed.s2s = None
        self.embed_scalars = nn.Linear(len(scalars) + 1, width)
        self.encoded = 2 * multivectors + width

    def encode(self, batch: Batch) -> Float[Tensor, "B D"]:
        """Scalars, pseudoscalars and scalar channels of the global token after all blocks."""
        tokens = self.tokens(batch)
        _load_tables(tokens.multivectors)
        bias = padding_bias(tokens.mask, tokens.multivectors.dtype)
        groups, found = [], []
        for rows, n in length_groups(tokens.mask, self.multivectors, 4, CACHE):
            s = tokens.scalars[rows, :n]
            mv, _ = self.embed(tokens.multivectors[rows, :n], scalars=s)
            s = self.embed_scalars(s)
            for block in self.blocks:
                mv, s = block(mv, scalars=s, attn_mask=bias[rows, ..., :n])
            groups.append(rows)
            found.append(torch.cat([mv[:, 0, :, 0], mv[:, 0, :, -1], s[:, 0]], -1))
        return torch.cat(found)[torch.cat(groups).argsort()]

    def tokens(self, batch: Batch) -> Tokens:
        """The global token, the spurions where there are any, and the particles (0 where padded)."""
        padded = ~batch.mask.unsqueeze(-1)
        p4 = four_momenta(batch).masked_fill(padded, 0) / UNIT
        features = batch.x[..., self._scalars].masked_fill(padded, 0)
        ahead = p4.new_zeros(len(p4), 3 if self.spurions else 1, 16)
        if self.spurions:
            ahead[:, 1, 8] = 1  # the plane xy
            ahead[:, 2, 1] = 1  # the time
        count = ahead.shape[1]
        scalars = F.pad(features, (0, 1, count, 0))
        scalars[:, 0, -1] = 1
        vectors = torch.cat([ahead, F.pad(p4, (1, 11))], 1)
        return Tokens(vectors.unsqueeze(2), scalars, F.pad(batch.mask, (count, 0), value=True))


def _network(multivectors: int, scalars: int, width: int, depth: int, heads: int) -> Any:
    """The network of the package; its constants, which no file holds, are there even on a device without memory.

    Raises:
        JetkitError: lgatr is not installed.
    """
    with torch.device("cpu"):  # for the tables that the package reads when it is first imported
        lgatr = require("lgatr")
        norm = require("lgatr.layers").EquiLayerNorm(1, 1, elementwise_affine=True)
    net = lgatr.LGATr(
        in_mv_channels=1,
        out_mv_channels=1,
        hidden_mv_channels=multivectors,
        in_s_channels=scalars,
        out_s_channels=0,
        hidden_s_channels=width,
        num_blocks=depth,
        attention={"num_heads": heads, "attn_ratio": 2, "head_scale": True},
        mlp={"mlp_ratio": 2},
        primitives={"sparse_gp": False},  # the same product, by a matrix
    )
    for module in net.modules():
        for name, constant in module.named_buffers(recurse=False):
            if constant.is_meta:
                setattr(module, name, norm.get_buffer(name).clone())
    return net


def _load_tables(like: Tensor) -> None:
    """Have the package make its tables for this device and precision: made within an inference, none could train."""
    with torch.inference_mode(False):
        require("lgatr.primitives.compile").warmup_caches(like.device, like.dtype)
