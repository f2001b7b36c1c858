from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest

import jetkit.data.readers.delphes  # noqa: F401 - registers the reader
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

FILES = ["delphes/jetclass2_events.root", "delphes/jetclass2_higgs2p_events.root"]
PUPPI = "ParticleFlowCandidate/ParticleFlowCandidate."
TRACKS, TOWERS = [3, 0, 2, 1], [1, 0, 0, 2]


def flow_file(path: Path, **changed: Any) -> dict[str, Any]:
    """The energy flow of a usual Delphes card: tracks, and towers with ET in place of pT; one event is empty."""
    track, photon, hadron = objects(TRACKS, 1), objects(TOWERS, 2), objects(TOWERS, 3)
    pid = np.array([211, -11, 13, -321, 2212, -211])
    columns: dict[str, Any] = {
        f"EFlowTrack.{name}": track[key] for name, key in (("PT", "pt"), ("Eta", "eta"), ("Phi", "phi"))
    }
    columns |= {
        "EFlowTrack.PID": like(track["pt"], pid, np.int32),
        "EFlowTrack.Charge": like(track["pt"], [1, 1, -1, -1, 1, -1], np.int32),
        "EFlowTrack.CtgTheta": Ragged(np.sinh(track["eta"].values), track["eta"].offsets),
        "EFlowTrack.Mass": like(track["pt"], 0.14),
        "EFlowTrack.D0": like(track["pt"], np.arange(6) - 2.5),
        "EFlowTrack.ErrorD0": like(track["pt"], 0.5),
        "EFlowTrack.DZ": like(track["pt"], 7.0),
        "EFlowTrack.ErrorDZ": like(track["pt"], 0.25),
    }
    for name, tower in (("EFlowPhoton", photon), ("EFlowNeutralHadron", hadron)):
        columns |= {f"{name}.ET": tower["pt"], f"{name}.Eta": tower["eta"], f"{name}.Phi": tower["phi"]}
        columns[f"{name}.E"] = Ragged(tower["pt"].values * np.cosh(tower["eta"].values), tower["pt"].offsets)
    columns |= changed
    write_present(path, "Delphes", columns)
    return columns


def test_tracks_and_towers_become_particles_with_flags(tmp_path: Path) -> None:
    columns = flow_file(tmp_path / "a.root")
    dataset = converted("delphes", tmp_path / "out", tmp_path / "a.root", radius=100.0, pt_min=0.0, abs_eta=100.0)
    assert dataset.card.skipped == {"event without a jet within the cuts": 1}
    assert [len(jet) for jet in lists(dataset, "part_px")] == [5, 2, 5]
    tracks = momenta(*(columns[f"EFlowTrack.{name}"].values.astype(np.float64) for name in ("PT", "Eta", "Phi")), 0.14)
    towers = [
        momenta(*(columns[f"{kind}.{name}"].values.astype(np.float64) for name in ("ET", "Eta", "Phi")))
        for kind in ("EFlowPhoton", "EFlowNeutralHadron")
    ]
    expected = np.concatenate([tracks, *towers])
    found = p4_of(dataset)
    np.testing.assert_allclose(found[np.argsort(found[:, 1])], expected[np.argsort(expected[:, 1])], rtol=1e-5)
    flags = {kind: sum(map(sum, lists(dataset, f"part_is{kind}"))) for kind in ("Electron", "Muon", "Photon")}
    assert flags == {"Electron": 1, "Muon": 1, "Photon": 3}
    assert sum(map(sum, lists(dataset, "part_isChargedHadron"))) == 4
    assert sum(map(sum, lists(dataset, "part_isNeutralHadron"))) == 3
    assert sorted(values(dataset, "part_d0val")) == [-2.5, -1.5, -0.5, 0, 0, 0, 0, 0, 0, 0.5, 1.5, 2.5]
    assert values(dataset, "part_dzerr").sum() == 6 * 0.25


def test_particles_come_by_falling_momentum_and_jets_too(tmp_path: Path) -> None:
    flow_file(tmp_path / "a.root")
    dataset = converted("delphes", tmp_path / "out", tmp_path / "a.root", radius=0.4)
    for px, py in zip(lists(dataset, "part_px"), lists(dataset, "part_py"), strict=True):
        assert (np.diff(np.hypot(px, py)) <= 0).all()
    rows = dataset.read(["event_id", "jet_rank", "jet_pt"])
    for event in np.unique(np.asarray(rows["event_id"])):
        here = np.asarray(rows["event_id"]) == event
        assert np.asarray(rows["jet_rank"])[here].tolist() == list(range(here.sum()))
        assert (np.diff(np.asarray(rows["jet_pt"])[here]) <= 0).all()


