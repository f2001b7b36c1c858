"""OmniLearn: its loss is what it says, and learns to name and to draw."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from jetkit.data.batch import Batch
from jetkit.data.features import FEATURE_SETS
from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.models import PFN
from jetkit.models.pet import PET, jet_numbers
from jetkit.tasks.omni_learn import OmniLearn
from jetkit.testing import random_batch

SPEC = Spec.of(tuple(feature.name for feature in FEATURE_SETS["kinpid"]), classes=("QCD", "top"))
SIZES = {"width": 16, "depth": 1, "heads": 2, "neighbours": 3, "scale": 0.1}


def method(drop: float = 0.1) -> OmniLearn:
    torch.manual_seed(1)
    task = OmniLearn(PET(SPEC, **SIZES), SPEC, drop=drop)  # type: ignore[arg-type]
    task.prepare([batch(seed) for seed in (1, 2)])
    return task


def batch(seed: int, jets: int = 40) -> Batch:
    made = random_batch(SPEC, jets=jets, particles=(2, 9), seed=seed).to(dtype=torch.float32)
    return made.with_targets(label=torch.arange(jets) % 2)


def inputs_of(task: OmniLearn, jets: Batch, monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """What the body sees of jets with noise, and of clean ones."""
    seen, body = [], task.model.body

    def spy(x: Tensor, mask: Tensor, time: Tensor | None = None) -> Tensor:
        seen.append(x)
        return body(x, mask, time)

    with monkeypatch.context() as patch:
        patch.setattr(task.model, "body", spy)
        task.loss(jets)
    return seen


def test_prepared_numbers_have_mean_0_and_spread_1_and_classes_their_shares() -> None:
    task, both = method(), [batch(seed) for seed in (1, 2)]
    said = torch.cat([task.model.said(one)[one.mask] for one in both])
    torch.testing.assert_close(said.mean(0), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(said.std(0, unbiased=False), torch.ones(3))
    numbers = task.model.jet_standard(torch.cat([jet_numbers(one) for one in both]).float())
    torch.testing.assert_close(numbers.mean(0), torch.zeros(4), atol=1e-5, rtol=0)
    assert task.model.shares.tolist() == [0.5, 0.5]


def test_the_loss_is_the_sum_of_its_parts() -> None:
    losses = method().loss(batch(3))
    assert set(losses.parts) == {"class", "kinematics", "particles", "noisy class", "noisy kinematics", "jets"}
    assert losses.total.item() == pytest.approx(sum(value.item() for value in losses.parts.values()))


def test_jets_without_a_label_have_no_cross_entropy() -> None:
    task, jets = method(), batch(3)
    losses = task.loss(jets.with_targets(label=torch.full((40,), -1)))
    assert losses.parts["class"] == losses.parts["noisy class"] == 0
    task.prepare([jets.with_targets(label=torch.full((40,), -1))])
    assert task.model.shares.tolist() == [0, 0]


def test_noisy_particles_show_three_numbers_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    task, jets = method(drop=0.0), batch(3)
    noisy, clean = inputs_of(task, jets, monkeypatch)
    rest = [place for place in range(len(SPEC.features)) if place not in task.model.columns_said]
    assert not noisy[..., rest].any()
    assert clean[..., rest].any()


def test_features_that_not_all_data_have_are_dropped_in_training_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    task, jets = method(drop=0.5), batch(4)
    kin = [place for place, name in enumerate(SPEC.features) if name in {one.name for one in FEATURE_SETS["kin"]}]
    photon = SPEC.features.index("part_isPhoton")
    jets.x[..., photon] = jets.mask.float()
    for training in (True, False):
        clean = inputs_of(task.train(training), jets, monkeypatch)[1]
        without = (clean[..., photon] == 0).all(1)
        assert 5 <= without.sum() <= 35 if training else not without.any()
        torch.testing.assert_close(clean[..., kin], task.model.inputs(jets)[..., kin])


def test_a_few_steps_lower_every_part() -> None:
    task, jets = method(), batch(5)
    jets.x[..., 0] += 2.0 * jets.label[:, None] * jets.mask  # something to name
    task.prepare([jets])
    optimiser = torch.optim.AdamW(task.parameters(), lr=1e-2)
    torch.manual_seed(2)
    before = task.eval().predict(jets)
    for _ in range(60):
        optimiser.zero_grad()
        task.train().loss(jets).total.backward()
        optimiser.step()
    after = task.eval().predict(jets)
    for name in before:
        if name.startswith("loss"):
            assert after[name] < before[name], name
    assert after["loss class"] < 0.5


def test_another_model_or_share_is_refused() -> None:
    with pytest.raises(JetkitError, match="trains the model pet alone"):
        OmniLearn(PFN(SPEC), SPEC)
    with pytest.raises(JetkitError, match="0 <= drop < 1"):
        OmniLearn(PET(SPEC, **SIZES), SPEC, drop=1.0)  # type: ignore[arg-type]
