"""A convolutional network on jet images."""

from __future__ import annotations

from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

from jetkit.data.cloud import Cloud, CloudSpec
from jetkit.models.cloud_images import cloud_images
from jetkit.models.tagger import Tagger
from jetkit.nn.mlp import mlp
from jetkit.registry import register


@register(
    "jet-image-cnn",
    paper="Pulling Out All the Tops with Computer Vision and Deep Learning, 2018, arXiv:1803.00107",
    symmetries=("permutation", "rotation-about-beam", "soft", "collinear"),
    tiny={"pixels": 16, "widths": (8, 8, 8, 8), "f": (16,)},
)
class JetImageCNN(Tagger):
    """Convolutions of 4×4 pixels on the aligned image of a jet, two by two with pooling, then a perceptron.

    An image holds the share of ΣpT in each pixel, with the pT centroid in the middle, the principal axis upright and
    the fullest quadrant at a fixed place (`jetkit.physics.jet_images`). Convolutions keep the size of the image, each
    pooling halves it. 757,122 parameters with two classes, and 609,666 with 32 pixels.

    Args:
        pixels: of the image along each axis
        half_width: of the image, in pseudorapidity and azimuth
        widths: channels of the convolutions; the maximum of 2×2 pixels is taken after every second
        f: widths of the perceptron before the last layer

    Example:
        >>> model = JetImageCNN(CloudSpec(features=(), classes=("QCD", "top")), pixels=32)
        >>> sum(weight.numel() for weight in model.parameters())
        609666
    """

    def __init__(
        self,
        spec: CloudSpec,
        *,
        pixels: int = 40,
        half_width: float = 0.8,
        widths: tuple[int, ...] = (128, 64, 64, 64),
        f: tuple[int, ...] = (64, 256, 256),
    ) -> None:
        super().__init__(spec)
        self.pixels, self.half_width = pixels, half_width
        layers: list[nn.Module] = []
        for number, (a, b) in enumerate(pairwise([1, *widths])):
            layers += [nn.ZeroPad2d((1, 2, 1, 2)), nn.Conv2d(a, b, 4), nn.ReLU()]
            if number % 2:
                layers.append(nn.MaxPool2d(2))
        self.convolutions = nn.Sequential(*layers)
        side = pixels >> len(widths) // 2
        self.f = mlp([widths[-1] * side**2, *f])
        self.head = nn.Linear(f[-1], len(spec.classes))

    def encode(self, cloud: Cloud) -> Float[Tensor, "B D"]:
        """Last hidden layer of the perceptron."""
        image = cloud_images(cloud, pixels=self.pixels, half_width=self.half_width, align=True)
        encoded: Tensor = self.f(self.convolutions(image).flatten(1))
        return encoded
