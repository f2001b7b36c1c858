"""Lloyd's algorithm and the nearest centre."""

from __future__ import annotations

import pytest
import torch

from jetkit.nn import clusters
from jetkit.nn.clusters import k_means, nearest


def test_k_means_finds_tight_clusters_and_their_means() -> None:
    torch.manual_seed(7)
    truth = torch.tensor([[0.0, 0.0], [5.0, 0.0], [0.0, 5.0], [5.0, 5.0]])
    points = truth.repeat(200, 1) + 0.01 * torch.randn(800, 2)
    centres = k_means(points, 4)
    found = nearest(truth, centres)
    assert sorted(found.tolist()) == [0, 1, 2, 3]
    torch.testing.assert_close(centres[found], truth, rtol=0, atol=0.005)
    share = torch.bincount(nearest(points, centres)) / 800
    assert torch.special.entr(share).sum().exp().item() == pytest.approx(4)


def test_the_nearest_is_found_part_by_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "AT_ONCE", 100)
    generator = torch.Generator().manual_seed(1)
    points, centres = (torch.randn(count, 3, generator=generator, dtype=torch.float64) for count in (95, 30))
    slow = [min(range(30), key=lambda k, row=row: float((row - centres[k]).square().sum())) for row in points]
    assert nearest(points, centres).tolist() == slow
