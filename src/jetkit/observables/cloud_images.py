"""Jet images of a batch, as the first layer of a convolutional network takes them."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from jetkit.data.batch import Batch, four_momenta, ragged_momenta
from jetkit.physics.jet_images import jet_images


def cloud_images(batch: Batch, *, pixels: int, half_width: float, align: bool) -> Float[Tensor, "B 1 pixels pixels"]:
    """Share of ΣpT in each pixel, see `jet_images`; of one channel, and of the type and device of the momenta.

    Computed in double precision on the processor, and without a gradient.

    Raises:
        JetkitError: the batch has no four-momenta, or the pixels or the width are not positive.

    Example:
        >>> p4 = torch.tensor([[[5.0, 3.0, 4.0, 0.0], [5.0, 3.0, -4.0, 0.0]]])
        >>> batch = Batch.of(x=torch.zeros(1, 2, 0), mask=torch.ones(1, 2, dtype=torch.bool), p4=p4)
        >>> cloud_images(batch, pixels=4, half_width=2.0, align=False)[0, 0, 2]
        tensor([0.0000, 0.5000, 0.5000, 0.0000])
    """
    images = jet_images(*ragged_momenta(batch), pixels=pixels, half_width=half_width, align=align)
    return torch.from_numpy(images).unsqueeze(1).to(four_momenta(batch))
