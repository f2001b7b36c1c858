"""Batches: one record for jets, events of several collections, and plain tables."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch
from torch import Tensor

from jetkit.data.batch import Batch, Index, four_momenta, momentum_fractions, ragged_momenta
from jetkit.data.cloud import Cloud
from jetkit.errors import JetkitError

ROWS = 6


@pytest.fixture
def jets() -> Batch:
    mask = torch.tensor([[True, True, False], [True, False, False]])
    return Batch.of(
        x=torch.arange(12.0).reshape(2, 3, 2),
        mask=mask,
        p4=torch.ones(2, 3, 4),
        row=torch.tensor([[1.0], [2.0]]),
        label=torch.tensor([0, 3]),
        targets={"mass": torch.tensor([80.0, 91.0])},
    )


def drawn(name: str, most: int, random: np.random.Generator) -> Cloud:
    """Objects whose only feature, and target, is a number of their own."""
    counts = random.integers(0, most + 1, ROWS)
    mask = torch.from_numpy(np.arange(most) < counts[:, None])
    number = torch.arange(1, ROWS * most + 1).view(ROWS, most) * mask
    return Cloud(number[..., None].float(), mask, None, {f"{name}_number": number})


@pytest.fixture(params=range(5))
def event(request: pytest.FixtureRequest) -> Batch:
    """Hits with links to particles, and particles with links to each other."""
    random = np.random.default_rng(request.param)
    sets = {"hit": drawn("hit", 9, random), "particle": drawn("particle", 5, random)}
    there = sets["particle"].mask.sum(1, keepdim=True).numpy()

    def links(name: str) -> Tensor:
        found = random.integers(-1, np.broadcast_to(np.maximum(there, 1), sets[name].mask.shape))
        found = np.where(found < there, found, -1)
        return torch.where(sets[name].mask, torch.from_numpy(found), -1)

    return Batch(
        sets,
        row=torch.randn(ROWS, 2),
        arrays={"image": torch.randn(ROWS, 4, 4)},
        targets={"label": torch.arange(ROWS), "energy": torch.randn(ROWS)},
        links={("hit", "particle"): links("hit"), ("particle", "particle"): links("particle")},
        weight=torch.linspace(-1, 1, ROWS),
        index=Index(row=10 + torch.arange(ROWS), event=torch.arange(ROWS) // 2),
    )


def one_object(rows: int) -> Cloud:
    return Cloud(torch.zeros(rows, 1, 1), torch.ones(rows, 1, dtype=torch.bool))


def linked(batch: Batch, a: str, b: str) -> dict[int, int]:
    """Number of each object of a → number of the object of b that it leads to, 0: none."""
    found = {}
    for row in range(len(batch)):
        for place in batch.sets[a].mask[row].nonzero().flatten().tolist():
            link = int(batch.links[a, b][row, place])
            found[int(batch.sets[a].x[row, place, 0])] = 0 if link < 0 else int(batch.sets[b].x[row, link, 0])
    return found


def test_defaults_are_unlabelled_rows_of_weight_one() -> None:
    batch = Batch.of(x=torch.zeros(2, 3, 5), mask=torch.ones(2, 3, dtype=torch.bool))
    assert batch.p4 is None
    assert batch.row.shape == (2, 0)
    assert batch.label.tolist() == [-1, -1]
    assert batch.weight.tolist() == [1.0, 1.0]
    assert batch.index == (None, None, None)


def test_defaults_have_the_type_of_the_features() -> None:
    batch = Batch.of(torch.zeros(2, 3, 5, dtype=torch.float64), torch.ones(2, 3, dtype=torch.bool))
    assert {batch.row.dtype, batch.weight.dtype} == {torch.float64}


def test_selection_reaches_every_tensor(jets: Batch) -> None:
    second = jets.select(torch.tensor([False, True]))
    assert (len(second), second.label.tolist(), second.row.tolist()) == (1, [3], [[2.0]])
    assert second.targets["mass"].tolist() == [91.0]
    assert torch.equal(second.x[0], jets.x[1])


@pytest.mark.parametrize("rows", [torch.tensor([4, 1]), slice(1, 3), torch.arange(ROWS) % 2 == 0])
def test_selected_rows_keep_all_their_parts(event: Batch, rows: Tensor | slice) -> None:
    some = event.select(rows)
    chosen = torch.arange(ROWS)[rows].tolist()
    assert some.index.row is not None
    assert some.index.event is not None
    assert some.index.pair is None
    assert some.index.row.tolist() == [10 + row for row in chosen]
    assert some.index.event.tolist() == [row // 2 for row in chosen]
    assert some.label.tolist() == chosen
    for old, new in [
        (event.row, some.row),
        (event.weight, some.weight),
        (event.arrays["image"], some.arrays["image"]),
        (event.targets["energy"], some.targets["energy"]),
        (event.links["hit", "particle"], some.links["hit", "particle"]),
        (event.sets["particle"].x, some.sets["particle"].x),
        (event.sets["hit"].targets["hit_number"], some.sets["hit"].targets["hit_number"]),
    ]:
        assert torch.equal(old[rows], new)


@pytest.mark.parametrize("name", ["hit", "particle"])
def test_links_follow_a_cut_of_either_collection(event: Batch, name: str) -> None:
    keep = torch.from_numpy(np.random.default_rng(1).random(event.sets[name].mask.shape) < 0.5)
    cut = event.cut(keep, name)
    kept = set(event.sets[name].x[keep & event.sets[name].mask].flatten().int().tolist())
    for a, b in event.links:
        expected = {one: to for one, to in linked(event, a, b).items() if a != name or one in kept}
        if b == name:
            expected = {one: to if to in kept else 0 for one, to in expected.items()}
        assert linked(cut, a, b) == expected
        assert (cut.links[a, b][~cut.sets[a].mask] == -1).all()


def test_targets_follow_a_cut(event: Batch) -> None:
    keep = torch.from_numpy(np.random.default_rng(1).random(event.mask.shape) < 0.5)
    cut = event.cut(keep)
    assert torch.equal(cut.cloud.targets["hit_number"], cut.x[..., 0].long())
    assert cut.cloud.targets["hit_number"].sum() == (event.cloud.targets["hit_number"] * keep).sum()
    assert torch.equal(cut.row, event.row)
    assert torch.equal(cut.targets["energy"], event.targets["energy"])
    assert cut.sets["particle"] is event.sets["particle"]


def test_a_cut_of_an_unknown_collection_names_those_there_are(event: Batch) -> None:
    with pytest.raises(JetkitError, match="the batch has no collection jet: it has hit, particle"):
        event.cut(event.mask, "jet")


def test_a_change_of_type_leaves_labels_and_masks_alone(jets: Batch, event: Batch) -> None:
    changed = jets.to(dtype=torch.float64)
    assert {changed.x.dtype, changed.row.dtype, changed.weight.dtype, changed.targets["mass"].dtype} == {torch.float64}
    assert (changed.mask.dtype, changed.label.dtype) == (torch.bool, torch.int64)
    other = event.to(dtype=torch.float16)
    assert {other.arrays["image"].dtype, other.sets["particle"].x.dtype} == {torch.float16}
    whole = [other.links["hit", "particle"], other.index.row, other.sets["hit"].targets["hit_number"]]
    assert [value.dtype for value in whole if value is not None] == [torch.int64] * 3


def test_a_move_to_where_it_is_changes_nothing(event: Batch) -> None:
    moved = event.to("cpu")
    assert torch.equal(moved.x, event.x)
    assert moved.x.device.type == "cpu"
    assert moved.x.dtype == event.x.dtype
    assert event.to(torch.device("cpu"), dtype=torch.float64).weight.dtype == torch.float64
    assert event.to("meta").links["hit", "particle"].device.type == "meta"


def test_replace_leaves_the_original_alone(jets: Batch) -> None:
    assert jets.with_cloud(p4=None).p4 is None
    assert jets.p4 is not None
    assert jets.with_targets(energy=torch.zeros(2)).targets.keys() == {"label", "mass", "energy"}
    assert jets.targets.keys() == {"label", "mass"}


@pytest.mark.parametrize("name", ["sets", "arrays", "targets", "links"])
def test_its_tables_cannot_be_changed_in_place(jets: Batch, name: str) -> None:
    with pytest.raises(TypeError, match="does not support item assignment"):
        getattr(jets, name)["mass"] = torch.zeros(2)


def test_a_plain_table_has_no_collection() -> None:
    table = Batch(row=torch.arange(6.0).view(3, 2), targets={"label": torch.tensor([0, 1, 0])})
    assert len(table) == 3
    assert table.select(torch.tensor([2])).row.tolist() == [[4.0, 5.0]]
    assert table.label.tolist() == [0, 1, 0]
    for use in (lambda: table.x, lambda: table.cut(torch.ones(3, 1) > 0), lambda: table.with_cloud(p4=None)):
        with pytest.raises(JetkitError, match="this batch is a plain table: name list columns in features="):
            use()


def test_arrays_alone_are_rows() -> None:
    shower = Batch(arrays={"voxels": torch.zeros(4, 5, 6, 7)})
    assert (len(shower), repr(shower)) == (4, "Batch(4 rows: voxels (5, 6, 7))")


def test_nothing_is_no_batch() -> None:
    with pytest.raises(JetkitError, match="a batch holds a collection, features of the row or arrays"):
        Batch()


def test_pictures_are_short(jets: Batch, event: Batch) -> None:
    assert repr(jets) == "Batch(2 rows: part up to 3 × 2; row 1; targets label, mass)"
    assert len(repr(event)) < 200
    assert "\n" not in repr(event)


def test_another_process_gets_the_same(event: Batch) -> None:
    for again in (pickle.loads(pickle.dumps(event)), copy.deepcopy(event)):
        assert linked(again, "hit", "particle") == linked(event, "hit", "particle")
        assert torch.equal(again.weight, event.weight)
        assert again.index.pair is None
        assert repr(again) == repr(event)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("row", torch.zeros(2), r"row should have shape \(2, any\), got \(2\)"),
        ("row", torch.zeros(3, 1), r"row should have shape \(2, any\), got \(3, 1\)"),
        ("weight", torch.zeros(2, 1), r"weight should have shape \(2\), got \(2, 1\)"),
        ("targets", {"label": torch.zeros(3)}, r"target label should have 2 rows, got shape \(3\)"),
        ("targets", {"label": torch.zeros(2, 1)}, r"label should have shape \(2\), got \(2, 1\)"),
        ("targets", {"mass": torch.zeros(1)}, r"target mass should have 2 rows, got shape \(1\)"),
        ("targets", {"mass": torch.tensor(1.0)}, r"target mass should have 2 rows, got shape \(\)"),
        ("arrays", {"image": torch.zeros(3, 4)}, r"array image should have 2 rows, got shape \(3, 4\)"),
        ("index", Index(row=torch.arange(3)), r"index row should have 2 rows, got shape \(3\)"),
        ("sets", {"a": one_object(2), "b": one_object(1)}, r"mask of b should have shape \(2, any\), got \(1, 1\)"),
        ("links", {("part", "jet"): torch.zeros(2, 3)}, "a link from part to jet needs both collections, .* has part"),
        ("links", {("part", "part"): torch.zeros(2, 4)}, r"part to part should have shape \(2, 3\), got \(2, 4\)"),
    ],
)
def test_shapes_that_disagree_are_one_sentence(jets: Batch, field: str, value: object, message: str) -> None:
    with pytest.raises(JetkitError, match=message) as caught:
        jets.replace(**{field: value})
    assert "\n" not in str(caught.value)


def test_a_tensor_without_rows_is_no_batch() -> None:
    with pytest.raises(JetkitError, match="begin with an axis of its rows"):
        Batch(row=torch.tensor(1.0))


def test_momenta_are_told_from_none(jets: Batch) -> None:
    p4, offsets = ragged_momenta(jets)
    assert (p4.shape, p4.dtype, offsets.tolist()) == ((3, 4), np.float64, [0, 2, 3])
    assert momentum_fractions(jets).tolist() == [[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]]
    with pytest.raises(JetkitError, match="this model needs four-momenta: make the batches with p4=True"):
        four_momenta(jets.with_cloud(p4=None))
