from pathlib import Path
from typing import Any

import numpy as np
import pytest

import jetkit.data.readers.atlas_physlite  # noqa: F401 - registers the reader
from jetkit.data.ragged import Ragged
from jetkit.errors import JetkitError

from .foreign_root import (
    converted,
    flat,
    like,
    lists,
    momenta,
    objects,
    p4_of,
    real,
    refuses_what_is_damaged,
    tree_of,
    values,
    write_present,
)

PUBLIC = "jets/atlas_physlite_example.root"
KINDS = {"Jets": "Jet", "Electrons": "Electron", "Muons": "Muon", "TauJets": "Tau", "Photons": "Photon"}
COUNTS = {"Jets": [3, 0, 1], "Electrons": [1, 0, 0], "Muons": [0, 0, 2], "TauJets": [1, 0, 1], "Photons": [2, 0, 0]}
TAGGING = "BTagging_AntiKt4EMPFlowAuxDyn"


def physlite_file(path: Path, **changed: Any) -> dict[str, Any]:
    """A PHYSLITE file of three events, one of them empty; the b-tagging is in another order than the jets."""
    columns: dict[str, Any] = {
        "EventInfoAuxDyn.runNumber": np.full(3, 300000, np.uint32),
        "EventInfoAuxDyn.mcChannelNumber": np.full(3, 410470, np.uint32),
        "EventInfoAuxDyn.eventNumber": np.array([11, 12, 13], np.uint64),
    }
    for seed, (kind, counts) in enumerate(COUNTS.items()):
        found = objects(counts, seed)
        found["pt"] = Ragged(found["pt"].values * np.float32(1000), found["pt"].offsets)
        columns |= {f"Analysis{kind}AuxDyn.{name}": column for name, column in found.items()}
        if kind in ("Electrons", "Muons", "TauJets"):
            columns[f"Analysis{kind}AuxDyn.charge"] = like(found["pt"], -1.0)
        if kind != "Muons":
            columns[f"Analysis{kind}AuxDyn.m"] = like(found["pt"], 500.0)
    jets = columns["AnalysisJetsAuxDyn.pt"]
    columns |= {
        "AnalysisJetsAuxDyn.HadronConeExclTruthLabelID": like(jets, [5, 0, 4, 15], np.int32),
        "AnalysisJetsAuxDyn.btaggingLink.m_persIndex": like(jets, [2, 0, 1, 0], np.uint32),
        **{f"{TAGGING}.GN2v00_p{kind}": like(jets, [0.1, 0.2, 0.3, 0.4]) for kind in "bcu"},
    } | changed
    write_present(path, "CollectionTree", columns)
    return columns


def test_objects_of_all_kinds_stand_side_by_side(tmp_path: Path) -> None:
    physlite_file(tmp_path / "a.root")
    dataset = converted("atlas-physlite", tmp_path / "out", tmp_path / "a.root")
    assert dataset.card.skipped == {"no particles": 1}
    kinds = ["Jet"] * 3 + ["Electron", "Tau", "Photon", "Photon"], ["Jet", "Muon", "Muon", "Tau"]
    for kind in KINDS.values():
        assert lists(dataset, f"part_is{kind}") == [[name == kind for name in event] for event in kinds]
    assert lists(dataset, "part_charge") == [[-(name not in ("Jet", "Photon")) for name in event] for event in kinds]
    assert lists(dataset, "part_hadron_flavour") == [[5, 0, 4, 0, 0, 0, 0], [15, 0, 0, 0]]
    assert np.asarray(dataset.read(["event_id"])["event_id"]).tolist() == [410470 * 2**40 + 11, 410470 * 2**40 + 13]


def test_the_b_tagging_is_found_through_its_link(tmp_path: Path) -> None:
    physlite_file(tmp_path / "a.root")
    dataset = converted("atlas-physlite", tmp_path / "out", tmp_path / "a.root")
    expected = np.array([0.3, 0.1, 0.2, -1, -1, -1, -1, 0.4, -1, -1, -1], np.float32)
    np.testing.assert_array_equal(values(dataset, "part_btag_pb").astype(np.float32), expected)


