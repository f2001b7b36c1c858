from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from jetkit.data.batch import Batch
from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.models.lda import LDA
from jetkit.testing import random_batch

SPEC = Spec.of(features=(), classes=("QCD", "top"))


def cloud_of(*jets):
    """Jets of massless particles given as (pt, y, φ)."""
    most = max(map(len, jets))
    mask = torch.tensor([[place < len(jet) for place in range(most)] for jet in jets])
    p4 = torch.full((len(jets), most, 4), 7.0, dtype=torch.float64)
    for row, jet in enumerate(jets):
        for place, (pt, y, phi) in enumerate(jet):
            p4[row, place] = pt * torch.tensor([math.cosh(y), math.cos(phi), math.sin(phi), math.sinh(y)]).double()
    return Batch.of(x=torch.zeros(len(jets), most, 0, dtype=torch.float64), mask=mask, p4=p4)


def test_words_of_a_jet_by_hand():
    """A pair of mass 2 sinh(0.15305) √(100·300) = 53.2 GeV, alone and as the heavier branch of a jet of 179.1 GeV."""
    pair = [(100.0, 0.0, 0.0), (300.0, 0.3061, 0.0)]
    words, mask = LDA(SPEC).words(cloud_of([*pair, (200.0, -0.35, 0.0)], pair, [(400.0, 0.0, 0.0)]))
    energy, pz = 100 + 300 * math.cosh(0.3061), 300 * math.sinh(0.3061)
    whole = math.sqrt((energy + 200 * math.cosh(0.35)) ** 2 - (pz - 200 * math.sinh(0.35)) ** 2 - 600**2)
    distance = (200 * (math.atanh(pz / energy) + 0.35) / whole) ** 2
    assert (whole, 53.2254 / whole, distance) == pytest.approx((179.098, 0.297, 0.418), abs=1e-3)
    found = sorted(np.unravel_index(word, (18, 20, 10, 10, 20)) for word in words[0].tolist())
    assert [tuple(map(int, word)) for word in found] == [(2, 0, 0, 3, 18), (14, 5, 0, 4, 10)]
    assert np.unravel_index(int(words[1, 0]), (18, 20, 10, 10, 20)) == (2, 0, 0, 3, 10)
    assert mask.tolist() == [[True, True], [True, False], [False, False]]


@pytest.mark.parametrize(("mass", "place"), [(39.9, 0), (40.1, 1), (199.0, 16), (201.0, 17), (2000.0, 17)])
def test_masses_above_the_last_bin_share_one(mass, place):
    pt = mass / (2 * math.sinh(0.1))
    words, _ = LDA(SPEC).words(cloud_of([(pt, 0.1, 0.0), (pt, -0.1, 0.0)]))
    assert np.unravel_index(int(words[0, 0]), (18, 20, 10, 10, 20))[0] == place


def test_jets_without_words_have_equal_shares():
    model = LDA(SPEC).double()
    assert model.shares(cloud_of([(400.0, 0.0, 0.0)], [(9.0, 0.0, 0.0), (9.0, 0.1, 0.0)])).tolist() == [[0, 0], [0, 0]]


def test_new_model_gives_equal_probabilities():
    batch = random_batch(Spec.of(("part_deta",), classes=("QCD", "top"))).to(dtype=torch.float32)
    assert (LDA(SPEC)(batch) == 0).all()


def test_size_is_that_of_the_words_that_are_known():
    model = LDA(SPEC, topics=3)
    model.topics.know(torch.tensor([5, 700]), torch.zeros(3, 2))
    assert model.size == 3 * 2 + 3 * 2 + 2


@pytest.mark.parametrize(
    "values", [{"topics": 1}, {"masses": (50.0, 50.0)}, {"bins": (1, 1, 0, 1, 1)}, {"alpha": 0.0}, {"rounds": 0}]
)
def test_impossible_sizes_are_refused(values):
    with pytest.raises(JetkitError, match="lda needs topics >= 2, rising masses"):
        LDA(SPEC, **values)
