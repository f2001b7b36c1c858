"""Area, boundary length and Euler characteristic of binary images under repeated dilation."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int

from jetkit.errors import JetkitError
from jetkit.kernels import kernel


def minkowski_functionals(
    filled: Bool[np.ndarray, "*images rows columns"], *, dilations: int = 0
) -> Int[np.ndarray, "*images dilations+1 3"]:
    """Compute (A, L, χ) of every image after k = 0 … ``dilations`` dilations.

    The k-th dilation grows each filled pixel to a square of side 2k + 1. Pixels are closed squares of side 1, so two
    that touch at a corner are connected. A union of F pixels with E edges and V vertices, each counted once, has the
    area A = F, the boundary length L = 2E − 4F and the Euler characteristic χ = V − E + F, the number of connected
    parts minus the number of holes. Dilated pixels may leave the image.

    A pixel belongs to the k-th image if a filled pixel is within k moves of a chess king. An edge or vertex belongs to
    it if one of its adjacent pixels does. The counts for all k are thus cumulative histograms of distances.

    Args:
        filled: (..., rows, columns) binary images
        dilations: largest k

    Returns:
        (..., dilations + 1, 3) integers (A, L, χ).

    Source: Morphology for Jet Classification, 2020, arXiv:2010.13469.

    Raises:
        JetkitError: there are no rows and columns, or a negative number of dilations.

    Example:
        >>> ring = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], dtype=bool)
        >>> minkowski_functionals(ring, dilations=1).tolist()
        [[8, 16, 0], [25, 20, 1]]
    """
    if filled.ndim < 2 or dilations < 0:
        raise JetkitError("Minkowski functionals need images of rows and columns, and dilations >= 0")
    images = np.ascontiguousarray(filled, dtype=np.bool_).reshape(-1, *filled.shape[-2:])
    faces, edges, vertices = np.moveaxis(_cell_counts(images, dilations), -1, 0)
    functionals = np.stack([faces, 2 * edges - 4 * faces, vertices - edges + faces], axis=-1)
    return functionals.reshape(*filled.shape[:-2], dilations + 1, 3)


@kernel
def _cell_counts(images: Bool[np.ndarray, "images rows columns"], dilations: int) -> Int[np.ndarray, "images k 3"]:
    """Count the pixels, edges and vertices of each dilated image."""
    counts = np.zeros((len(images), dilations + 2, 3), dtype=np.int64)
    for image in range(len(images)):
        # A cell first appears at the smallest distance of its adjacent pixels, so one histogram serves all k.
        d = _distances(images[image], dilations + 1)
        count = counts[image]
        for i in range(d.shape[0] - 1):
            for j in range(d.shape[1] - 1):
                right, below = min(d[i, j], d[i, j + 1]), min(d[i, j], d[i + 1, j])
                count[d[i, j], 0] += 1
                count[right, 1] += 1
                count[below, 1] += 1
                count[min(right, d[i + 1, j], d[i + 1, j + 1]), 2] += 1
        for k in range(1, dilations + 1):
            count[k] += count[k - 1]
    return counts[:, :-1]


@kernel
def _distances(filled: Bool[np.ndarray, "rows columns"], far: int) -> Int[np.ndarray, "rows+2*far columns+2*far"]:
    """Compute the king's moves to the nearest filled pixel, at most ``far``, with a margin as wide, in two sweeps."""
    rows, columns = filled.shape
    d = np.full((rows + 2 * far, columns + 2 * far), far)
    for i in range(rows):
        for j in range(columns):
            if filled[i, j]:
                d[i + far, j + far] = 0
    for i in range(1, d.shape[0] - 1):
        for j in range(1, d.shape[1] - 1):
            d[i, j] = min(d[i, j], 1 + min(d[i - 1, j - 1], d[i - 1, j], d[i - 1, j + 1], d[i, j - 1]))
    for i in range(d.shape[0] - 2, 0, -1):
        for j in range(d.shape[1] - 2, 0, -1):
            d[i, j] = min(d[i, j], 1 + min(d[i + 1, j + 1], d[i + 1, j], d[i + 1, j - 1], d[i, j + 1]))
    return d
