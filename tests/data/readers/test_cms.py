from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest

import jetkit.data.readers.cms_nanoaod
import jetkit.data.readers.cms_pfnano  # noqa: F401 - registers the reader
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

PFNANO, NANOAOD = "jets/cms_pfnano_example.root", "jets/cms_opendata_nanoaod_2015_ttbar.root"
JETS, CANDIDATES = [2, 0, 1, 1], [6, 1, 3, 2]
LINKS = {"jet": [[1, 0, 0, 1, 0], [], [0, 0], []], "candidate": [[5, 3, 1, 0, 0], [], [2, 0], []]}
"""Entry 3 has a jet without candidates; a candidate may be in two jets, and the table is in no order."""
PID = [211, -11, 13, 22, 130, 1, 2, -211, 211, 22, 130, 211]


def ragged(rows: list[list[int]]) -> Ragged:
    counts = [len(row) for row in rows]
    return Ragged(
        np.array([value for row in rows for value in row], np.int32), np.concatenate([[0], np.cumsum(counts)])
    )


def pfnano_file(path: Path, **changed: Any) -> dict[str, Any]:
    """A PFNano file of four events with AK8 jets."""
    jet, part = objects(JETS, 1), objects(CANDIDATES, 2)
    pid = np.array(PID, np.int32)
    charge = np.array([1, 1, -1, 0, 0, 0, 0, -1, 1, 0, 0, 1], np.int32)
    columns: dict[str, Any] = {f"FatJet_{name}": column for name, column in jet.items()}
    columns |= {f"PFCands_{name}": column for name, column in part.items()}
    columns |= {
        "run": np.ones(4, np.uint32),
        "event": np.array([7, 5, 6, 2**33], np.uint64),
        "FatJet_mass": like(jet["pt"], 80.0),
        "FatJet_hadronFlavour": like(jet["pt"], [5, 0, 4, 0], np.int32),
        "FatJet_nBHadrons": like(jet["pt"], [2, 0, 0, 0], np.uint8),
        "FatJet_particleNet_TvsQCD": like(jet["pt"], 0.25),
        "FatJet_lsf3": like(jet["pt"], 1.0),
        "FatJetPFCands_jetIdx": ragged(LINKS["jet"]),
        "FatJetPFCands_pFCandsIdx": ragged(LINKS["candidate"]),
        "PFCands_mass": like(part["pt"], 0.13957),
        "PFCands_charge": like(part["pt"], charge, np.int32),
        "PFCands_pdgId": like(part["pt"], pid, np.int32),
        "PFCands_d0": like(part["pt"], np.where(charge != 0, 0.25, -1)),
        "PFCands_d0Err": like(part["pt"], np.where(charge != 0, 0.5, -1)),
        "HLT_Mu8": np.ones(4, bool),
        "HLT_Ele8": np.ones(4, bool),
    } | changed
    write_present(path, "Events", columns)
    return columns


def test_candidates_follow_the_links_of_their_jet(tmp_path: Path) -> None:
    columns = pfnano_file(tmp_path / "a.root")
    dataset = converted("cms-pfnano", tmp_path / "out", tmp_path / "a.root")
    assert dataset.card.skipped == {"no particles": 1}
    places = [3, 1, 0, 5, 0, 7 + 2, 7 + 0]
    assert [len(jet) for jet in lists(dataset, "part_px")] == [3, 2, 2]
    polar = [columns[f"PFCands_{name}"].values[places].astype(np.float64) for name in ("pt", "eta", "phi")]
    np.testing.assert_allclose(p4_of(dataset), momenta(*polar, 0.13957), rtol=1e-6)
    assert lists(dataset, "part_isElectron") == [[False, True, False], [False, False], [False, False]]
    assert lists(dataset, "part_isPhoton") == [[True, False, False], [False, False], [True, False]]
    assert lists(dataset, "part_isNeutralHadron") == [[False] * 3, [True, False], [False, False]]
    assert np.asarray(dataset.read(["jet_rank"])["jet_rank"]).tolist() == [0, 1, 0]
    assert np.asarray(dataset.read(["event_id"])["event_id"]).tolist() == [2**40 + 7, 2**40 + 7, 2**40 + 6]


