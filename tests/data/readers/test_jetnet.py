from pathlib import Path

import numpy as np
import pytest

import jetkit.data.readers.jetnet  # noqa: F401 - registers the reader
from jetkit.data.card import Card, write_card
from jetkit.data.dataset import Dataset, open_dataset
from jetkit.data.ragged import Array, Ragged
from jetkit.data.readers.hdf5 import write_table
from jetkit.data.shards import write_shard
from jetkit.data.writers.jetnet import write_jetnet
from jetkit.errors import JetkitError

from ..conftest import make_jets
from .foreign_arrays import converted, damaged, p4_of, particles, web_page

COUNTS = [5, 30, 12, 7, 1, 3, 12, 2, 6]


@pytest.fixture
def features() -> tuple[Array, Array]:
    """Both arrays as JetNet has them: relative coordinates and a mask; pT, η, mass and multiplicity."""
    absolute = particles(COUNTS, 30, jet_eta=0.0)
    real = absolute[..., 0] > 0
    jets = np.stack([absolute[..., 0].sum(axis=1), np.linspace(-2, 2, 9), np.linspace(20, 180, 9), COUNTS], axis=1)
    relative = np.stack([absolute[..., 1], 0.1 * absolute[..., 2], absolute[..., 0] / jets[:, :1], real], axis=-1)
    return (relative * real[..., None]).astype(np.float32), jets.astype(np.float32)


def save(path: Path, features: tuple[Array, Array]) -> Path:
    write_table(path, {"particle_features": features[0], "jet_features": features[1]})
    return path


def test_relative_coordinates_and_jets_are_kept_exactly(tmp_path: Path, features: tuple[Array, Array]) -> None:
    found = converted("jetnet", tmp_path / "out", save(tmp_path / "t.hdf5", features))
    rows = found.read(["part_etarel", "part_phirel", "part_ptrel", "jet_pt", "jet_eta", "jet_mass", "jet_nparticles"])
    real = features[0][features[0][..., 3] > 0]
    for k, name in enumerate(("part_etarel", "part_phirel", "part_ptrel")):
        np.testing.assert_array_equal(rows[name].values, real[:, k])
    for k, name in enumerate(("jet_pt", "jet_eta", "jet_mass", "jet_nparticles")):
        np.testing.assert_array_equal(rows[name], features[1][:, k])


def test_momenta_follow_from_the_relative_coordinates(tmp_path: Path, features: tuple[Array, Array]) -> None:
    found = converted("jetnet", tmp_path / "out", save(tmp_path / "w150.hdf5", features))
    p4, counts = p4_of(found)
    assert counts.tolist() == COUNTS
    jet = np.repeat(np.arange(len(COUNTS)), COUNTS)
    eta_jet, pt_jet = features[1][jet, 1], features[1][jet, 0]
    real = features[0][features[0][..., 3] > 0]
    np.testing.assert_allclose(np.hypot(p4[:, 1], p4[:, 2]), real[:, 2] * pt_jet, rtol=3e-7)
    np.testing.assert_allclose(np.arctan2(p4[:, 2], p4[:, 1]), real[:, 1], atol=3e-7)
    np.testing.assert_allclose(
        p4[:, 3] / np.hypot(p4[:, 1], p4[:, 2]), np.sinh(eta_jet + real[:, 0]), rtol=1e-5, atol=1e-6
    )
    rows = found.read(["part_deta", "part_dphi", "jet_phi"])
    sign = np.where(eta_jet > 0, 1, -1)
    np.testing.assert_allclose(rows["part_deta"].values, sign * real[:, 0], atol=3e-6)
    np.testing.assert_allclose(rows["part_dphi"].values, real[:, 1], atol=3e-7)
    assert not np.any(rows["jet_phi"])


def test_the_class_is_told_by_the_name_of_the_file(tmp_path: Path, features: tuple[Array, Array]) -> None:
    files = [save(tmp_path / name, features) for name in ("g.hdf5", "q150.hdf5", "t.hdf5", "w30.hdf5", "Z.hdf5")]
    found = converted("jetnet", tmp_path / "out", *files)
    assert found.card.counts == {"g": 9, "q": 9, "t": 9, "w": 9, "z": 9}
    np.testing.assert_array_equal(found.read(["jet_label"])["jet_label"], np.repeat(np.arange(5), 9))


def test_the_option_label_goes_before_the_name(tmp_path: Path, features: tuple[Array, Array]) -> None:
    found = converted("jetnet", tmp_path / "out", save(tmp_path / "g.hdf5", features), label="w")
    assert found.card.counts == {"g": 0, "q": 0, "t": 0, "w": 9, "z": 0}


@pytest.mark.parametrize("kind", [">f4", "<f8", "<f2"])
def test_numbers_of_any_width_and_byte_order_are_read(tmp_path: Path, features: tuple[Array, Array], kind: str) -> None:
    stored = features[0].astype(kind)
    found = converted("jetnet", tmp_path / "out", save(tmp_path / "t.hdf5", (stored, features[1].astype(">f8"))))
    real = stored[stored[..., 3] > 0]
    np.testing.assert_array_equal(found.read(["part_ptrel"])["part_ptrel"].values, real[:, 2].astype(np.float32))