@pytest.mark.parametrize(("kind", "mass"), [("Electrons", 0.5), ("Muons", 0.1056583755)])
def test_mev_become_gev_and_muons_have_their_mass(tmp_path: Path, kind: str, mass: float) -> None:
    columns = physlite_file(tmp_path / "a.root")
    dataset = converted("atlas-physlite", tmp_path / "out", tmp_path / "a.root")
    chosen = values(dataset, f"part_is{KINDS[kind]}")
    pt, eta, phi = (columns[f"Analysis{kind}AuxDyn.{name}"].values.astype(np.float64) for name in ("pt", "eta", "phi"))
    np.testing.assert_allclose(p4_of(dataset)[chosen], momenta(pt / 1000, eta, phi, mass), rtol=1e-6)


def test_data_are_numbered_by_their_run(tmp_path: Path) -> None:
    physlite_file(tmp_path / "a.root", **{"EventInfoAuxDyn.mcChannelNumber": np.zeros(3, np.uint32)})
    dataset = converted("atlas-physlite", tmp_path / "out", tmp_path / "a.root")
    assert np.asarray(dataset.read(["event_id"])["event_id"]).tolist() == [300000 * 2**40 + 11, 300000 * 2**40 + 13]


def test_the_weight_is_the_first_of_the_generators(tmp_path: Path) -> None:
    weights = Ragged(np.array([-1.5, 9, 9, 7, 9, 2.5, 9], np.float32), np.array([0, 3, 5, 7]))
    physlite_file(tmp_path / "a.root", **{"EventInfoAuxDyn.mcEventWeights": weights})
    dataset = converted("atlas-physlite", tmp_path / "out", tmp_path / "a.root", shard=2)
    assert np.asarray(dataset.read(["event_weight"])["event_weight"]).tolist() == [-1.5, 2.5]


def test_data_have_no_weight(tmp_path: Path) -> None:
    none = Ragged(np.array([], np.float32), np.zeros(4, np.int64))
    physlite_file(tmp_path / "a.root", **{"EventInfoAuxDyn.mcEventWeights": none})
    assert "event_weight" not in converted("atlas-physlite", tmp_path / "out", tmp_path / "a.root").columns


def test_a_link_to_nowhere_is_refused(tmp_path: Path) -> None:
    jets = objects(COUNTS["Jets"], 0)["pt"]
    physlite_file(tmp_path / "a.root", **{"AnalysisJetsAuxDyn.btaggingLink.m_persIndex": like(jets, 3, np.uint32)})
    with pytest.raises(JetkitError, match="a jet links to a b-tagging that is not there"):
        converted("atlas-physlite", tmp_path / "out", tmp_path / "a.root")


def test_a_tagger_that_is_not_there_is_told(tmp_path: Path) -> None:
    physlite_file(tmp_path / "a.root")
    with pytest.raises(JetkitError, match=rf"has no branch {TAGGING}\.GN3_pb"):
        converted("atlas-physlite", tmp_path / "out", tmp_path / "a.root", btag="GN3")


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    physlite_file(tmp_path / "a.root")
    refuses_what_is_damaged("atlas-physlite", tmp_path / "a.root")


def test_public_events_have_the_objects_and_flavours_of_the_tree(tmp_path: Path) -> None:
    tree = tree_of(real(PUBLIC), "CollectionTree")
    dataset = converted("atlas-physlite", tmp_path / "out", real(PUBLIC), shard=64)
    assert len(dataset) == 100
    for kind, flag in KINDS.items():
        pt = tree[f"Analysis{kind}AuxDyn.pt"].array()
        assert [sum(event) for event in lists(dataset, f"part_is{flag}")] == [len(event) for event in pt]
        chosen = values(dataset, f"part_is{flag}")
        found = np.hypot(*(values(dataset, f"part_p{axis}")[chosen] for axis in "xy"))
        np.testing.assert_allclose(found, flat(pt) / 1000, rtol=1e-5)
    weight = tree["EventInfoAuxDyn.mcEventWeights"].array()[:, 0]
    np.testing.assert_array_equal(dataset.read(["event_weight"])["event_weight"], np.asarray(weight))
    jets = values(dataset, "part_isJet")
    truth = flat(tree["AnalysisJetsAuxDyn.HadronConeExclTruthLabelID"].array())
    np.testing.assert_array_equal(values(dataset, "part_hadron_flavour")[jets], truth)
    b, u = (values(dataset, f"part_btag_p{kind}")[jets] for kind in "bu")
    assert np.median(b[truth == 5]) > np.median(b[truth == 0])
    assert np.median(u[truth == 5]) < np.median(u[truth == 0])
