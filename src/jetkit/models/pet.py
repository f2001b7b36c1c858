"""PET: a transformer on neighbourhoods that names a jet, tells its kinematics, and takes noise off its particles."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import ClassVar, cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from jetkit.data.batch import Batch, four_momenta
from jetkit.data.spec import Needs, Spec, columns
from jetkit.models.jet_generator import drawn_jets
from jetkit.models.jet_language import LOG_PT, pt_of
from jetkit.models.model import Backbone, Generator
from jetkit.nn.attention import Attention, padding_bias
from jetkit.nn.diffusion import denoised
from jetkit.nn.edge_convolution import linear_on_edges, nearest_neighbours
from jetkit.nn.packing import Packing, pad
from jetkit.nn.standardisation import Standardisation
from jetkit.nn.transformer import through
from jetkit.physics import four_vectors as fv
from jetkit.progress import Count, silent
from jetkit.registry import register

WAVES = 64
"""Numbers that tell a time."""
TYPICAL = ((6.0, 0.0, 4.0, 3.5), (1.0, 1.0, 1.0, 1.0))
"""Mean and spread of ln pT, η, ln(1 + m) and ln N, until training jets tell better ones."""


class Neighbourhood(nn.Module):
    """x_i ← mean_j M(x_i, x_j − x_i) over the neighbours j of i; 0 without any.

    M has two layers, each with GELU.

    Source: Dynamic Graph CNN for Learning on Point Clouds, 2018, arXiv:1801.07829.

    Args:
        features: length of x_i
        width: of the result; the hidden layer has twice as many
    """

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.enter = nn.Linear(2 * features, 2 * width)
        self.leave = nn.Linear(2 * width, width)

    def forward(self, x: Float[Tensor, "M F"], neighbours: Int[Tensor, "M k"]) -> Float[Tensor, "M D"]:
        """New features of the M real particles; neighbour M is none."""
        edges = linear_on_edges(x, neighbours, self.enter)
        said = F.gelu(self.leave(F.gelu(edges)))
        real = (neighbours < len(x)).unsqueeze(2).to(said.dtype)
        return (said * real).sum(1) / real.sum(1).clamp(min=1)


class ScaledBlock(nn.Module):
    """x ← x + γ₁ ⊙ MHA(LN(s)), then x ← x + γ₂ ⊙ W₂ GELU(W₁ LN(x)), where s is x unless another is given.

    Source of γ: Going deeper with Image Transformers, 2021, arXiv:2103.17239.

    Args:
        width: channels of a token
        heads: attention heads
        scale: γ at the beginning
    """

    def __init__(self, width: int, heads: int, scale: float) -> None:
        super().__init__()
        self.norm_attention = nn.LayerNorm(width)
        self.attention = Attention(width, heads, 0.0)
        self.norm_mlp = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.scale_attention = nn.Parameter(torch.full((width,), scale))
        self.scale_mlp = nn.Parameter(torch.full((width,), scale))

    def forward(
        self,
        x: Float[Tensor, "*tokens D"],
        bias: Float[Tensor, "B 1 1 K"],
        packing: Packing | None = None,
        seen: Float[Tensor, "*others D"] | None = None,
    ) -> Float[Tensor, "*tokens D"]:
        """The first N of the tokens (B, K, D) that are seen look at all of them, or all real ones (M, D) do."""
        normed = self.norm_attention(x if seen is None else seen)
        query = normed if normed.shape[1] == x.shape[1] else normed[:, : x.shape[1]]
        x = x + self.scale_attention * self.attention(query, normed, bias, packing)
        changed: Tensor = x + self.scale_mlp * self.mlp(self.norm_mlp(x))
        return changed


class TimeEmbedding(nn.Module):
    """t (sin ω_k t, cos ω_k t), ω_k from 1000 down to 0.1, through two layers without bias: 0 at time 0."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(WAVES, 2 * width, bias=False), nn.SiLU(), nn.Linear(2 * width, width, bias=False), nn.SiLU()
        )

    def forward(self, time: Float[Tensor, " B"]) -> Float[Tensor, "B D"]:
        """A vector per jet."""
        turns = time[:, None] * torch.logspace(3, -1, WAVES // 2, dtype=time.dtype, device=time.device)
        found: Tensor = self.layers(torch.cat([turns.sin(), turns.cos()], 1) * time[:, None])
        return found


class ClassEmbedding(nn.Linear):
    """A vector for each class, 0 (or a bias) where the class is not known or the data have none."""

    def __init__(self, classes: int, width: int, bias: bool = False) -> None:
        super().__init__(max(classes, 1), width, bias)


class ParticleDenoiser(nn.Module):
    """The velocity of each particle, from its token and from time, jet and class.

    Args:
        classes: C; a class that is not known is a vector of zeros
        width: channels of a token
        depth: blocks
        heads: attention heads
        scale: of the blocks at the beginning
    """

    def __init__(self, classes: int, *, width: int, depth: int, heads: int, scale: float) -> None:
        super().__init__()
        self.time = TimeEmbedding(width)
        self.jet = nn.Sequential(nn.Linear(4, width), nn.GELU())
        self.both = nn.Sequential(nn.Linear(2 * width, 2 * width), nn.GELU(), nn.Linear(2 * width, width), nn.GELU())
        self.label = ClassEmbedding(classes, width)
        self.blocks = nn.ModuleList(ScaledBlock(width, heads, scale) for _ in range(depth))
        self.leave = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 3))

    def forward(
        self,
        tokens: Float[Tensor, "B N D"],
        mask: Bool[Tensor, "B N"],
        time: Float[Tensor, " B"],
        jet: Float[Tensor, "B 4"],
        label: Float[Tensor, "B C"],
    ) -> Float[Tensor, "B N 3"]:
        """Velocities, 0 where padded."""
        known = self.both(torch.cat([self.time(time), self.jet(jet)], 1)) + self.label(label)
        bias = padding_bias(mask, tokens.dtype)
        x = known.unsqueeze(1).expand(-1, tokens.shape[1], -1)
        for block in cast(Iterable[nn.Module], self.blocks):
            x = block(x, bias, seen=x + tokens)
        velocity: Tensor = self.leave(x + tokens) * mask.unsqueeze(2)
        return velocity


