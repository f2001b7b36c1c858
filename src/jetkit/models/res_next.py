"""ResNeXt-50 on jet images: a deep residual network with grouped convolutions."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from jetkit.data.batch import Batch, four_momenta
from jetkit.data.spec import Needs, Spec
from jetkit.models.model import Encoder
from jetkit.observables.cloud_images import cloud_images
from jetkit.physics.four_vectors import pt
from jetkit.registry import register


def convolution(features: int, width: int, size: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Convolution without bias that keeps the size of the image up to the stride, and batch normalisation."""
    layer = nn.Conv2d(features, width, size, stride, padding=size // 2, groups=groups, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(width))


class Bottleneck(nn.Module):
    """x ← ReLU(S(x) + C₃(ReLU(C₂(ReLU(C₁(x)))))), C₂ of 3×3 pixels in groups of channels, C₁ and C₃ of one pixel.

    Each C ends with a batch normalisation. S is C of one pixel in the first block of a stage, else the identity.

    Source: Aggregated Residual Transformations for Deep Neural Networks, 2016, arXiv:1611.05431.

    Args:
        features: channels of the input
        width: channels of the output; C₁ and C₂ have half as many
        groups: groups of channels that C₂ keeps apart
        stride: step of C₂
        first: whether it is the first block of its stage

    Example:
        >>> Bottleneck(8, 16, groups=4, stride=2, first=True)(torch.randn(2, 8, 6, 6)).shape
        torch.Size([2, 16, 3, 3])
    """

    def __init__(self, features: int, width: int, groups: int, stride: int, *, first: bool) -> None:
        super().__init__()
        inner = width // 2
        self.reduce = convolution(features, inner, 1)
        self.grouped = convolution(inner, inner, 3, stride, groups)
        self.expand = convolution(inner, width, 1)
        self.shortcut = convolution(features, width, 1, stride) if first else nn.Identity()

    def forward(self, x: Float[Tensor, "B D H W"]) -> Float[Tensor, "B width H2 W2"]:
        """Channels after the block."""
        y = F.relu(self.grouped(F.relu(self.reduce(x))))
        return F.relu(self.shortcut(x) + self.expand(y))


@register(
    "res-next",
    paper="ParticleNet: Jet Tagging via Particle Clouds, 2019, arXiv:1902.08570",
    symmetries=("permutation", "rotation-about-beam", "soft", "collinear"),
    tiny={"pixels": 32, "stem": 8, "widths": (16, 32), "depths": (1, 1), "groups": 4, "dropout": 0.0},
)
class ResNeXt(Encoder):
    """ResNeXt-50 (32×4d) with a quarter of the channels in all convolutions but the first, on ΣpT in GeV of each pixel.

    The image has the pT centroid of the jet in its middle and is neither turned nor mirrored. The first convolution and
    the pooling after it, and the first block of each stage but the first, halve its size; at the end is the mean over
    all pixels. 1,457,314 parameters with a head for two classes.

    Args:
        pixels: of the image along each axis
        half_width: of the image, in pseudorapidity and azimuth
        stem: channels of the first convolution
        widths: channels of the blocks of each stage
        depths: number of blocks of each stage
        groups: groups of channels in the middle of a block
        dropout: before the last layer

    Example:
        >>> from jetkit.tasks.classify import Classify
        >>> spec = Spec.of(features=(), classes=("QCD", "top"))
        >>> Classify(ResNeXt(spec), spec).size
        1457314
    """

    needs = Needs(p4=True)

    def __init__(
        self,
        spec: Spec,
        *,
        pixels: int = 64,
        half_width: float = 0.8,
        stem: int = 64,
        widths: tuple[int, ...] = (64, 128, 256, 512),
        depths: tuple[int, ...] = (3, 4, 6, 3),
        groups: int = 32,
        dropout: float = 0.5,
    ) -> None:
        super().__init__(spec)
        self.pixels, self.half_width = pixels, half_width
        self.stem = nn.Sequential(convolution(1, stem, 7, stride=2), nn.ReLU(), nn.MaxPool2d(3, 2, padding=1))
        blocks: list[nn.Module] = []
        features = stem
        for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            blocks.append(Bottleneck(features, width, groups, stride=2 if stage else 1, first=True))
            blocks += [Bottleneck(width, width, groups, stride=1, first=False) for _ in range(depth - 1)]
            features = width
        self.blocks = nn.Sequential(*blocks)
        self.dropout = nn.Dropout(dropout)
        self.encoded = features

    def encode(self, batch: Batch) -> Float[Tensor, "B D"]:
        """Mean of the last channels over the pixels."""
        share = cloud_images(batch, pixels=self.pixels, half_width=self.half_width, align=False)
        momentum = (pt(four_momenta(batch)) * batch.mask).sum(1)
        x = self.stem(share * momentum[:, None, None, None])
        x = self.blocks(x.contiguous(memory_format=torch.channels_last))  # faster than channels first
        encoded: Tensor = self.dropout(x.mean((2, 3)))
        return encoded
