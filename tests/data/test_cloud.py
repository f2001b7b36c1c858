from __future__ import annotations

import json

import pytest
import torch

from jetkit.data.cloud import Cloud, CloudSpec
from jetkit.errors import JetkitError


@pytest.fixture
def cloud() -> Cloud:
    mask = torch.tensor([[True, True, False], [True, False, False]])
    return Cloud(
        x=torch.arange(12.0).reshape(2, 3, 2),
        mask=mask,
        p4=torch.ones(2, 3, 4),
        jet=torch.tensor([[1.0], [2.0]]),
        label=torch.tensor([0, 3]),
        targets={"mass": torch.tensor([80.0, 91.0])},
    )


def test_defaults_are_unlabelled_jets_of_weight_one() -> None:
    cloud = Cloud(x=torch.zeros(2, 3, 5), mask=torch.ones(2, 3, dtype=torch.bool))
    assert cloud.p4 is None
    assert cloud.jet.shape == (2, 0)
    assert cloud.label.tolist() == [-1, -1]
    assert cloud.weight.tolist() == [1.0, 1.0]


def test_selection_reaches_every_tensor(cloud: Cloud) -> None:
    second = cloud.select(torch.tensor([False, True]))
    assert (len(second), second.label.tolist(), second.jet.tolist()) == (1, [3], [[2.0]])
    assert second.targets["mass"].tolist() == [91.0]
    assert torch.equal(second.x[0], cloud.x[1])


def test_a_change_of_type_leaves_labels_and_masks_alone(cloud: Cloud) -> None:
    changed = cloud.to(dtype=torch.float64)
    assert {changed.x.dtype, changed.jet.dtype, changed.weight.dtype, changed.targets["mass"].dtype} == {torch.float64}
    assert (changed.mask.dtype, changed.label.dtype) == (torch.bool, torch.int64)


def test_replace_leaves_the_original_alone(cloud: Cloud) -> None:
    assert cloud.replace(p4=None).p4 is None
    assert cloud.p4 is not None


def test_targets_cannot_be_changed_in_place(cloud: Cloud) -> None:
    with pytest.raises(TypeError, match="does not support item assignment"):
        cloud.targets["mass"] = torch.zeros(2)  # type: ignore[index]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("x", torch.zeros(2, 4, 2), r"x should have shape \(2, 3, any\), got \(2, 4, 2\)"),
        ("p4", torch.zeros(2, 3, 3), r"p4 should have shape \(2, 3, 4\), got \(2, 3, 3\)"),
        ("jet", torch.zeros(2), r"jet should have shape \(2, any\), got \(2\)"),
        ("label", torch.zeros(3), r"label should have shape \(2\), got \(3\)"),
        ("weight", torch.zeros(2, 1), r"weight should have shape \(2\), got \(2, 1\)"),
        ("mask", torch.zeros(2, 3), r"mask should be a boolean \(B, N\), got torch.float32 \(2, 3\)"),
        ("targets", {"mass": torch.zeros(1)}, r"target mass should have 2 rows, got shape \(1\)"),
    ],
)
def test_shapes_that_disagree_are_named(cloud: Cloud, field: str, value: object, message: str) -> None:
    with pytest.raises(JetkitError, match=message):
        cloud.replace(**{field: value})


def test_a_spec_survives_json() -> None:
    spec = CloudSpec(("a", "b"), ("jet_pt",), ("QCD", "top"), ("mass",), {"jet_pt": "GeV"})
    assert CloudSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"classes": []}, "a spec has the fields"),
        ({"features": [], "colour": []}, "a spec has the fields"),
        ({"features": "abc"}, "field features of a spec should hold names"),
        ({"features": [1]}, "field features of a spec should hold names"),
        ({"features": [], "units": ["GeV"]}, "field units of a spec should hold names"),
        ({"features": ["a", "a"]}, "features of a spec should differ"),
    ],
)
def test_a_malformed_spec_is_refused(content: dict[str, object], message: str) -> None:
    with pytest.raises(JetkitError, match=message):
        CloudSpec.from_dict(content)