class JetDenoiser(nn.Module):
    """The velocity of the four numbers of a jet, from time and class.

    Args:
        classes: C; a class that is not known is a vector of zeros
        width: channels; the hidden layers have twice as many
        depth: residual layers
        scale: of these at the beginning
    """

    def __init__(self, classes: int, *, width: int, depth: int = 2, scale: float) -> None:
        super().__init__()
        self.time = TimeEmbedding(width)
        self.label = ClassEmbedding(classes, width, bias=True)
        self.both = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU())
        self.enter = nn.Sequential(nn.Linear(4, width), nn.SiLU())
        sizes = [width, *(2 * width for _ in range(depth))]
        self.norms = nn.ModuleList(nn.LayerNorm(size) for size in sizes)
        self.shortcuts = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Linear(a, b), nn.SiLU(), nn.Linear(b, b), nn.SiLU()) for a, b in pairwise(sizes)
        )
        self.scales = nn.ParameterList(nn.Parameter(torch.full((size,), scale)) for size in sizes[1:])
        self.leave = nn.Linear(sizes[-1], 4)
        nn.init.zeros_(self.leave.weight)

    def forward(
        self, jet: Float[Tensor, "B 4"], time: Float[Tensor, " B"], label: Float[Tensor, "B C"]
    ) -> Float[Tensor, "B 4"]:
        """Velocities."""
        scale, shift = self.both(self.label(label) + self.time(time)).chunk(2, dim=1)
        x = self.enter(jet) * (1 + scale) + shift
        for norm, shortcut, layers, own in zip(self.norms, self.shortcuts, self.layers, self.scales, strict=False):
            x = norm(x)
            x = shortcut(x) + own * layers(x)
        velocity: Tensor = self.leave(self.norms[-1](x))
        return velocity


