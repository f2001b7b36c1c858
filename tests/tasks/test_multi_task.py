"""Several targets at once: the loss of a slow twin, what is unknown or padded, and which head learns from what."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from jetkit.data.batch import Batch
from jetkit.data.spec import Spec, TargetSpec
from jetkit.errors import JetkitError
from jetkit.models import EFN, PFN, ParT
from jetkit.tasks.multi_task import MultiTask
from jetkit.testing import random_batch

TARGETS = {
    "label": TargetSpec("class", classes=("QCD", "W", "top")),
    "jet_mass": TargetSpec("real"),
    "jet_tagged": TargetSpec("flag"),
    "part_origin": TargetSpec("class", "part", ("light", "charm", "bottom")),
    "part_energy": TargetSpec("real", "part"),
    "part_real": TargetSpec("flag", "part"),
    "part_vertex": TargetSpec("index", "part"),
}
SPEC = replace(Spec.of(("part_pt_log", "part_deta", "part_dphi")), targets=TARGETS)
SIZES: dict[str, Any] = {"phi": (8, 8), "f": (8,)}


def jets(count: int = 9, seed: int = 2) -> Batch:
    """Jets with all targets, of which some are unknown, and weights of both signs."""
    batch = random_batch(SPEC, jets=count, particles=(1, 7), seed=seed).to(dtype=torch.float32)
    random = torch.Generator().manual_seed(seed)
    parts = dict(batch.cloud.targets)
    for name in ("part_origin", "part_vertex"):
        parts[name] = parts[name].masked_fill(torch.rand(parts[name].shape, generator=random) < 0.3, -1)
    parts["part_energy"] = parts["part_energy"].masked_fill(
        torch.rand(batch.mask.shape, generator=random) < 0.3, math.nan
    )
    parts["part_vertex"][0] = -1  # a jet in which no vertex is known
    batch = batch.with_cloud(targets=parts).with_targets(
        jet_mass=(80 + 10 * batch.targets["jet_mass"]).index_fill(0, torch.tensor([1]), math.nan),
        label=batch.label.index_fill(0, torch.tensor([2]), -1),
    )
    return batch.replace(weight=torch.rand(count, generator=random) - 0.2)


def made(*targets: str, spec: Spec = SPEC, **options: Any) -> MultiTask:
    torch.manual_seed(5)
    return MultiTask(PFN(spec, **SIZES), spec, targets=targets or tuple(spec.targets), **options)


def slow_each(kind: str, said: Any, true: Any) -> float:
    if kind == "class":
        return float(np.log(np.exp(said).sum()) - said[int(true)])
    if kind == "real":
        away = abs(said[0] - true)
        return float(away**2 / 2 if away < 1 else away - 0.5)
    return float(np.log1p(np.exp(-said[0] if true else said[0])))


def slow_part(task: MultiTask, name: str, batch: Batch) -> float:
    """Σ w ℓ/Σ |w| over the rows in which something is known, ℓ the mean over what is known in the row."""
    one, said = task.kinds[name], task.outcomes(batch)[name].detach().double().numpy()
    total = norm = 0.0
    for row in range(len(batch)):
        true = (batch.cloud.targets if one.of else batch.targets)[name][row].numpy()
        places = [i for i in range(len(batch.mask[row])) if batch.mask[row, i]] if one.of else [()]
        known = [i for i in places if np.isfinite(true[i]) and (one.kind in ("real", "flag") or true[i] >= 0)]
        if one.kind == "index":
            each = [slow_each("flag", [said[row, i, j]], true[i] == true[j]) for i in known for j in known if i < j]
        elif one.kind == "real":
            mean, scale = (float(value) for value in (task.standards[name].mean, task.standards[name].scale))
            each = [slow_each("real", said[row][i], (true[i] - mean) / scale) for i in known]
        else:
            each = [slow_each(one.kind, said[row][i], true[i]) for i in known]
        if each:
            total += float(batch.weight[row]) * sum(each) / len(each)
            norm += abs(float(batch.weight[row]))
    return total / norm


@pytest.mark.parametrize("name", TARGETS)
def test_the_loss_of_each_target_is_that_of_a_slow_twin(name: str) -> None:
    task, batch = made(name), jets()
    task.prepare([batch])
    assert task.loss(batch).total.item() == pytest.approx(slow_part(task, name, batch), rel=1e-4)


def test_the_total_is_the_weighted_sum_of_the_parts() -> None:
    weights = (1.0, 0.5, 2.0, 0.25, 3.0, 0.0, 1.5)
    task, batch = made(weights=weights), jets()
    task.prepare([batch])
    losses = task.loss(batch)
    assert list(losses.parts) == list(TARGETS)
    expected = sum(w * slow_part(task, name, batch) for w, name in zip(weights, TARGETS, strict=True))
    assert losses.total.item() == pytest.approx(expected, rel=1e-4)
    assert not any(part.requires_grad for part in losses.parts.values())


def test_what_is_unknown_changes_nothing() -> None:
    task, batch = made(), jets()
    task.prepare([batch])
    parts = dict(batch.cloud.targets)
    parts |= {name: torch.where(parts[name] < 0, -7, parts[name]) for name in ("part_origin", "part_vertex")}
    other = batch.with_cloud(targets=parts).with_targets(label=torch.where(batch.label < 0, -9, batch.label))
    losses = [task.loss(one) for one in (batch, other)]
    assert losses[0].total.isfinite()
    assert torch.equal(losses[0].total, losses[1].total)
    losses[0].total.backward()
    assert all(weight.grad is None or weight.grad.isfinite().all() for weight in task.parameters())


def test_standard_numbers_are_those_of_known_values() -> None:
    task, batch = made("jet_mass", "part_energy"), jets(40)
    task.prepare([batch, batch])
    for name, values, mask in (
        ("jet_mass", batch.targets["jet_mass"], torch.ones(40, dtype=torch.bool)),
        ("part_energy", batch.cloud.targets["part_energy"], batch.mask),
    ):
        known = values[mask & values.isfinite()]
        assert task.standards[name].mean.item() == pytest.approx(known.mean().item(), rel=1e-5)
        assert task.standards[name].scale.item() == pytest.approx(known.std(unbiased=False).item(), rel=1e-5)


def test_padding_and_targets_in_it_change_nothing() -> None:
    task, batch = made(), jets()
    task.prepare([batch])
    more = (0, 2)

    def longer(values: Tensor) -> Tensor:
        at = batch.mask if values.ndim == 2 else batch.mask.unsqueeze(2)
        return torch.nn.functional.pad(torch.where(at, values, 1), (*(0,) * (2 * values.ndim - 4), *more), value=1)

    cloud = batch.cloud
    targets = {name: longer(values) for name, values in cloud.targets.items()}
    assert cloud.p4 is not None
    padded = batch.with_cloud(
        x=longer(cloud.x), p4=longer(cloud.p4), mask=torch.nn.functional.pad(cloud.mask, more), targets=targets
    )
    torch.testing.assert_close(task.loss(padded).total, task.loss(batch).total)
    first, second = task.eval().predict(batch), task.predict(padded)
    for name, value in first.items():
        torch.testing.assert_close(second[name], value)


def test_whole_numbers_below_0_are_known_where_they_are_numbers() -> None:
    """A charge of −1 is no charge that nobody knows."""
    spec = replace(SPEC, targets={"part_charge": TargetSpec("real", "part")})
    batch = jets()
    charge = torch.randint(-1, 2, batch.mask.shape, generator=torch.Generator().manual_seed(1))
    batch = batch.with_cloud(targets={"part_charge": charge})
    task = made(spec=spec)
    task.prepare([batch])
    assert task.standards["part_charge"].mean.item() == pytest.approx(charge[batch.mask].double().mean().item())
    assert task.loss(batch).total.item() == pytest.approx(slow_part(task, "part_charge", batch), rel=1e-4)


def test_a_gradient_reaches_each_head_and_the_model() -> None:
    task, batch = made(), jets()
    task.prepare([batch])
    task.loss(batch).total.backward()
    for name, weight in task.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.any(), name


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_of_weight_0_teaches_nothing(name: str) -> None:
    task, batch = made(weights=tuple(float(other != name) for other in TARGETS)), jets()
    task.prepare([batch])
    task.loss(batch).total.backward()
    for other, head in task.outputs.items():
        assert any(weight.grad is not None and weight.grad.any() for weight in head.parameters()) == (other != name)


def test_heads_are_named_after_their_targets() -> None:
    task = made()
    assert list(task.heads) == [*TARGETS, "jet_mass_units", "part_energy_units"]
    sizes = sum(weight.numel() for weight in task.parameters())
    assert task.size == sizes


def test_scores_are_probabilities_and_numbers_in_their_units() -> None:
    task, batch = made(), jets()
    task.prepare([batch])
    found, rows, places = task.scores(batch), len(batch), batch.mask.shape[1]
    shapes = {name: tuple(value.shape) for name, value in found.items()}
    assert shapes == {
        "label": (rows, 3),
        "jet_mass": (rows,),
        "jet_tagged": (rows,),
        "part_origin": (rows, places, 3),
        "part_energy": (rows, places),
        "part_real": (rows, places),
        "part_vertex": (rows, places, places),
    }
    torch.testing.assert_close(found["label"].sum(1), torch.ones(rows))
    assert torch.equal(found["part_vertex"], found["part_vertex"].mT)
    for name in ("jet_tagged", "part_real", "part_vertex"):
        assert ((found[name] > 0) & (found[name] < 1)).all()
    said = task.outcomes(batch)["jet_mass"][:, 0]
    torch.testing.assert_close(
        found["jet_mass"], said * task.standards["jet_mass"].scale + task.standards["jet_mass"].mean
    )


def test_watch_is_the_mean_over_all_rows_whatever_the_batches() -> None:
    task, batch = made(weights=(2.0,) * len(TARGETS)), jets(40)
    batch = batch.replace(weight=batch.weight.abs() + 0.1)
    task.prepare([batch])
    with torch.no_grad():
        whole = task.eval().watch([(batch, task.predict(batch))])
        cut = [batch.select(slice(0, 13)), batch.select(slice(13, 40))]
        parts = task.watch((one, task.predict(one)) for one in cut)
        losses = task.loss(batch)
        logits = task.outcomes(batch)["label"]
    assert parts == pytest.approx(whole)
    assert whole["loss"] == pytest.approx(losses.total.item(), rel=1e-5)
    assert {f"loss {name}" for name in TARGETS} <= whole.keys()
    for name, value in losses.parts.items():
        assert whole[f"loss {name}"] == pytest.approx(value.item(), rel=1e-5)
    known = batch.label >= 0
    right = (logits.argmax(1) == batch.label)[known]
    assert whole["accuracy"] == whole["accuracy label"]
    assert whole["accuracy"] == pytest.approx(np.average(right.numpy(), weights=batch.weight[known].numpy()))
    assert 0 <= whole["accuracy part_origin"] <= 1
    with pytest.raises(JetkitError, match="no usable validation jets"):
        task.watch([])


def easy(seed: int) -> Batch:
    """Jets whose class, mass, and origins, energies and vertices of particles can be read off their features."""
    batch = random_batch(SPEC, jets=200, particles=(3, 6), seed=seed).to(dtype=torch.float32)
    random = torch.Generator().manual_seed(seed)
    label = torch.randint(0, 3, (200,), generator=random)
    side = torch.randint(0, 2, batch.mask.shape, generator=random)
    x = torch.stack([(label[:, None] - 1.0).expand(side.shape), 2.0 * side - 1, torch.zeros(side.shape)], 2)
    parts = {"part_origin": 2 * side, "part_energy": 5 + 3.0 * side, "part_real": side > 0, "part_vertex": side}
    rows = {"label": label, "jet_mass": 80 + 10.0 * label, "jet_tagged": label > 1}
    return batch.with_cloud(x=x * batch.mask.unsqueeze(2), targets=parts).with_targets(**rows)


def test_an_easy_toy_is_learned_with_all_heads() -> None:
    torch.manual_seed(1)
    task, fresh = MultiTask(PFN(SPEC, phi=(16, 16), f=(16,)), SPEC, targets=tuple(TARGETS)), easy(9)
    learn = [easy(seed) for seed in range(4)]
    task.prepare(learn)
    optimiser = torch.optim.Adam(task.parameters(), lr=1e-2)
    for step in range(200):
        optimiser.zero_grad()
        task.train().loss(learn[step % 4]).total.backward()
        optimiser.step()
    with torch.no_grad():
        numbers = task.eval().watch([(fresh, task.predict(fresh))])
        scores = task.scores(fresh)
    assert numbers["accuracy label"] > 0.98
    assert numbers["accuracy part_origin"] > 0.98
    assert max(numbers[f"loss {name}"] for name in ("jet_tagged", "part_real", "part_vertex")) < 0.1
    assert (scores["jet_mass"] - fresh.targets["jet_mass"]).abs().mean() < 1.5
    assert (scores["part_energy"] - fresh.cloud.targets["part_energy"])[fresh.mask].abs().mean() < 0.3


def test_targets_of_rows_need_no_vectors_of_objects() -> None:
    task = MultiTask(EFN(SPEC), SPEC, targets=("label", "jet_mass"))  # type: ignore[arg-type]
    assert task.loss(jets()).total.isfinite()


def test_targets_of_objects_alone_leave_the_vector_of_the_row_out(monkeypatch: pytest.MonkeyPatch) -> None:
    model = ParT(SPEC, width=8, depth=1, heads=2, pair_widths=(4,), dropout=0.0)
    task = MultiTask(model, SPEC, targets=("part_origin",))
    monkeypatch.setattr(ParT, "aggregate", None)
    task.loss(jets()).total.backward()
    assert MultiTask.idle
    assert any(weight.grad is None for weight in model.parameters())


OTHER = replace(
    SPEC,
    targets=TARGETS
    | {"hit_e": TargetSpec("real", "hit"), "jet_group": TargetSpec("index"), "part_one": TargetSpec("class", "part")},
)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"targets": ()}, "multi-task needs targets"),
        ({"targets": ("label",), "weights": (1.0, 2.0)}, "as many weights"),
        ({"targets": ("colour",)}, "the data have no target colour"),
        ({"targets": ("hit_e",)}, "hit_e belongs to hit: only targets of the first collection"),
        (
            {"targets": ("jet_group",)},
            r"jet_group is a number of a group.* say what it is, targets=\{jet_group: real\}",
        ),
        ({"targets": ("part_one",)}, r"part_one should have two classes or more: name them"),
    ],
)
def test_what_cannot_be_learned_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(JetkitError, match=message):
        MultiTask(PFN(OTHER, **SIZES), OTHER, **options)
    with pytest.raises(JetkitError, match="targets of objects need a model with a vector for each"):
        MultiTask(EFN(SPEC), SPEC, targets=("part_origin",))  # type: ignore[arg-type]
