from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest

import jetkit.data.readers.edm4hep  # noqa: F401 - registers the reader
from jetkit.data.dataset import Dataset
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

PUBLIC = "edm4hep/fcc_winter2023_ee.root"
COUNTS, TRUE = [3, 0, 2], [4, 1, 2]
MASS = [0.1395704, 0.000511, -1e-4, 0.1056584, 0.497611]
CHARGE = [1.0, -1.0, 0.0, 1.0, 0.0]


def edm4hep_file(path: Path, **changed: Any) -> dict[str, Any]:
    """An EDM4hep file of three events, one of them empty, with truth links and without tracks."""
    polar = objects(COUNTS)
    p4 = momenta(*(polar[name].values.astype(np.float64) for name in ("pt", "eta", "phi")), np.abs(MASS))
    columns: dict[str, Any] = {
        f"ReconstructedParticles.{name}": like(polar["pt"], p4[:, k])
        for k, name in enumerate(("energy", "momentum.x", "momentum.y", "momentum.z"))
    }
    columns |= {
        "ReconstructedParticles.charge": like(polar["pt"], CHARGE),
        "ReconstructedParticles.mass": like(polar["pt"], MASS),
        "Particle.PDG": Ragged(np.array([211, 22, -11, 111, 5, -13, 130], np.int32), np.array([0, 4, 5, 7])),
        "MCRecoAssociations#0.index": Ragged(np.array([0, 1, 1, 0, 1], np.int32), np.array([0, 3, 3, 5])),
        "MCRecoAssociations#1.index": Ragged(np.array([0, 2, 3, 0, 1], np.int32), np.array([0, 3, 3, 5])),
    } | changed
    write_present(path, "events", columns)
    return columns


def test_particles_flags_and_first_truth_links_are_kept(tmp_path: Path) -> None:
    columns = edm4hep_file(tmp_path / "a.root")
    dataset = converted("edm4hep", tmp_path / "out", tmp_path / "a.root")
    assert dataset.card.skipped == {"no particles": 1}
    expected = [
        columns[f"ReconstructedParticles.{name}"].values for name in ("energy", *(f"momentum.{a}" for a in "xyz"))
    ]
    np.testing.assert_array_equal(p4_of(dataset), np.stack(expected, axis=-1))
    assert lists(dataset, "part_pid") == [[211, -11, 0], [-13, 130]]
    assert lists(dataset, "part_charge") == [[1, -1, 0], [1, 0]]
    kinds = [["ChargedHadron", "Electron", "Photon"], ["Muon", "NeutralHadron"]]
    for kind in ("ChargedHadron", "NeutralHadron", "Photon", "Electron", "Muon"):
        assert lists(dataset, f"part_is{kind}") == [[name == kind for name in event] for event in kinds]


def test_a_file_without_truth_has_no_codes(tmp_path: Path) -> None:
    edm4hep_file(tmp_path / "a.root", **{"Particle.PDG": None})
    dataset = converted("edm4hep", tmp_path / "out", tmp_path / "a.root")
    assert "part_pid" not in dataset.columns
    assert "part_d0val" not in dataset.columns


def test_the_weight_is_that_of_the_header(tmp_path: Path) -> None:
    weight = Ragged(np.array([-0.25, 1, 2.5], np.float32), np.arange(4))
    edm4hep_file(tmp_path / "a.root", **{"EventHeader.weight": weight})
    dataset = converted("edm4hep", tmp_path / "out", tmp_path / "a.root", shard=2)
    assert np.asarray(dataset.read(["event_weight"])["event_weight"]).tolist() == [-0.25, 2.5]
    edm4hep_file(tmp_path / "b.root")
    assert "event_weight" not in converted("edm4hep", tmp_path / "none", tmp_path / "b.root").columns


@pytest.mark.parametrize(("name", "value"), [("MCRecoAssociations#0.index", 3), ("MCRecoAssociations#1.index", -2)])
def test_a_link_to_nowhere_is_refused(tmp_path: Path, name: str, value: int) -> None:
    link = Ragged(np.array([0, value, 1, 0, 1], np.int32), np.array([0, 3, 3, 5]))
    edm4hep_file(tmp_path / "a.root", **{name: link})
    with pytest.raises(JetkitError, match="links to a particle that is not there"):
        converted("edm4hep", tmp_path / "out", tmp_path / "a.root")