@register(
    "pet",
    kind="generator",
    paper="OmniLearn: A Method to Simultaneously Facilitate All Jet Physics Tasks, 2024, arXiv:2404.16091",
    symmetries=("permutation",),
    broken=("collinear",),
    tiny={"width": 16, "depth": 2, "heads": 2, "neighbours": 4},
)
class PET(Backbone, Generator):
    """Point-Edge Transformer: tokens from features and two neighbourhoods, blocks of attention, a class token.

    The first neighbours are those in (Δη, Δφ), the second those in what the first gave. The class token looks at
    particles that were scaled and shifted by (ln pT, η, ln(1 + m), ln N) of the jet. The same tokens, of particles with
    noise and of its time t, give the velocity by which `jetkit.nn.diffusion` draws new ln pT, Δη and Δφ of particles;
    of these particles nothing else is seen. The four numbers of a jet are drawn alike, by a network of their own.

    The original normalises over all particles of a jet and its padding at once, lets particles see the padding, and
    takes pT, m and N without logarithm; here each token is normalised by itself and padding is never seen.

    Args:
        width: channels of a token
        depth: blocks of particle attention
        class_depth: blocks of class attention
        denoise_depth: blocks that tell the velocity
        heads: attention heads
        neighbours: of a particle
        scale: factor of each block at the beginning

    Example:
        >>> from jetkit.testing import random_batch
        >>> spec = Spec.of(features=("part_pt_log", "part_deta", "part_dphi"), classes=("QCD", "top"))
        >>> model = PET(spec, width=16, depth=2, heads=2)
        >>> model(random_batch(spec, jets=3).to(dtype=torch.float32)).shape
        torch.Size([3, 16])
        >>> model.sample(None, 2, longest=9, steps=3).x.shape[2]
        3
    """

    needs: ClassVar[Needs] = Needs(p4=True)
    idle: ClassVar[bool] = True
    columns_said: list[int]
    """Places of ln pT, Δη and Δφ among the features."""
    shares: Float[Tensor, " C"]
    """Share of each class among jets to be drawn, all 0 where no class is known."""

    def __init__(
        self,
        spec: Spec,
        *,
        width: int = 128,
        depth: int = 8,
        class_depth: int = 2,
        denoise_depth: int = 2,
        heads: int = 4,
        neighbours: int = 10,
        scale: float = 1e-5,
    ) -> None:
        super().__init__(spec)
        self.width, self.neighbours = width, neighbours
        self.columns_said = columns(spec, "part_pt_log", "part_deta", "part_dphi")
        features, classes = len(spec.features), len(spec.classes)
        self.standard, self.jet_standard = Standardisation(3), Standardisation(4)
        for buffer, values in zip((self.jet_standard.mean, self.jet_standard.scale), TYPICAL, strict=True):
            buffer.copy_(torch.tensor(values))
        self.register_buffer("shares", torch.full((max(classes, 1),), 1 / max(classes, 1)))
        self.embed = nn.Sequential(nn.Linear(features, 2 * width), nn.GELU(), nn.Linear(2 * width, width), nn.GELU())
        self.time = TimeEmbedding(width)
        self.turn = nn.Sequential(nn.Linear(width, 2 * width, bias=False), nn.GELU())
        self.near = nn.ModuleList((Neighbourhood(features, width), Neighbourhood(width, width)))
        self.blocks = nn.ModuleList(ScaledBlock(width, heads, scale) for _ in range(depth))
        self.jet = nn.Sequential(nn.Linear(4, 2 * width), nn.GELU())
        self.class_blocks = nn.ModuleList(ScaledBlock(width, heads, scale) for _ in range(class_depth))
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.final_norm = nn.LayerNorm(width)
        self.encoded = width
        self.denoise = ParticleDenoiser(classes, width=width, depth=denoise_depth, heads=heads, scale=scale)
        self.denoise_jet = JetDenoiser(classes, width=width, scale=scale)

    @property
    def decoders(self) -> tuple[nn.Module, ...]:
        """What takes the noise off particles and jets, and what knows its time."""
        return (self.denoise, self.denoise_jet, self.time, self.turn)

    @property
    def stages(self) -> tuple[tuple[str, ...], ...]:
        """Embedding and neighbourhoods, blocks of particle attention, blocks of class attention."""
        blocks = [(f"blocks.{number}",) for number in range(len(self.blocks))]
        blocks += [(f"class_blocks.{number}",) for number in range(len(self.class_blocks))]
        return (("embed", "near"), *blocks[:-1], (*blocks[-1], "jet", "class_token", "final_norm"))

    def tokens(self, batch: Batch) -> Float[Tensor, "B N D"]:
        """A vector per particle."""
        return self.body(self.inputs(batch), batch.mask)

    def inputs(self, batch: Batch) -> Float[Tensor, "B N F"]:
        """Features, of which ln pT, Δη and Δφ are standardised; 0 where padded."""
        return self.with_said(batch.x, self.said(batch)) * batch.mask.unsqueeze(2)

    def said(self, batch: Batch) -> Float[Tensor, "B N 3"]:
        """Standardised ln pT, Δη and Δφ, 0 where padded."""
        found: Tensor = self.standard(batch.x[..., self.columns_said]) * batch.mask.unsqueeze(2)
        return found

    def with_said(self, x: Float[Tensor, "B N F"], said: Float[Tensor, "B N 3"]) -> Float[Tensor, "B N F"]:
        """Features with these in place of ln pT, Δη and Δφ."""
        return x.index_copy(2, torch.tensor(self.columns_said, device=x.device), said.to(x.dtype))

    def jet_numbers(self, batch: Batch) -> Float[Tensor, "B 4"]:
        """Standardised ln pT, η, ln(1 + m) and ln N of the jets."""
        found: Tensor = self.jet_standard(jet_numbers(batch).to(self.class_token.dtype))
        return found

    def body(
        self, x: Float[Tensor, "B N F"], mask: Bool[Tensor, "B N"], time: Float[Tensor, " B"] | None = None
    ) -> Float[Tensor, "B N D"]:
        """Tokens of particles, with noise of this time if one is given; 0 where padded."""
        real = x[mask]
        encoded = self.embed(real)
        if time is not None:
            turn = self.turn(self.time(time)).repeat_interleave(mask.sum(1), 0)
            scale, shift = turn.chunk(2, dim=1)
            encoded = encoded * (1 + scale) + shift
        near, points = real, real[:, self.columns_said[1:]]
        for layer in self.near:
            near = layer(near, nearest_neighbours(points, mask, self.neighbours))
            points = near
        start = pad(encoded + near, mask)
        found = through(cast(Iterable[nn.Module], self.blocks), start, mask)
        return (start + found) * mask.unsqueeze(2)

    def aggregate(self, tokens: Float[Tensor, "B N D"], batch: Batch) -> Float[Tensor, "B D"]:
        """The class token after it has looked at the particles, normalised."""
        scale, shift = self.jet(self.jet_numbers(batch)).unsqueeze(1).chunk(2, dim=2)
        x = tokens * (1 + scale) + shift
        bias = F.pad(padding_bias(batch.mask, tokens.dtype), (1, 0))
        token = self.class_token.expand(len(batch), -1, -1)
        for block in cast(Iterable[nn.Module], self.class_blocks):
            token = block(token, bias, seen=torch.cat([token, x], 1))
        encoded: Tensor = self.final_norm(token.squeeze(1))
        return encoded

    def label_vector(self, label: Int[Tensor, " B"]) -> Float[Tensor, "B C"]:
        """1 at the class, 0 at all of them where it is not known."""
        classes = max(len(self.spec.classes), 1)
        known = F.one_hot(label.clamp(min=0), classes) * (label >= 0).unsqueeze(1)
        return known.to(self.class_token.dtype)

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
        """Return new jets: class (that of the context, where there is one), the jet's four numbers, its particles."""
        device, dtype = self.class_token.device, self.class_token.dtype
        known = bool(self.spec.classes) and bool(self.shares.sum() > 0)
        label = torch.full((rows,), -1)
        if context is not None:
            label = context.label.cpu()
        elif known:
            label = torch.multinomial(self.shares, rows, replacement=True)
        vector = self.label_vector(label.to(device))
        noise = torch.randn(rows, 4, dtype=dtype, device=device)
        jet = denoised(lambda x, time: self.denoise_jet(x, time, vector), noise, steps)
        count = self.jet_standard.undone(jet)[:, 3].exp().round().clamp(1, longest)
        mask = torch.arange(int(count.max()), device=device) < count.unsqueeze(1)
        nothing = torch.zeros(*mask.shape, len(self.spec.features), dtype=dtype, device=device)

        def velocity(x: Float[Tensor, "B N 3"], time: Float[Tensor, " B"]) -> Float[Tensor, "B N 3"]:
            found: Tensor = self.denoise(self.body(self.with_said(nothing, x), mask, time), mask, time, jet, vector)
            return found

        noise = torch.randn(*mask.shape, 3, dtype=dtype, device=device) * mask.unsqueeze(2)
        found = self.standard.undone(
            denoised(velocity, noise, steps, lambda done, total: report(rows * done // total, rows))
        )
        found[..., 0] = pt_of(found[..., 0].clamp(LOG_PT.low, LOG_PT.high))
        return drawn_jets(found * mask.unsqueeze(2), mask, label if known or context is not None else None)


def jet_numbers(batch: Batch) -> Float[Tensor, "B 4"]:
    """ln pT/GeV, η, ln(1 + m/GeV) and ln N of the sums of the particles.

    Example:
        >>> p4 = torch.tensor([[[5.0, 3.0, 4.0, 0.0], [5.0, 3.0, 4.0, 0.0]]])
        >>> batch = Batch.of(x=torch.zeros(1, 2, 1), mask=torch.ones(1, 2, dtype=torch.bool), p4=p4)
        >>> jet_numbers(batch).exp().round(decimals=3)
        tensor([[10.,  1.,  1.,  2.]], dtype=torch.float64)
    """
    total = fv.total(four_momenta(batch).double(), batch.mask)
    numbers = batch.mask.sum(1).clamp(min=1).log()
    return torch.stack([fv.pt(total).log(), fv.eta(total), fv.mass(total).log1p(), numbers.to(total)], 1)