def test_only_as_many_jets_as_asked_are_kept(tmp_path: Path) -> None:
    flow_file(tmp_path / "a.root")
    dataset = converted("delphes", tmp_path / "out", tmp_path / "a.root", radius=0.4, leading=1)
    assert np.asarray(dataset.read(["jet_rank"])["jet_rank"]).tolist() == [0, 0, 0]


def test_an_event_with_nan_is_counted_and_no_other_is_lost(tmp_path: Path) -> None:
    pt = objects(TRACKS, 1)["pt"]
    pt.values[4] = np.nan
    flow_file(tmp_path / "a.root", **{"EFlowTrack.PT": pt})
    dataset = converted("delphes", tmp_path / "out", tmp_path / "a.root", radius=100.0, pt_min=0.0, abs_eta=100.0)
    assert dataset.card.skipped == {"event without a jet within the cuts": 1, "event with NaN or infinity": 1}
    assert len(dataset) == 2


def test_particles_without_transverse_momentum_are_left_out(tmp_path: Path) -> None:
    pt = objects(TRACKS, 1)["pt"]
    pt.values[0] = 0.0
    flow_file(tmp_path / "a.root", **{"EFlowTrack.PT": pt})
    dataset = converted("delphes", tmp_path / "out", tmp_path / "a.root", radius=100.0, pt_min=0.0, abs_eta=100.0)
    assert [len(jet) for jet in lists(dataset, "part_px")] == [4, 2, 5]
    assert set(dataset.card.skipped) == {"event without a jet within the cuts"}


def test_events_of_two_files_have_numbers_of_their_own(tmp_path: Path) -> None:
    numbers = []
    for name in ("a", "b"):
        flow_file(tmp_path / f"{name}.root")
        dataset = converted("delphes", tmp_path / name, tmp_path / f"{name}.root")
        numbers += np.unique(np.asarray(dataset.read(["event_id"])["event_id"])).tolist()
    assert len(set(numbers)) == len(numbers) == 6


def test_each_jet_has_the_weight_of_its_event(tmp_path: Path) -> None:
    weight = Ragged(np.array([2, -1, -0.5, 3], np.float32), np.arange(5))
    flow_file(tmp_path / "a.root", **{"Event.Weight": weight})
    dataset = converted("delphes", tmp_path / "out", tmp_path / "a.root", shard=2, radius=0.4)
    rows = {name: np.asarray(values) for name, values in dataset.read(["event_id", "event_weight"]).items()}
    assert rows["event_weight"].dtype == np.float32
    np.testing.assert_array_equal(rows["event_weight"], weight.values[rows["event_id"] % 2**32])
    assert (rows["event_weight"] < 0).any()
    assert dataset.card.columns["event_weight"]["description"].endswith("may be negative")


def test_a_file_without_weights_gives_none(tmp_path: Path) -> None:
    flow_file(tmp_path / "a.root")
    empty = Ragged(np.array([], np.float32), np.zeros(5, np.int64))
    flow_file(tmp_path / "b.root", **{"Event.Weight": empty})
    for name in "ab":
        dataset = converted("delphes", tmp_path / name, tmp_path / f"{name}.root")
        assert "event_weight" not in dataset.columns


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"jets": "JetPUPPIAK8"}, "has no branch JetPUPPIAK8.Constituents"),
        ({"radius": -1.0}, "radius and abs_eta should be positive"),
    ],
)
def test_wrong_options_are_told(tmp_path: Path, values: dict[str, Any], message: str) -> None:
    flow_file(tmp_path / "a.root")
    with pytest.raises(JetkitError, match=message):
        converted("delphes", tmp_path / "out", tmp_path / "a.root", **values)


def test_a_file_without_energy_flow_is_refused(tmp_path: Path) -> None:
    flow_file(tmp_path / "a.root", **{"EFlowPhoton.Eta": None})
    with pytest.raises(JetkitError, match=r"has no branch EFlowPhoton\.Eta"):
        converted("delphes", tmp_path / "out", tmp_path / "a.root")


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    flow_file(tmp_path / "a.root")
    refuses_what_is_damaged("delphes", tmp_path / "a.root")