def test_an_event_with_a_momentum_of_nan_is_counted(tmp_path: Path) -> None:
    pz = like(objects(COUNTS)["pt"], [1, 2, np.nan, 3, 4])
    edm4hep_file(tmp_path / "a.root", **{"ReconstructedParticles.momentum.z": pz})
    dataset = converted("edm4hep", tmp_path / "out", tmp_path / "a.root")
    assert dataset.card.skipped == {"no particles": 1, "a momentum with NaN or infinity": 1}
    assert np.asarray(dataset.read(["event_id"])["event_id"]).tolist() == [2]


def test_a_missing_branch_is_named(tmp_path: Path) -> None:
    edm4hep_file(tmp_path / "a.root", **{"ReconstructedParticles.mass": None})
    with pytest.raises(JetkitError, match=r"has no branch ReconstructedParticles\.mass"):
        converted("edm4hep", tmp_path / "out", tmp_path / "a.root")


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    edm4hep_file(tmp_path / "a.root")
    refuses_what_is_damaged("edm4hep", tmp_path / "a.root")


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return converted("edm4hep", tmp_path_factory.mktemp("public") / "out", real(PUBLIC), shard=64)


def branch(tree: Any, name: str) -> Any:
    return tree[f"{name.split('.')[0]}/{name}"].array()


def test_public_events_have_the_truth_links_of_the_tree(public: Dataset) -> None:
    tree = tree_of(real(PUBLIC), "events")
    rec, true = (branch(tree, f"MCRecoAssociations#{k}.index") for k in (0, 1))
    codes = branch(tree, "Particle.PDG")
    expected = []
    for event, particles in enumerate(branch(tree, "ReconstructedParticles.type")):
        found = [0] * len(particles)
        for r, m in reversed(list(zip(rec[event], true[event], strict=True))):
            found[r] = int(codes[event][m])
        expected.append(found)
    assert lists(public, "part_pid") == expected
    assert len(public) == 100


def test_public_flags_agree_with_truth(public: Dataset) -> None:
    code, charge = np.abs(values(public, "part_pid")), values(public, "part_charge")
    electron, muon = values(public, "part_isElectron"), values(public, "part_isMuon")
    assert set(code[electron]) == {11}
    assert set(code[muon]) == {13}
    hard = (charge != 0) & (values(public, "part_energy") > 2)
    assert electron[hard & (code == 11)].all()
    assert muon[hard & (code == 13)].mean() > 0.95
    assert (values(public, "part_isPhoton") == ((code == 22) & (charge == 0))).mean() > 0.99
    np.testing.assert_array_equal(values(public, "part_isPhoton") | values(public, "part_isNeutralHadron"), charge == 0)


def test_photons_are_those_with_clusters_of_the_photon_collection(public: Dataset) -> None:
    tree = tree_of(real(PUBLIC), "events")
    photons = [len(event) for event in branch(tree, "EFlowPhoton.type")]
    hadrons = [len(event) for event in branch(tree, "EFlowNeutralHadron.type")]
    assert [sum(event) for event in lists(public, "part_isPhoton")] == photons
    assert [sum(event) for event in lists(public, "part_isNeutralHadron")] == hadrons


def test_impact_parameters_are_those_of_the_tracks(public: Dataset) -> None:
    tree = tree_of(real(PUBLIC), "events")
    charge = values(public, "part_charge")
    covariance = ak.to_numpy(ak.flatten(branch(tree, "EFlowTrack_1.covMatrix[21]"), axis=1))
    track = {
        "part_d0val": flat(branch(tree, "EFlowTrack_1.D0")),
        "part_dzval": flat(branch(tree, "EFlowTrack_1.Z0")),
        "part_d0err": np.sqrt(covariance[:, 0]),
        "part_dzerr": np.sqrt(covariance[:, 9]),
    }
    for name, expected in track.items():
        found = values(public, name)
        np.testing.assert_array_equal(found[charge == 0], 0)
        np.testing.assert_allclose(found[charge != 0], expected, rtol=1e-6)
        assert (expected != 0).all()
