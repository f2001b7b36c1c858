"""Specs: what the data decide and a model must know, through files and back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jetkit.data.spec import Needs, SetSpec, Spec, TargetSpec, columns
from jetkit.errors import JetkitError

EVENTS = Spec(
    {"hit": SetSpec(("hit_x", "hit_y")), "particle": SetSpec(("particle_pdg",), p4=True)},
    row=("event_mjj",),
    arrays={"image": (4, 4), "image_of_any_size": ()},
    targets={
        "label": TargetSpec("class", classes=("QCD", "top")),
        "event_energy": TargetSpec("real"),
        "hit_noise": TargetSpec("flag", "hit"),
        "hit_kind": TargetSpec("class", "hit", ("muon", "pion")),
        "hit_track": TargetSpec("index", "hit"),
    },
    links=(("hit", "particle"),),
    units={"hit_x": "mm", "event_energy": "GeV"},
)
JETS = Spec.of(("part_deta",), ("jet_pt",), ("QCD", "top"), units={"jet_pt": "GeV"})
TABLE = Spec(row=("a", "b"))


@pytest.mark.parametrize("spec", [JETS, EVENTS, TABLE, Spec()])
def test_a_spec_survives_json(spec: Spec) -> None:
    again = Spec.from_dict(json.loads(json.dumps(spec.to_dict())))
    assert again == spec
    assert list(again.sets) == list(spec.sets)
    assert list(again.targets) == list(spec.targets)


def test_jets_have_momenta_and_other_objects_none_unless_told() -> None:
    assert JETS.cloud == SetSpec(("part_deta",), p4=True)
    assert Spec.of(("hit_x",), name="hit").sets == {"hit": SetSpec(("hit_x",), p4=False)}
    assert Spec.of(("hit_x",), name="hit", p4=True).cloud.p4
    assert not Spec.of((), p4=False).cloud.p4


def test_a_plain_table_has_no_features_of_objects() -> None:
    assert (TABLE.features, TABLE.classes, TABLE.cloud) == ((), (), SetSpec())


def test_parts_of_the_first_collection_are_replaced() -> None:
    changed = EVENTS.with_cloud(p4=True)
    assert changed.sets == EVENTS.sets | {"hit": SetSpec(("hit_x", "hit_y"), p4=True)}
    assert not EVENTS.cloud.p4


def test_the_first_format_is_still_read() -> None:
    old = {
        "features": ["part_deta", "part_dphi"],
        "jet_features": ["jet_pt"],
        "classes": ["QCD", "top"],
        "targets": [],
        "units": {"jet_pt": "GeV"},
    }
    spec = Spec.from_dict(old)
    assert spec == Spec.of(("part_deta", "part_dphi"), ("jet_pt",), ("QCD", "top"), units={"jet_pt": "GeV"})
    assert Spec.from_dict({"features": []}) == Spec.of(())
    assert Spec.from_dict({"features": ["cell_x", "cell_y"]}) == Spec.of(("cell_x", "cell_y"), name="cell")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"classes": []}, "a spec has the fields"),
        ({"features": [], "colour": []}, "a spec has the fields"),
        ({"features": "abc"}, "field features of a spec should hold names"),
        ({"features": [1]}, "field features of a spec should hold names"),
        ({"features": [], "units": ["GeV"]}, "field units of a spec should hold names"),
        ({"features": [], "units": {"a": 1}}, "field units of a spec should hold names"),
        ({"features": ["a", "a"]}, "features of a spec should differ"),
    ],
)
def test_a_malformed_spec_of_the_first_format_is_refused(content: dict[str, object], message: str) -> None:
    refused(content, message)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colour": []}, "a spec has the fields"),
        ({"sets": []}, "field sets of a spec is not what it should be"),
        ({"sets": {"hit": []}}, "field sets of a spec"),
        ({"sets": {"hit": {"features": ["a"]}}}, "field sets of a spec"),
        ({"sets": {"hit": {"features": "a", "p4": False}}}, "field sets of a spec"),
        ({"sets": {"hit": {"features": ["a"], "p4": 1}}}, "field sets of a spec"),
        ({"sets": {"hit": {"features": ["a", "a"], "p4": False}}}, "features of a spec should differ"),
        ({"row": "abc"}, "field row of a spec"),
        ({"row": ["a", "a"]}, "row features of a spec should differ"),
        ({"arrays": {"image": 4}}, "field arrays of a spec"),
        ({"arrays": {"image": [4, -1]}}, "field arrays of a spec"),
        ({"arrays": {"image": [4.5]}}, "field arrays of a spec"),
        ({"targets": ["label"]}, "field targets of a spec"),
        ({"targets": {"label": {"colour": 1}}}, "field targets of a spec"),
        ({"targets": {"label": {"kind": "colour"}}}, "a target is one of class, real, flag, index, not 'colour'"),
        ({"targets": {"label": {"kind": "class", "classes": ["a", "a"]}}}, "classes of a spec should differ"),
        ({"targets": {"label": {"kind": "class", "of": 1}}}, "field targets of a spec"),
        ({"links": [["hit"]]}, "field links of a spec"),
        ({"links": "hp"}, "field links of a spec"),
        ({"units": {"a": 1}}, "field units of a spec"),
    ],
)
def test_a_malformed_spec_is_refused(changes: dict[str, object], message: str) -> None:
    refused(EVENTS.to_dict() | changes, message)


def refused(content: dict[str, Any], message: str) -> None:
    with pytest.raises(JetkitError, match=message) as caught:
        Spec.from_dict(content)
    assert "\n" not in str(caught.value)


def test_needs_add_up() -> None:
    one = Needs(p4=True, sets=("hit",), targets=("a", "b"), links=("hit_particle",))
    other = Needs(row=True, cloud=True, sets=("hit", "particle"), arrays=("image",), targets=("b", "c"), pairs=True)
    assert one | other == Needs(
        p4=True,
        cloud=True,
        row=True,
        sets=("hit", "particle"),
        arrays=("image",),
        targets=("a", "b", "c"),
        links=("hit_particle",),
        pairs=True,
    )
    assert one | Needs() == one == Needs() | one


@pytest.mark.parametrize(
    ("needs", "spec"),
    [
        (Needs(), Spec()),
        (Needs(p4=True, cloud=True, row=True, targets=("label",)), JETS),
        (Needs(cloud=True, sets=("particle",), arrays=("image",), links=("hit_particle",)), EVENTS),
        (Needs(row=True), TABLE),
        (Needs(pairs=True), JETS),
    ],
)
def test_data_that_have_all_are_taken(needs: Needs, spec: Spec) -> None:
    needs.refuse(spec, "the model pfn")


@pytest.mark.parametrize(
    ("needs", "spec", "message"),
    [
        (Needs(cloud=True), TABLE, "the model pfn needs a collection of objects, the data are a plain table"),
        (Needs(p4=True), TABLE, "the model pfn needs a collection of objects, the data are a plain table"),
        (Needs(p4=True), EVENTS, "the model pfn needs four-momenta, which hit does not have"),
        (Needs(row=True), Spec.of(()), "the model pfn needs features of the row: name columns"),
        (Needs(sets=("track",)), EVENTS, "the model pfn needs the collection track, the data have hit, particle"),
        (Needs(arrays=("voxels",)), EVENTS, "the model pfn needs the array voxels, the data have image, "),
        (Needs(targets=("jet_mass",)), JETS, "the model pfn needs the target jet_mass, the data have label"),
        (Needs(targets=("label",)), TABLE, "the model pfn needs the target label, the data have none"),
        (Needs(links=("hit_track",)), EVENTS, "the model pfn needs the link hit_track, the data have hit_particle"),
    ],
)
def test_what_the_data_lack_is_named(needs: Needs, spec: Spec, message: str) -> None:
    with pytest.raises(JetkitError, match=message):
        needs.refuse(spec, "the model pfn")


def test_columns_of_features_are_found_or_missed() -> None:
    assert columns(EVENTS, "hit_y") == [1]
    with pytest.raises(JetkitError, match="needs the features part_pt: choose a feature set that has them"):
        columns(EVENTS, "hit_x", "part_pt")