# -- public files --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
def test_clustered_jets_have_the_momenta_of_those_stored(tmp_path: Path, name: str) -> None:
    tree = tree_of(real(name), "Delphes")
    dataset = converted("delphes", tmp_path / "out", real(name), shard=6, pt_min=200.0, abs_eta=2.5, leading=2)
    rows = dataset.read(["jet_pt", "jet_eta", "jet_phi", "event_id", "jet_rank"])
    pt, eta, phi = (tree[f"JetPUPPIAK8/JetPUPPIAK8.{key}"].array() for key in ("PT", "Eta", "Phi"))
    entry = np.asarray(rows["event_id"]) % 2**32
    rank = np.asarray(rows["jet_rank"])
    assert len(dataset) >= 15
    stored = [np.array([column[i, j] for i, j in zip(entry, rank, strict=True)]) for column in (pt, eta, phi)]
    np.testing.assert_allclose(rows["jet_pt"], stored[0], rtol=1e-5)
    np.testing.assert_allclose(rows["jet_phi"], stored[2], atol=1e-5)
    np.testing.assert_allclose(rows["jet_eta"], stored[1], atol=1e-4)


@pytest.mark.parametrize("name", FILES)
def test_jets_have_the_weights_of_the_tree_stored_or_clustered(tmp_path: Path, name: str) -> None:
    weight = flat(tree_of(real(name), "Delphes")["Event/Event.Weight"].array())
    for jets in ("", "JetPUPPIAK8"):
        dataset = converted("delphes", tmp_path / f"out{jets}", real(name), shard=6, jets=jets, pt_min=200.0)
        rows = dataset.read(["event_id", "event_weight"])
        np.testing.assert_array_equal(rows["event_weight"], weight[np.asarray(rows["event_id"]) % 2**32])


@pytest.mark.parametrize("name", FILES)
def test_stored_jets_have_the_constituents_that_they_link_to(tmp_path: Path, name: str) -> None:
    tree = tree_of(real(name), "Delphes")
    dataset = converted("delphes", tmp_path / "out", real(name), shard=6, jets="JetPUPPIAK8", pt_min=0.0)
    refs = tree["JetPUPPIAK8/JetPUPPIAK8.Constituents"].array()["refs"]
    unique, pt, pid = (tree[PUPPI + key].array() for key in ("fUniqueID", "PT", "PID"))
    expected = []
    for event in range(10):
        place = {int(number): index for index, number in enumerate(unique[event])}
        for jet in refs[event]:
            inside = [place[int(number)] for number in jet if pt[event][place[int(number)]] > 0]
            expected.append(sorted(abs(int(pid[event][index])) for index in inside))
    assert [len(jet) for jet in lists(dataset, "part_px")] == [len(jet) for jet in expected]
    for flag, code in (("part_isElectron", 11), ("part_isMuon", 13), ("part_isPhoton", 22)):
        assert [sum(jet) for jet in lists(dataset, flag)] == [jet.count(code) for jet in expected]
    rows = dataset.read(["jet_pt", "part_px", "part_py", "jet_mass", "jet_energy"])
    np.testing.assert_array_equal(rows["jet_pt"], flat(tree["JetPUPPIAK8/JetPUPPIAK8.PT"].array()))
    px, py = ([sum(jet) for jet in lists(dataset, f"part_p{axis}")] for axis in "xy")
    np.testing.assert_allclose(np.hypot(px, py), rows["jet_pt"], rtol=1e-5)


@pytest.mark.parametrize("name", FILES)
def test_directions_follow_ctg_theta_since_momenta_then_close(name: str) -> None:
    tree = tree_of(real(name), "Delphes")
    moving = flat(tree[PUPPI + "PT"].array()) > 0
    pt, eta, slope, momentum = (flat(tree[PUPPI + key].array())[moving] for key in ("PT", "Eta", "CtgTheta", "P"))
    np.testing.assert_allclose(pt * np.hypot(1, slope), momentum, rtol=1e-4)
    assert (np.abs(pt * np.cosh(eta) / momentum - 1) > 0.01).mean() > 0.2


def test_impact_parameters_and_charges_are_those_of_the_tree(tmp_path: Path) -> None:
    tree = tree_of(real(FILES[0]), "Delphes")
    dataset = converted("delphes", tmp_path / "out", real(FILES[0]), shard=6, pt_min=0.0, abs_eta=1e6, radius=100.0)
    moving = tree[PUPPI + "PT"].array() > 0
    for column, key in (("part_d0val", "D0"), ("part_dzerr", "ErrorDZ"), ("part_charge", "Charge")):
        expected = [sorted(values) for values in ak.to_list(tree[PUPPI + key].array()[moving])]
        assert [sorted(values) for values in lists(dataset, column)] == expected