def test_centimetres_become_millimetres_and_neutral_particles_have_none(tmp_path: Path) -> None:
    pfnano_file(tmp_path / "a.root")
    dataset = converted("cms-pfnano", tmp_path / "out", tmp_path / "a.root")
    assert lists(dataset, "part_d0val") == [[0.0, 2.5, 2.5], [0.0, 2.5], [0.0, 2.5]]
    assert lists(dataset, "part_d0err") == [[0.0, 5.0, 5.0], [0.0, 5.0], [0.0, 5.0]]


def test_truth_and_scores_are_columns_and_what_is_left_out_is_listed(tmp_path: Path) -> None:
    pfnano_file(tmp_path / "a.root")
    dataset = converted("cms-pfnano", tmp_path / "out", tmp_path / "a.root")
    rows = dataset.read(["jet_hadron_flavour", "jet_nbhadrons", "jet_particleNet_TvsQCD"])
    assert [np.asarray(column).tolist() for column in rows.values()] == [[5, 0, 4], [2, 0, 0], [0.25] * 3]
    assert "unknown branches, left out: FatJet_lsf3, HLT_*" in dataset.card.notes


@pytest.mark.parametrize(("name", "value"), [("jetIdx", 2), ("jetIdx", -1), ("pFCandsIdx", 6), ("pFCandsIdx", -1)])
def test_a_link_to_nowhere_is_refused(tmp_path: Path, name: str, value: int) -> None:
    link = ragged(LINKS["jet" if name == "jetIdx" else "candidate"])
    link.values[1] = value
    pfnano_file(tmp_path / "a.root", **{f"FatJetPFCands_{name}": link})
    with pytest.raises(JetkitError, match="FatJetPFCands of entry 0 links to what is not there"):
        converted("cms-pfnano", tmp_path / "out", tmp_path / "a.root")


def test_a_nanoaod_file_is_no_pfnano_file(tmp_path: Path) -> None:
    pfnano_file(tmp_path / "a.root", FatJetPFCands_jetIdx=None)
    with pytest.raises(JetkitError, match="has no branch FatJetPFCands_jetIdx"):
        converted("cms-pfnano", tmp_path / "out", tmp_path / "a.root")
    with pytest.raises(JetkitError, match="option collection should be 'FatJet' or 'Jet'"):
        converted("cms-pfnano", tmp_path / "out", tmp_path / "a.root", collection="Tau")


def test_a_candidate_with_nan_is_counted(tmp_path: Path) -> None:
    pt = objects(CANDIDATES, 2)["pt"]
    pt.values[5] = np.nan
    pfnano_file(tmp_path / "a.root", PFCands_pt=pt)
    dataset = converted("cms-pfnano", tmp_path / "out", tmp_path / "a.root")
    assert dataset.card.skipped == {"no particles": 1, "a momentum with NaN or infinity": 1}


def test_damaged_pfnano_files_are_refused(tmp_path: Path) -> None:
    pfnano_file(tmp_path / "a.root")
    refuses_what_is_damaged("cms-pfnano", tmp_path / "a.root")


def test_each_jet_has_the_weight_of_its_event(tmp_path: Path) -> None:
    pfnano_file(tmp_path / "a.root", genWeight=np.array([-2, 1, 0.5, 3], np.float32))
    dataset = converted("cms-pfnano", tmp_path / "out", tmp_path / "a.root", shard=2)
    assert np.asarray(dataset.read(["event_weight"])["event_weight"]).tolist() == [-2, -2, 0.5]
    pfnano_file(tmp_path / "b.root")
    assert "event_weight" not in converted("cms-pfnano", tmp_path / "none", tmp_path / "b.root").columns


