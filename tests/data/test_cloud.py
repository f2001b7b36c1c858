from __future__ import annotations

import pickle

import pytest
import torch

from jetkit.data.cloud import Cloud, kept_places
from jetkit.errors import JetkitError


@pytest.fixture
def cloud() -> Cloud:
    return Cloud(
        x=torch.arange(12.0).reshape(2, 3, 2),
        mask=torch.tensor([[True, True, False], [True, False, False]]),
        p4=torch.ones(2, 3, 4),
        targets={"part_origin": torch.tensor([[4, 5, 0], [6, 0, 0]]), "part_vertex": torch.ones(2, 3, 3)},
    )


def test_selection_reaches_every_tensor(cloud: Cloud) -> None:
    second = cloud.select(torch.tensor([False, True]))
    assert len(second) == 1
    assert torch.equal(second.x[0], cloud.x[1])
    assert second.targets["part_origin"].tolist() == [[6, 0, 0]]


def test_a_cut_moves_targets_with_their_objects(cloud: Cloud) -> None:
    cut = cloud.cut(torch.tensor([[False, True, True], [False, True, True]]))
    assert cut.mask.tolist() == [[True], [False]], "padded objects are never kept"
    assert cut.x.tolist() == [[[2.0, 3.0]], [[0.0, 0.0]]]
    assert cut.targets["part_origin"].tolist() == [[5], [0]]
    assert cut.targets["part_vertex"].tolist() == [[[1.0] * 3], [[0.0] * 3]]
    assert cut.p4 is not None
    assert cut.p4.tolist() == [[[1.0] * 4], [[0.0] * 4]]


def test_a_cut_of_no_rows_has_none(cloud: Cloud) -> None:
    none = cloud.select(slice(0))
    assert none.cut(none.mask).x.shape == (0, 1, 2)
    assert kept_places(torch.zeros(2, 0, dtype=torch.bool)).shape == (2, 0)


def test_targets_cannot_be_changed_in_place(cloud: Cloud) -> None:
    with pytest.raises(TypeError, match="does not support item assignment"):
        cloud.targets["part_origin"] = torch.zeros(2, 3)  # type: ignore[index]


def test_another_process_gets_the_same(cloud: Cloud) -> None:
    again = pickle.loads(pickle.dumps(cloud))
    assert torch.equal(again.x, cloud.x)
    assert list(again.targets) == list(cloud.targets)


def test_its_picture_is_short(cloud: Cloud) -> None:
    assert repr(cloud) == "Cloud(2 rows, up to 3 objects, 2 features, p4, part_origin, part_vertex)"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("x", torch.zeros(2, 4, 2), r"x should have shape \(2, 3, any\), got \(2, 4, 2\)"),
        ("p4", torch.zeros(2, 3, 3), r"p4 should have shape \(2, 3, 4\), got \(2, 3, 3\)"),
        ("mask", torch.zeros(2, 3), r"mask should be a boolean \(B, N\), got torch.float32 \(2, 3\)"),
        ("targets", {"a": torch.zeros(2)}, r"target a should begin with \(2, 3\), got \(2\)"),
    ],
)
def test_shapes_that_disagree_are_named(cloud: Cloud, field: str, value: object, message: str) -> None:
    with pytest.raises(JetkitError, match=message):
        cloud.replace(**{field: value})
