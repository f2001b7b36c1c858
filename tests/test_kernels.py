from __future__ import annotations

import numpy as np

from jetkit.kernels import decay, kernel


@kernel
def _decays(y: np.ndarray) -> np.ndarray:
    found = np.empty_like(y)
    for place in range(len(y)):
        found[place] = decay(y[place])
    return found


def test_decay_is_the_exponential_to_single_precision() -> None:
    y = np.concatenate([[0.0, 1e-30], np.linspace(0, 87, 1_000_001)]).astype(np.float32)
    truth = np.exp(-y.astype(np.float64))
    assert np.abs(_decays(y) / truth - 1).max() < 3e-7
    assert _decays(y[:2]).tolist() == [1, 1]


def test_decay_ends_in_zero_and_keeps_what_is_no_number() -> None:
    found = _decays(np.array([87.1, 1e38, np.inf, np.nan], np.float32))
    assert found[:3].tolist() == [0, 0, 0]
    assert np.isnan(found[3])