def test_unusable_jets_are_left_out_and_counted(tmp_path: Path, features: tuple[Array, Array]) -> None:
    features[0][0, 1, 0] = np.nan
    features[0][1] = 0
    features[0][2, 0, 2] = 0
    found = converted("jetnet", tmp_path / "out", save(tmp_path / "t.hdf5", features))
    expected = {"a momentum with NaN or infinity": 1, "no particles": 1, "a particle with E <= 0": 1}
    assert found.card.skipped == expected
    assert p4_of(found)[1].tolist() == COUNTS[3:]


def test_wrong_files_are_refused_in_one_sentence(tmp_path: Path, features: tuple[Array, Array]) -> None:
    good = save(tmp_path / "t.hdf5", features)
    write_table(tmp_path / "g.hdf5", {"particle_features": features[0]})
    for path, message in [
        (damaged(tmp_path / "q.hdf5", good), "cannot be read as HDF5"),
        (web_page(tmp_path / "w.hdf5"), "is a web page"),
        (tmp_path / "g.hdf5", "no branch jet_features"),
        (save(tmp_path / "z.hdf5", (features[0][..., :3], features[1])), r"not \(J, N, 4\) and \(J, 4\)"),
        (save(tmp_path / "jets.hdf5", features), "should be one of g, q, t, w, z"),
    ]:
        with pytest.raises(JetkitError, match=message):
            converted("jetnet", tmp_path / "out", path)
    with pytest.raises(JetkitError, match="label 'top' should be one of"):
        converted("jetnet", tmp_path / "out", good, label="top")


# -- the writer ----------------------------------------------------------------------------------------------------


def dataset(place: Path, classes: list[str], counts: list[int]) -> Dataset:
    """Jets of 1 to 60 particles, of one class a shard, whose axis lies near their particles."""
    place.mkdir()
    shards = []
    for label in range(len(classes)):
        rows = make_jets(counts, label=label, first_event=1000 * label, seed=label)
        rows["jet_mass"] = np.linspace(10, 200, len(counts))
        shards.append(write_shard(place / f"{label}.parquet", rows))
    write_card(place, Card("sample", classes=classes).with_shards(shards, complete=True))
    return open_dataset(place)


def test_our_jets_come_back_about_their_axis(tmp_path: Path) -> None:
    counts = [3, 17, 30, 1, 8]
    ours = dataset(tmp_path / "ours", ["gluon", "top"], counts)
    paths = write_jetnet(ours, tmp_path / "theirs")
    assert [path.name for path in paths] == ["g.hdf5", "t.hdf5"]
    back = converted("jetnet", tmp_path / "back", *paths)
    for name in ("jet_pt", "jet_eta", "jet_mass"):
        np.testing.assert_array_equal(back.read([name])[name], ours.read([name])[name])
    np.testing.assert_array_equal(back.read(["jet_label"])["jet_label"], [0] * 5 + [2] * 5)
    (before, sizes), (after, same) = p4_of(ours), p4_of(back)
    assert same.tolist() == sizes.tolist()
    turn = np.repeat(np.asarray(ours.read(["jet_phi"])["jet_phi"], np.float64), sizes)
    c, s = np.cos(turn), np.sin(turn)
    px, py = before[:, 1] * c + before[:, 2] * s, before[:, 2] * c - before[:, 1] * s
    expected = np.stack([before[:, 0], px, py, before[:, 3]], axis=-1)
    np.testing.assert_allclose(after, expected, rtol=2e-6, atol=1e-6 * before[:, 0].max())


def test_the_particles_of_largest_pt_are_written(tmp_path: Path) -> None:
    ours = dataset(tmp_path / "ours", ["W"], [50, 4])
    back = converted("jetnet", tmp_path / "back", *write_jetnet(ours, tmp_path / "theirs"))
    kept = back.read(["part_ptrel", "jet_nparticles"])
    before, _ = p4_of(ours)
    jet_pt = np.asarray(ours.read(["jet_pt"])["jet_pt"])
    assert kept["jet_nparticles"].tolist() == [30, 4]
    expected = np.sort(np.hypot(before[:50, 1], before[:50, 2]))[:-31:-1] / jet_pt[0]
    np.testing.assert_allclose(kept["part_ptrel"].values[:30], expected, rtol=1e-6)


def test_files_of_150_particles_are_named_as_the_public_ones(tmp_path: Path) -> None:
    ours = dataset(tmp_path / "ours", ["Z"], [50, 4])
    path = write_jetnet(ours, tmp_path / "theirs", particles=150)[0]
    assert path.name == "z150.hdf5"
    columns = converted("jetnet", tmp_path / "back", path).read(["part_px"])
    assert isinstance(columns["part_px"], Ragged)
    assert columns["part_px"].counts.tolist() == [50, 4]


def test_classes_that_jetnet_lacks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(JetkitError, match="no class 'Hbb'"):
        write_jetnet(dataset(tmp_path / "ours", ["top", "Hbb"], [3]), tmp_path / "theirs")
    assert not (tmp_path / "theirs").exists()
