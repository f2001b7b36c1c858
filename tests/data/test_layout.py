"""Which columns become what in a batch: sets, lists and tables of features, targets, links, weights and arrays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from jetkit.data.batch import Batch
from jetkit.data.batching import Batching
from jetkit.data.dataset import Dataset, open_dataset
from jetkit.data.features import FEATURE_SETS, KNOWN, TRANSFORMS, feature_names, feature_of
from jetkit.data.layout import Columns, layout_of
from jetkit.data.shards import write_shard
from jetkit.data.spec import SetSpec, Spec, TargetSpec
from jetkit.errors import JetkitError

Jets = Callable[..., dict[str, Any]]

MOMENTA = ("energy", "px", "py", "pz")
TYPES = {
    **{f"part_{name}": "list<item: float not null>" for name in MOMENTA},
    "part_isMuon": "list<item: bool not null>",
    "part_vertex": "list<item: int32 not null>",
    "jet_pt": "float",
    "jet_mass": "float",
    "jet_tagged": "bool",
    "jet_label": "int32",
    "event_id": "int64",
    "event_weight": "double",
    "hit_x": "list<item: float not null>",
    "hit_y": "list<item: float not null>",
    "hit_particle": "list<item: int32 not null>",
    "hit_noise": "list<item: bool not null>",
    "particle_pt": "list<item: float not null>",
    "particle_pdg": "list<item: int32 not null>",
    "voxel": "fixed_size_list<item: float>[12]",
}
UNITS = {"jet_pt": "GeV", "jet_mass": "GeV", "hit_x": "mm", "hit_y": "mm", "jet_tagged": "1", "particle_pt": "GeV/c"}
COLUMNS = Columns(TYPES, UNITS, ("QCD", "top"))


def spec(**options: Any) -> Spec:
    return layout_of(Batching.from_options(options), COLUMNS).spec(COLUMNS)


# -- features ------------------------------------------------------------------------------------------------------


def test_a_set_is_of_particles_with_the_usual_features_of_the_jet() -> None:
    found = spec(features="kin")
    assert found.sets == {"part": SetSpec(feature_names("kin"), p4=True)}
    assert found.row == ("jet_pt", "jet_mass")
    assert found.classes == ("QCD", "top")
    assert spec(features="kin", row=[]).row == ()
    assert spec(features="kin", row=("jet_tagged",)).row == ("jet_tagged",)
    assert not spec(features="kin", p4=False).cloud.p4


def test_a_list_is_sorted_into_collections_and_the_row() -> None:
    found = spec(features=["hit_x", "jet_pt", "particle_pt", "hit_y"])
    assert found.sets == {"hit": SetSpec(("hit_x", "hit_y")), "particle": SetSpec(("particle_pt",))}
    assert found.row == ("jet_pt",)
    assert found.units == {"hit_x": "mm", "hit_y": "mm", "particle_pt": "GeV/c", "jet_pt": "GeV"}


def test_a_list_of_numbers_alone_is_a_plain_table() -> None:
    found = spec(features=["jet_pt", "jet_tagged"])
    assert (found.sets, found.row, found.classes) == ({}, ("jet_pt", "jet_tagged"), ("QCD", "top"))


def test_a_list_of_particles_has_the_usual_row_and_one_of_other_objects_none() -> None:
    assert spec(features=["part_px"]).row == ("jet_pt", "jet_mass")
    assert spec(features=["hit_x"]).row == spec(features={"hit": ["hit_x"]}).row == ()
    assert spec(features={"part": ["part_px"]}).row == ("jet_pt", "jet_mass")


def test_features_that_jetkit_computes_may_stand_in_a_list() -> None:
    found = spec(features=["part_pt_log", "part_isMuon"])
    assert found.features == ("part_pt_log", "part_isMuon")
    assert found.units["part_pt_log"] == KNOWN["part_pt_log"].unit


def test_no_features_are_momenta_alone() -> None:
    assert spec(features=None).sets == {"part": SetSpec((), p4=True)}
    assert spec(features=None, row=["jet_pt"]).row == ("jet_pt",)


def test_a_table_names_collections_and_the_row() -> None:
    found = spec(
        features={
            "hit": ["hit_x", {"column": "hit_y", "scale": 0.1, "clip": [-5, 5]}],
            "part": "kin",
            "row": [{"column": "jet_pt", "transform": "log", "shift": 6, "name": "jet_logpt"}],
            "particle": [],
        }
    )
    assert list(found.sets) == ["hit", "part", "particle"]
    assert found.sets["hit"].features == ("hit_x", "hit_y")
    assert found.sets["part"] == SetSpec(feature_names("kin"), p4=True)
    assert found.sets["particle"].features == ()
    assert found.row == ("jet_logpt",)
    assert found.units["hit_y"] == "clip((mm − 0)·0.1, -5, 5)"
    assert found.units["jet_logpt"] == "(log(jet_pt/GeV) − 6)·1"


@pytest.mark.parametrize(
    ("entry", "unit"),
    [
        ("jet_pt", "GeV"),
        ({"column": "jet_pt"}, "GeV"),
        ({"column": "jet_tagged"}, "1"),
        ({"column": "event_weight"}, "event_weight"),
        ({"column": "jet_pt", "transform": "log1p"}, "log1p(jet_pt/GeV)"),
        ({"column": "jet_tagged", "transform": "sqrt"}, "sqrt(jet_tagged)"),
        ({"column": "event_weight", "transform": "tanh"}, "tanh(event_weight)"),
        ({"column": "particle_pt", "transform": "log"}, "log(particle_pt/(GeV/c))"),
        ({"column": "jet_pt", "shift": 2}, "(GeV − 2)·1"),
        ({"column": "jet_pt", "scale": 2, "clip": [0, 1]}, "clip((GeV − 0)·2, 0, 1)"),
    ],
)
def test_units_tell_what_was_done(entry: Any, unit: str) -> None:
    feature = feature_of(entry, UNITS, KNOWN, TYPES)
    assert feature.unit == unit
    assert feature_of(feature.to_dict(), UNITS, KNOWN, TYPES) == feature, "an entry says all of it"


@pytest.mark.parametrize("name", sorted({feature.name for one in FEATURE_SETS.values() for feature in one}))
def test_entries_of_the_sets_say_all_of_it(name: str) -> None:
    assert feature_of(KNOWN[name].to_dict(), {}, KNOWN, ["part_px"]) == KNOWN[name]


@pytest.mark.parametrize("transform", [None, *TRANSFORMS])
@pytest.mark.parametrize("numbers", [{}, {"shift": 0.3}, {"scale": -2}, {"shift": 1, "scale": 3, "clip": [-1, 0.5]}])
def test_a_table_does_to_the_numbers_what_it_says(
    tmp_path: Path, transform: str | None, numbers: dict[str, Any]
) -> None:
    values = np.random.default_rng(0).uniform(0.1, 3, 10).astype(np.float32)
    write_shard(tmp_path / "a.parquet", {"hit_x": (values, np.array([0, 4, 10])), "event_x": values[:2]})
    table = {
        kind: [{"column": column, "name": "made", "transform": transform, **numbers}]
        for kind, column in (("hit", "hit_x"), ("row", "event_x"))
    }
    (batch,) = open_dataset(tmp_path).batches(features=table, shuffle=False)
    expected = getattr(np, transform or "positive")(values.astype(np.float64))
    if numbers:
        low, high = numbers.get("clip", (-np.inf, np.inf))
        expected = ((expected - numbers.get("shift", 0)) * numbers.get("scale", 1)).clip(low, high)
    np.testing.assert_allclose(batch.x[batch.mask][:, 0], expected, rtol=2e-6, atol=2e-6)
    np.testing.assert_allclose(batch.row[:, 0], expected[:2], rtol=2e-6, atol=2e-6)
    assert not batch.x[~batch.mask].any()


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ("all", "unknown feature set 'all': choose one of momentum, kin"),
        ("full", "lacks part_charge, .* for the feature set 'full': features='kin' would work"),
        (5, "features should be a set, a list of columns or a table of them, got '5'"),
        (["hit_z"], "the dataset has no column hit_z: it has part_energy, .*hit_x"),
        (["part_charge"], "the dataset has no column part_charge"),
        ([5], "a feature is a column, or a mapping with column: …, got '5'"),
        ([{"name": "a"}], "a feature is a column, or a mapping with column"),
        ([{"column": "hit_x", "colour": 1}], "unknown key 'colour' of the feature hit_x: use transform, shift, scale,"),
        ([{"column": "hit_x", "transform": "ln"}], "unknown transform 'ln' of hit_x: choose one of log, log1p"),
        ([{"column": "hit_x", "scale": "2"}], "scale of the feature hit_x should be a number, got '2'"),
        ([{"column": "hit_x", "shift": True}], "shift of the feature hit_x should be a number, got True"),
        ([{"column": "hit_x", "scale": float("nan")}], "scale of the feature hit_x should be a number, got nan"),
        ([{"column": "hit_x", "clip": 5}], r"clip of the feature hit_x should be \[low, high\], got 5"),
        ([{"column": "hit_x", "clip": [1, 0]}], r"clip of the feature hit_x should rise, got \[1, 0\]"),
        ([{"column": "hit_x", "clip": [0, None]}], "clip of the feature hit_x should be a number, got None"),
        (["hit_x", "hit_x"], "the features of a spec should differ from each other, got hit_x, hit_x"),
        ({"hit": 5}, "features should be a set, a list of columns or a table"),
        ({"hit": "kin"}, "column part_pt_log is no list of hit: write it under its own collection, or under row"),
        ({"hit": ["particle_pt"]}, "column particle_pt is no list of hit: write it under its own collection"),
        ({"jet": ["jet_pt"]}, "column jet_pt is no list of jet: write it under its own collection, or under row"),
        ({"track": []}, "the dataset has no objects track: it has part_energy"),
        ({"row": ["hit_x"]}, "column hit_x should hold one number per row"),
        ({"row": ["part_pt_log"]}, "part_pt_log has a value for each particle: name it under part"),
    ],
)
def test_features_that_are_not_there_are_refused_with_a_mend(tmp_path: Path, features: Any, message: str) -> None:
    del tmp_path
    with pytest.raises(JetkitError, match=message) as caught:
        reader_of(features=features)
    assert "\n" not in str(caught.value)


def reader_of(**options: Any) -> None:
    """All that a loader does with its options before it reads."""
    from jetkit.data.blocks import BlockReader

    layout = layout_of(Batching.from_options(options), COLUMNS)
    layout.spec(COLUMNS)
    BlockReader(layout, COLUMNS)


# -- targets, links, weights ---------------------------------------------------------------------------------------


def test_kinds_of_targets_are_guessed_from_their_types() -> None:
    names = ["label", "jet_mass", "jet_tagged", "event_id", "part_px", "part_isMuon", "part_vertex", "hit_noise"]
    found = spec(features="kin", targets=names)
    assert found.targets == {
        "label": TargetSpec("class", classes=("QCD", "top")),
        "jet_mass": TargetSpec("real"),
        "jet_tagged": TargetSpec("flag"),
        "event_id": TargetSpec("index"),
        "part_px": TargetSpec("real", "part"),
        "part_isMuon": TargetSpec("flag", "part"),
        "part_vertex": TargetSpec("index", "part"),
        "hit_noise": TargetSpec("flag", "hit"),
    }
    assert found.units["jet_mass"] == "GeV"
    assert list(found.sets) == ["part", "hit"], "objects of targets are read beside those of the features"


def test_kinds_of_targets_may_be_told() -> None:
    kinds = {"jet_tagged": 2, "part_vertex": ["signal", "pile-up"], "event_id": "real", "part_isMuon": None}
    found = spec(features="kin", targets=kinds)
    assert found.targets["jet_tagged"] == TargetSpec("class", classes=("class 0", "class 1"))
    assert found.targets["part_vertex"] == TargetSpec("class", "part", ("signal", "pile-up"))
    assert found.targets["event_id"] == TargetSpec("real")
    assert found.targets["part_isMuon"] == TargetSpec("flag", "part")


def test_links_lead_from_one_collection_to_another() -> None:
    found = spec(features=["hit_x"], links=["hit_particle"])
    assert found.links == (("hit", "particle"),)
    assert list(found.sets) == ["hit", "particle"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"targets": ["jet_colour"]}, "the dataset has no column jet_colour"),
        (
            {"targets": {"jet_mass": "number"}},
            "target jet_mass should be class, real, flag, index, a number of classes",
        ),
        ({"targets": {"jet_mass": 0}}, "target jet_mass should be class, .* got 0"),
        ({"targets": {"jet_mass": []}}, "target jet_mass should be class, .* got "),
        ({"targets": {"jet_mass": True}}, "target jet_mass should be class, .* got True"),
        ({"targets": ["part_origin"]}, "the dataset has no column part_origin"),
        ({"targets": "jet_mass"}, r"option targets should be a list of columns, got 'jet_mass': write \[jet_mass\]"),
        ({"links": ["hit_x"]}, "hit_x is no link: its name should be A_B of two collections A and B, as hit_particle"),
        ({"links": ["hit_track"]}, "the dataset has no column hit_track"),
        ({"links": ["jet_pt"]}, "jet_pt is no link"),
        ({"links": "hit_particle"}, "option links should be a list of columns"),
        ({"weight": "colour"}, "the dataset has no column colour"),
        ({"weight": "hit_x"}, "column hit_x should hold one number per row"),
        ({"arrays": ["voxels"]}, "the dataset has no column voxels"),
        ({"arrays": {"voxel": [0, 12]}}, r"the shape of array voxel should be sizes of at least 1, .* got \[0, 12\]"),
        ({"arrays": {"voxel": "3x4"}}, "the shape of array voxel should be sizes of at least 1"),
        ({"row": ["hit_x"]}, "column hit_x should hold one number per row"),
        ({"row": ["part_pt_log"]}, "part_pt_log has a value for each particle"),
    ],
)
def test_what_does_not_fit_its_use_is_refused_with_a_mend(options: dict[str, Any], message: str) -> None:
    with pytest.raises(JetkitError, match=message) as caught:
        reader_of(features="kin", **options)
    assert "\n" not in str(caught.value)


def test_data_without_labels_or_events_say_so() -> None:
    bare = Columns({name: TYPES[name] for name in ("hit_x", "jet_pt")})
    for options, missing in (({"targets": ["label"]}, "jet_label"), ({"event": True}, "event_id")):
        with pytest.raises(JetkitError, match=f"the dataset has no column {missing}: it has hit_x, jet_pt"):
            layout_of(Batching(features=["hit_x"], **options), bare)
    assert layout_of(Batching(features=["hit_x"]), bare).spec(bare).targets == {}


# -- through files -------------------------------------------------------------------------------------------------


def dataset_of(folder: Path, *parts: dict[str, Any]) -> Dataset:
    for number, columns in enumerate(parts):
        write_shard(folder / f"{number}.parquet", columns)
    return open_dataset(folder)


def only(dataset: Dataset, **options: Any) -> Batch:
    (batch,) = dataset.batches(shuffle=False, **options)
    return batch


def test_weights_of_either_sign_reach_the_batch(tmp_path: Path, make: Jets) -> None:
    weight = np.array([1.5, -0.5, 0.0])
    dataset = dataset_of(tmp_path, make([2, 3, 1]) | {"event_weight": weight})
    assert only(dataset, weight="event_weight").weight.tolist() == weight.tolist()
    assert only(dataset).weight.tolist() == [1.0] * 3


def test_a_weight_that_is_no_number_leaves_its_row_out(tmp_path: Path, make: Jets) -> None:
    dataset = dataset_of(tmp_path, make([2, 3, 1]) | {"event_weight": np.array([1.0, np.nan, -1.0])})
    loader = dataset.batches(weight="event_weight", shuffle=False)
    assert [batch.weight.tolist() for batch in loader] == [[1.0, -1.0]]
    assert dict(loader.skipped) == {"a jet column with NaN or infinity": 1}


def test_targets_have_their_values(tmp_path: Path, make: Jets) -> None:
    jets = make([2, 1])
    offsets = jets["part_px"][1]
    jets |= {"jet_tagged": np.array([True, False]), "part_vertex": (np.array([3, -1, 0]), offsets)}
    batch = only(dataset_of(tmp_path, jets), targets={"jet_tagged": None, "part_vertex": 4, "jet_pt": None})
    assert batch.targets["jet_tagged"].tolist() == [True, False]
    np.testing.assert_array_equal(batch.targets["jet_pt"], jets["jet_pt"].astype(np.float32))
    assert batch.cloud.targets["part_vertex"].tolist() == [[3, -1], [0, 0]]
    assert "part_vertex" not in batch.targets


def test_a_value_that_is_no_class_leaves_its_row_out(tmp_path: Path, make: Jets) -> None:
    jets = make([2, 1, 1, 3])
    offsets = jets["part_px"][1]
    jets |= {"jet_kind": np.array([0, 1, 2, -1]), "part_vertex": (np.array([0, 0, 1, 1, 1, 5, 0]), offsets)}
    dataset = dataset_of(tmp_path, jets)
    loader = dataset.batches(targets={"jet_kind": 2, "part_vertex": 2}, shuffle=False)
    (batch,) = loader
    assert batch.targets["jet_kind"].tolist() == [0, 1]
    assert dict(loader.skipped) == {"a label that is not a class": 2}


def test_arrays_of_fixed_length_with_and_without_a_shape(tmp_path: Path, make: Jets) -> None:
    values = np.arange(24.0)
    dataset = dataset_of(tmp_path, make([2, 1]) | {"voxel": (values, np.array([0, 12, 24]))})
    flat = dataset.batches(arrays=["voxel"], shuffle=False)
    assert flat.spec.arrays == dataset.spec(arrays=["voxel"]).arrays == {"voxel": (12,)}
    assert torch.equal(next(iter(flat)).arrays["voxel"], torch.arange(24.0).view(2, 12))
    image = dataset.batches(arrays={"voxel": [3, 2, 2]}, shuffle=False)
    assert image.spec.arrays == {"voxel": (3, 2, 2)}
    assert torch.equal(next(iter(image)).arrays["voxel"], torch.arange(24.0).view(2, 3, 2, 2))
    assert dataset.spec(arrays={"voxel": 12, "jet_pt": None}).arrays == {"voxel": (12,), "jet_pt": (1,)}


def test_an_array_alone_is_a_batch(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path, {"voxel": (np.arange(6.0), np.array([0, 3, 6]))})
    batch = only(dataset, features=None, arrays=["voxel"])
    assert (len(batch), dict(batch.sets), batch.row.shape) == (2, {}, (2, 0))


@pytest.mark.parametrize("shape", [None, [12], [2, 6]])
def test_arrays_of_unequal_lengths_are_refused(tmp_path: Path, make: Jets, shape: list[int] | None) -> None:
    first = make([2, 1]) | {"voxel": (np.arange(24.0), np.array([0, 12, 24]))}
    second = make([2, 1]) | {"voxel": (np.arange(26.0), np.array([0, 13, 26]))}
    dataset = dataset_of(tmp_path, first, second)
    with pytest.raises(JetkitError, match=r"1\.parquet: lists of voxel should all have 12 numbers to be used as an"):
        list(dataset.batches(arrays={"voxel": shape}))


def test_an_array_with_nan_leaves_its_row_out(tmp_path: Path, make: Jets) -> None:
    dataset = dataset_of(tmp_path, make([2, 1]) | {"voxel": (np.array([0.0, np.nan, 1, 2]), np.array([0, 2, 4]))})
    loader = dataset.batches(arrays=["voxel"], shuffle=False)
    assert [batch.arrays["voxel"].tolist() for batch in loader] == [[[1.0, 2.0]]]
    assert dict(loader.skipped) == {"a feature with NaN or infinity": 1}