@pytest.mark.parametrize(("collection", "jets"), [("FatJet", 24), ("Jet", 64)])
def test_public_jets_have_the_candidates_and_codes_of_the_tree(tmp_path: Path, collection: str, jets: int) -> None:
    tree = tree_of(real(PFNANO), "Events")
    dataset = converted("cms-pfnano", tmp_path / "out", real(PFNANO), shard=8, collection=collection)
    assert len(dataset) == jets
    read = {name: tree[f"{collection}PFCands_{name}"].array() for name in ("jetIdx", "pFCandsIdx")}
    codes, d0, error = (tree[f"PFCands_{name}"].array() for name in ("pdgId", "d0", "d0Err"))
    expected = []
    for event, count in enumerate(tree[f"n{collection}"].array()):
        for jet in range(count):
            inside = read["pFCandsIdx"][event][read["jetIdx"][event] == jet]
            expected.append(
                (ak.to_list(codes[event][inside]), ak.to_list(d0[event][inside]), ak.to_list(error[event][inside]))
            )
    flags = {"Electron": [11], "Muon": [13], "Photon": [22, 2], "ChargedHadron": [211], "NeutralHadron": [130, 1]}
    for flag, wanted in flags.items():
        assert lists(dataset, f"part_is{flag}") == [[abs(code) in wanted for code in jet[0]] for jet in expected]
    for found, jet in zip(lists(dataset, "part_d0val"), expected, strict=True):
        truth = [10 * value if sigma > 0 else 0.0 for value, sigma in zip(jet[1], jet[2], strict=True)]
        np.testing.assert_allclose(found, truth, rtol=1e-6)
    rows = dataset.read(["jet_pt", "jet_hadron_flavour"])
    np.testing.assert_array_equal(rows["jet_pt"], flat(tree[f"{collection}_pt"].array()))
    np.testing.assert_array_equal(rows["jet_hadron_flavour"], flat(tree[f"{collection}_hadronFlavour"].array()))


def test_public_ak8_jets_are_the_sum_of_their_puppi_candidates(tmp_path: Path) -> None:
    dataset = converted("cms-pfnano", tmp_path / "out", real(PFNANO), shard=8)
    weights = lists(dataset, "part_puppi_weight")
    px, py = (
        np.array([np.dot(w, p) for w, p in zip(weights, lists(dataset, f"part_p{axis}"), strict=True)]) for axis in "xy"
    )
    rows = dataset.read(["jet_pt", "jet_raw_factor"])
    raw = np.asarray(rows["jet_pt"]) * (1 - np.asarray(rows["jet_raw_factor"]))
    np.testing.assert_allclose(np.hypot(px, py), raw, rtol=0.02)


# -- NanoAOD -------------------------------------------------------------------------------------------------------

COUNTS = {"Jet": [3, 0, 1], "Electron": [1, 0, 0], "Muon": [0, 0, 2], "Tau": [1, 0, 1], "Photon": [2, 0, 0]}


def nanoaod_file(path: Path, **changed: Any) -> dict[str, Any]:
    """A NanoAOD file of three events, one of them empty."""
    columns: dict[str, Any] = {"run": np.full(3, 3, np.uint32), "event": np.array([1, 2, 3], np.uint64)}
    for seed, (kind, counts) in enumerate(COUNTS.items()):
        found = objects(counts, seed)
        columns |= {f"{kind}_{name}": column for name, column in found.items()}
        columns |= {f"{kind}_mass": like(found["pt"], 1.0)} if kind != "Photon" else {}
        if kind not in ("Jet", "Photon"):
            columns |= {f"{kind}_charge": like(found["pt"], -1, np.int32), f"{kind}_dxy": like(found["pt"], 0.5)}
    columns |= {"Jet_btagDeepFlavB": like(columns["Jet_pt"], 0.75), "MET_pt": np.array([50, 60, 70], np.float32)}
    columns |= {"Jet_hadronFlavour": like(columns["Jet_pt"], 5, np.int32)} | changed
    write_present(path, "Events", columns)
    return columns


