from pathlib import Path

import numpy as np
import pytest

import jetkit.data.readers.quark_gluon  # noqa: F401 - registers the reader
from jetkit.data.ragged import Array
from jetkit.errors import JetkitError

from .foreign_arrays import converted, damaged, momenta, p4_of, particles, web_page, with_pid

COUNTS = [5, 1, 12, 7, 9, 3, 12, 2, 6]
LABELS = np.array([1.0, 0, 0, 1, 1, 0, 1, 0, 1])


@pytest.fixture
def jets() -> Array:
    return with_pid(particles(COUNTS, 12))


def save(path: Path, jets: Array, labels: Array = LABELS) -> Path:
    np.savez_compressed(path, X=jets, y=labels)
    return path


def test_particles_are_massless_with_their_rapidity_as_pseudorapidity(tmp_path: Path, jets: Array) -> None:
    found = converted("quark-gluon", tmp_path / "out", save(tmp_path / "QG_jets.npz", jets))
    p4, counts = p4_of(found)
    real = jets[jets[..., 0] > 0]
    assert counts.tolist() == COUNTS
    np.testing.assert_array_equal(p4, momenta(real[:, 0], real[:, 1], real[:, 2]).astype(np.float32))


def test_labels_codes_charges_and_flags_are_those_of_the_file(tmp_path: Path, jets: Array) -> None:
    found = converted("quark-gluon", tmp_path / "out", save(tmp_path / "QG_jets.npz", jets))
    names = [
        "part_pid",
        "part_charge",
        "part_isElectron",
        "part_isPhoton",
        "part_isChargedHadron",
        "part_isNeutralHadron",
    ]
    columns = {name: column.values for name, column in found.read(names).items()}
    pid = jets[jets[..., 0] > 0][:, 3].astype(int)
    charge = {211: 1, 321: 1, 2212: 1, -11: 1, -13: 1, -211: -1, -321: -1, -2212: -1, 11: -1, 13: -1}
    assert found.classes == ("gluon", "quark")
    np.testing.assert_array_equal(found.read(["jet_label"])["jet_label"], LABELS)
    np.testing.assert_array_equal(columns["part_pid"], pid)
    np.testing.assert_array_equal(columns["part_charge"], [charge.get(code, 0) for code in pid])
    np.testing.assert_array_equal(columns["part_isElectron"], np.isin(pid, [11, -11]))
    np.testing.assert_array_equal(columns["part_isPhoton"], pid == 22)
    np.testing.assert_array_equal(columns["part_isChargedHadron"], np.isin(np.abs(pid), [211, 321, 2212]))
    np.testing.assert_array_equal(columns["part_isNeutralHadron"], np.isin(pid, [130, 2112]))


def test_files_with_different_numbers_of_places_make_one_dataset(tmp_path: Path, jets: Array) -> None:
    wider = np.pad(jets, [(0, 0), (0, 9), (0, 0)])
    files = [save(tmp_path / "QG_jets.npz", jets), save(tmp_path / "QG_jets_herwig_0.npz", wider)]
    p4, counts = p4_of(converted("quark-gluon", tmp_path / "out", *files))
    assert counts.tolist() == COUNTS * 2
    np.testing.assert_array_equal(*np.split(p4, 2))


@pytest.mark.parametrize("kind", [">f8", "<f4", "<f2"])
def test_numbers_of_any_width_and_byte_order_are_read(tmp_path: Path, jets: Array, kind: str) -> None:
    stored = jets.astype(kind)
    p4, _ = p4_of(converted("quark-gluon", tmp_path / "out", save(tmp_path / "QG_jets.npz", stored)))
    real = stored.astype(np.float64)[jets[..., 0] > 0]
    np.testing.assert_allclose(p4, momenta(real[:, 0], real[:, 1], real[:, 2]), rtol=1e-6, atol=1e-5)


def test_arrays_stored_by_column_are_read(tmp_path: Path, jets: Array) -> None:
    files = [save(tmp_path / "rows.npz", jets), save(tmp_path / "columns.npz", np.asfortranarray(jets))]
    p4, _ = p4_of(converted("quark-gluon", tmp_path / "out", *files))
    np.testing.assert_array_equal(*np.split(p4, 2))


def test_the_shards_do_not_depend_on_the_size_of_the_pieces(tmp_path: Path, jets: Array) -> None:
    file = save(tmp_path / "QG_jets.npz", jets)
    one = converted("quark-gluon", tmp_path / "one", file, shard=100)
    many = converted("quark-gluon", tmp_path / "many", file, shard=2)
    np.testing.assert_array_equal(p4_of(one)[0], p4_of(many)[0])
    assert one.read(["event_id"])["event_id"].tolist() == many.read(["event_id"])["event_id"].tolist()


def test_unusable_jets_are_left_out_and_counted(tmp_path: Path, jets: Array) -> None:
    jets[0, 1, 0] = np.nan
    jets[1] = 0
    jets[2, 3, 0] = 0
    jets[3, 2, 3] = np.nan
    jets[4, 0, 1] = -np.inf
    found = converted("quark-gluon", tmp_path / "out", save(tmp_path / "QG_jets.npz", jets))
    assert found.card.skipped == {
        "a momentum with NaN or infinity": 2,
        "no particles": 1,
        "a particle with E <= 0": 1,
        "a PDG code that is no whole number": 1,
    }
    assert p4_of(found)[1].tolist() == COUNTS[5:]
    np.testing.assert_array_equal(found.read(["jet_label"])["jet_label"], LABELS[5:])


def test_other_arrays_are_listed_in_the_card(tmp_path: Path, jets: Array) -> None:
    np.savez(tmp_path / "QG_jets.npz", X=jets, y=LABELS, weights=LABELS, author=np.array("me"))
    found = converted("quark-gluon", tmp_path / "out", tmp_path / "QG_jets.npz")
    assert "unknown branches, left out: author, weights" in found.card.notes


def test_wrong_files_are_refused_in_one_sentence(tmp_path: Path, jets: Array) -> None:
    good = save(tmp_path / "good.npz", jets)
    np.savez(tmp_path / "lacks.npz", X=jets)
    np.savez(tmp_path / "pickled.npz", X=np.array([{"a": 1}], object), y=LABELS)
    for path, message in [
        (damaged(tmp_path / "cut.npz", good), "cut.npz cannot be read as NumPy .*copy or download it again"),
        (web_page(tmp_path / "page.npz"), "is a web page"),
        (tmp_path / "lacks.npz", "no branch y"),
        (save(tmp_path / "shape.npz", jets[..., :3]), r"X should be \(jets, particles, 4\)"),
        (save(tmp_path / "short.npz", jets, LABELS[:-1]), r"X should be \(jets, particles, 4\)"),
        (tmp_path / "pickled.npz", "holds no rows of numbers"),
    ]:
        with pytest.raises(JetkitError, match=message):
            converted("quark-gluon", tmp_path / "out", path)


def test_damage_inside_an_array_is_found(tmp_path: Path, jets: Array) -> None:
    path = save(tmp_path / "flipped.npz", jets)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(JetkitError, match="cannot be read as NumPy"):
        converted("quark-gluon", tmp_path / "out", path)
