"""A convolutional network on jet images."""

from __future__ import annotations

from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

from jetkit.data.batch import Batch
from jetkit.data.spec import Needs, Spec
from jetkit.models.model import Encoder
from jetkit.nn.mlp import mlp
from jetkit.observables.cloud_images import cloud_images
from jetkit.registry import register


@register(
    "jet-image-cnn",
    paper="Pulling Out All the Tops with Computer Vision and Deep Learning, 2018, arXiv:1803.00107",
    symmetries=("permutation", "rotation-about-beam", "soft", "collinear"),
    tiny={"pixels": 16, "widths": (8, 8, 8, 8), "f": (16,)},
)
class JetImageCNN(Encoder):
    """Convolutions of 4×4 pixels on the aligned image of a jet, two by two with pooling, then a perceptron.

    An image holds the share of ΣpT in each pixel, with the pT centroid in the middle, the principal axis upright and
    the fullest quadrant at a fixed place (`jetkit.physics.jet_images`). Convolutions keep the size of the image, each
    pooling halves it. 757,122 parameters with a head for two classes, and 609,666 with 32 pixels.

    Args:
        pixels: of the image along each axis
        half_width: of the image, in pseudorapidity and azimuth
        widths: channels of the convolutions; the maximum of 2×2 pixels is taken after every second
        f: widths of the perceptron before the last layer

    Example:
        >>> from jetkit.tasks.classify import Classify
        >>> spec = Spec.of(features=(), classes=("QCD", "top"))
        >>> Classify(JetImageCNN(spec, pixels=32), spec).size
        609666
    """

    needs = Needs(p4=True)

    def __init__(
        self,
        spec: Spec,
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
        self.encoded = f[-1]

    def encode(self, batch: Batch) -> Float[Tensor, "B D"]:
        """Last hidden layer of the perceptron."""
        image = cloud_images(batch, pixels=self.pixels, half_width=self.half_width, align=True)
        encoded: Tensor = self.f(self.convolutions(image).flatten(1))
        return encoded