def test_objects_of_all_kinds_stand_side_by_side(tmp_path: Path) -> None:
    nanoaod_file(tmp_path / "a.root")
    dataset = converted("cms-nanoaod", tmp_path / "out", tmp_path / "a.root")
    assert dataset.card.skipped == {"no particles": 1}
    kinds = ["Jet"] * 3 + ["Electron", "Tau", "Photon", "Photon"], ["Jet", "Muon", "Muon", "Tau"]
    for kind in COUNTS:
        assert lists(dataset, f"part_is{kind}") == [[name == kind for name in event] for event in kinds]
    assert lists(dataset, "part_btag") == [[0.75 if name == "Jet" else -1 for name in event] for event in kinds]
    assert lists(dataset, "part_hadron_flavour") == [[5 * (name == "Jet") for name in event] for event in kinds]
    light = [[0 if name in ("Jet", "Photon") else -1 for name in event] for event in kinds]
    assert lists(dataset, "part_charge") == light
    assert lists(dataset, "part_d0val") == [[-5.0 * charge for charge in event] for event in light]
    assert np.asarray(dataset.read(["event_met_pt"])["event_met_pt"]).tolist() == [50, 70]
    assert np.asarray(dataset.read(["event_id"])["event_id"]).tolist() == [3 * 2**40 + 1, 3 * 2**40 + 3]


def test_the_weight_of_the_event_is_kept(tmp_path: Path) -> None:
    nanoaod_file(tmp_path / "a.root", genWeight=np.array([-3, 1, 2], np.float32))
    dataset = converted("cms-nanoaod", tmp_path / "out", tmp_path / "a.root")
    assert np.asarray(dataset.read(["event_weight"])["event_weight"]).tolist() == [-3, 2]
    assert dataset.card.columns["event_weight"]["type"] == "float32"


def test_momenta_of_objects_are_those_of_the_tree(tmp_path: Path) -> None:
    columns = nanoaod_file(tmp_path / "a.root")
    dataset = converted("cms-nanoaod", tmp_path / "out", tmp_path / "a.root")
    muons = values(dataset, "part_isMuon")
    polar = [columns[f"Muon_{name}"].values.astype(np.float64) for name in ("pt", "eta", "phi")]
    np.testing.assert_allclose(p4_of(dataset)[muons], momenta(*polar, 1.0), rtol=1e-6)


def test_a_score_that_is_not_there_is_told(tmp_path: Path) -> None:
    nanoaod_file(tmp_path / "a.root")
    with pytest.raises(JetkitError, match="has no branch Jet_btagPNetB"):
        converted("cms-nanoaod", tmp_path / "out", tmp_path / "a.root", btag="btagPNetB")


def test_columns_of_unequal_lengths_are_refused(tmp_path: Path) -> None:
    nanoaod_file(tmp_path / "a.root", Muon_eta=objects([1, 1, 1])["eta"])
    with pytest.raises(JetkitError, match="objects with part_isMuon have lists of unequal lengths"):
        converted("cms-nanoaod", tmp_path / "out", tmp_path / "a.root")


def test_damaged_nanoaod_files_are_refused(tmp_path: Path) -> None:
    nanoaod_file(tmp_path / "a.root")
    refuses_what_is_damaged("cms-nanoaod", tmp_path / "a.root")


def test_public_events_have_the_objects_of_the_tree(tmp_path: Path) -> None:
    tree = tree_of(real(NANOAOD), "Events")
    dataset = converted("cms-nanoaod", tmp_path / "out", real(NANOAOD), shard=128)
    counts = np.stack([np.asarray(tree[f"n{kind}"].array()) for kind in COUNTS], axis=1).astype(int)
    filled = counts.sum(axis=1) > 0
    assert len(dataset) == filled.sum()
    for k, kind in enumerate(COUNTS):
        assert [sum(event) for event in lists(dataset, f"part_is{kind}")] == counts[filled, k].tolist()
    jets = values(dataset, "part_isJet")
    flavour, btag = (values(dataset, name) for name in ("part_hadron_flavour", "part_btag"))
    np.testing.assert_array_equal(flavour[jets], flat(tree["Jet_hadronFlavour"].array()))
    np.testing.assert_array_equal(btag[jets].astype(np.float32), flat(tree["Jet_btagDeepFlavB"].array()))
    np.testing.assert_array_equal(
        dataset.read(["event_met_pt"])["event_met_pt"], np.asarray(tree["MET_pt"].array())[filled]
    )
    muons = values(dataset, "part_isMuon")
    d0 = values(dataset, "part_d0val")
    np.testing.assert_allclose(d0[muons], 10 * flat(tree["Muon_dxy"].array()), rtol=1e-6)
