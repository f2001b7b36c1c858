from pathlib import Path

import h5py
import numpy as np
import pytest

import jetkit.data.readers.top_tagging  # noqa: F401 - registers the reader
from jetkit.data.card import Card, write_card
from jetkit.data.dataset import Dataset, open_dataset
from jetkit.data.ragged import Array
from jetkit.data.shards import write_shard
from jetkit.data.writers.top_tagging import write_top_tagging
from jetkit.errors import JetkitError

from ..conftest import make_jets
from .foreign_arrays import converted, damaged, momenta, p4_of, pandas_file, particles, web_page

COUNTS = [5, 1, 200, 7, 9, 3, 12, 2, 6]
TRUTH = ("truthE", "truthPX", "truthPY", "truthPZ")


@pytest.fixture
def columns() -> dict[str, Array]:
    """What a public file has: 200 places of (E, PX, PY, PZ), float32; momentum of the top; ttv and is_signal_new."""
    jets = particles(COUNTS, 200)
    p4 = momenta(*np.moveaxis(jets, -1, 0)) * (jets[..., :1] > 0)
    names = [f"{axis}_{place}" for place in range(200) for axis in ("E", "PX", "PY", "PZ")]
    found = dict(zip(names, p4.reshape(len(jets), -1).astype(np.float32).T, strict=True))
    label = np.arange(len(jets)) % 2
    found |= {
        name: (600 + k + np.arange(len(jets))).astype(np.float32) * label.astype(np.float32)
        for k, name in enumerate(TRUTH)
    }
    return found | {"ttv": np.full(len(jets), 2), "is_signal_new": label}


def stored(columns: dict[str, Array]) -> Array:
    """Momenta (E, px, py, pz) of the real particles."""
    p4 = np.stack(list(columns.values())[:800], axis=1).reshape(-1, 200, 4)
    return p4[p4[..., 0] > 0]


@pytest.mark.parametrize("options", [{}, {"complib": "blosc", "complevel": 5}, {"complib": "zlib", "complevel": 3}])
@pytest.mark.parametrize("format", ["fixed", "table"])
def test_all_numbers_are_kept(
    tmp_path: Path, columns: dict[str, Array], format: str, options: dict[str, object]
) -> None:
    file = pandas_file(tmp_path / "train.h5", columns, key="table", format=format, **options)
    found = converted("top-tagging", tmp_path / "out", file)
    p4, counts = p4_of(found)
    assert counts.tolist() == COUNTS
    assert found.classes == ("QCD", "top")
    np.testing.assert_array_equal(p4, stored(columns))
    names = {"jet_label": "is_signal_new", "ttv": "ttv"}
    names |= dict(zip(("truth_energy", "truth_px", "truth_py", "truth_pz"), TRUTH, strict=True))
    rows = found.read(list(names))
    for ours, theirs in names.items():
        np.testing.assert_array_equal(rows[ours], columns[theirs])
    assert found.card.notes[1:] == ["left out: index (number of the row)"]


def test_the_jet_is_the_sum_of_its_particles(tmp_path: Path, columns: dict[str, Array]) -> None:
    file = pandas_file(tmp_path / "train.h5", columns, key="table", format="table")
    rows = converted("top-tagging", tmp_path / "out", file).read(["jet_pt", "jet_mass", "jet_nparticles"])
    ends = np.cumsum(COUNTS)
    total = np.array([part.astype(np.float64).sum(axis=0) for part in np.split(stored(columns), ends)[:-1]])
    np.testing.assert_allclose(rows["jet_pt"], np.hypot(total[:, 1], total[:, 2]), rtol=1e-6)
    mass = np.sqrt(np.maximum(total[:, 0] ** 2 - (total[:, 1:] ** 2).sum(axis=1), 0))
    np.testing.assert_allclose(rows["jet_mass"], mass, rtol=1e-5, atol=1e-2)
    assert rows["jet_nparticles"].tolist() == COUNTS


@pytest.mark.parametrize("kind", [">f4", "<f8", "<f2"])
def test_numbers_of_any_width_and_byte_order_are_read(tmp_path: Path, columns: dict[str, Array], kind: str) -> None:
    values = np.stack([columns[name] for name in list(columns)[:804]], axis=1).astype(kind)
    names = np.array(list(columns), "S")
    with h5py.File(tmp_path / "train.h5", "w") as file:
        file["table/axis0"], file["table/axis1"] = names, np.arange(len(values))
        file["table/block0_items"], file["table/block0_values"] = names[:804], values
        file["table/block1_items"] = names[804:]
        file["table/block1_values"] = np.stack([columns["ttv"], columns["is_signal_new"]], axis=1).astype(">i8")
    p4, _ = p4_of(converted("top-tagging", tmp_path / "out", tmp_path / "train.h5"))
    np.testing.assert_array_equal(p4, stored(dict(zip(columns, values.T.astype(np.float32), strict=False))))


def test_unusable_jets_are_left_out_and_counted(tmp_path: Path, columns: dict[str, Array]) -> None:
    columns["PX_2"][0] = np.nan
    for axis in ("E", "PX", "PY", "PZ"):
        columns[f"{axis}_0"][1] = 0
    columns["PX_3"][2] = columns["PY_3"][2] = 0
    columns["E_0"][3] = -1
    file = pandas_file(tmp_path / "train.h5", columns, key="table", format="table")
    found = converted("top-tagging", tmp_path / "out", file)
    assert found.card.skipped == {
        "a momentum with NaN or infinity": 1,
        "no particles": 1,
        "a particle with pT = 0": 1,
        "a particle with E <= 0": 1,
    }
    np.testing.assert_array_equal(found.read(["jet_label"])["jet_label"], columns["is_signal_new"][4:])


def test_wrong_files_are_refused_in_one_sentence(tmp_path: Path, columns: dict[str, Array]) -> None:
    good = pandas_file(tmp_path / "good.h5", columns, key="table", format="table")
    few = {name: values for name, values in columns.items() if name != "PZ_7"}
    for path, message in [
        (damaged(tmp_path / "cut.h5", good), "cannot be read as HDF5"),
        (web_page(tmp_path / "page.h5"), "is a web page"),
        (pandas_file(tmp_path / "few.h5", few, key="table", format="table"), "no branch PZ_7"),
        (pandas_file(tmp_path / "key.h5", columns, key="jets", format="table"), "no pandas table 'table'; it has jets"),
    ]:
        with pytest.raises(JetkitError, match=message):
            converted("top-tagging", tmp_path / "out", path)


# -- the writer ----------------------------------------------------------------------------------------------------


def ours(place: Path, counts: list[int], classes: tuple[str, ...] = ("QCD", "top")) -> Dataset:
    place.mkdir()
    shards = [
        write_shard(place / f"{label}.parquet", make_jets(counts, label=label, seed=label))
        for label in range(len(classes))
    ]
    write_card(place, Card("sample", classes=list(classes)).with_shards(shards, complete=True))
    return open_dataset(place)


def test_our_jets_come_back_to_the_bit(tmp_path: Path) -> None:
    pytest.importorskip("tables")
    dataset = ours(tmp_path / "ours", [3, 17, 200, 1])
    write_top_tagging(dataset, tmp_path / "val.h5", ttv=2)
    back = converted("top-tagging", tmp_path / "back", tmp_path / "val.h5")
    for before, after in zip(p4_of(dataset), p4_of(back), strict=True):
        np.testing.assert_array_equal(before, after)
    rows = back.read(["jet_label", "ttv", "truth_px"])
    assert rows["jet_label"].tolist() == [0] * 4 + [1] * 4
    assert rows["ttv"].tolist() == [2] * 8
    assert not rows["truth_px"].any()


def test_what_was_read_is_written_again_in_full(tmp_path: Path, columns: dict[str, Array]) -> None:
    pandas = pytest.importorskip("pandas")
    file = pandas_file(tmp_path / "train.h5", columns, key="table", format="table")
    write_top_tagging(converted("top-tagging", tmp_path / "out", file), tmp_path / "again.h5")
    pandas.testing.assert_frame_equal(
        pandas.read_hdf(tmp_path / "again.h5", "table"), pandas.read_hdf(file, "table"), check_like=True
    )


def test_pandas_opens_what_was_written_in_several_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pandas = pytest.importorskip("pandas")
    monkeypatch.setattr("jetkit.data.writers.top_tagging.AT_ONCE", 3)
    dataset = ours(tmp_path / "ours", [3, 17, 200, 1])
    write_top_tagging(dataset, tmp_path / "train.h5")
    frame = pandas.read_hdf(tmp_path / "train.h5", "table")
    assert list(frame.columns[:5]) == ["E_0", "PX_0", "PY_0", "PZ_0", "E_1"]
    assert frame.index.tolist() == list(range(8))
    assert frame["E_0"].dtype == np.float32
    assert frame["is_signal_new"].tolist() == [0] * 4 + [1] * 4
    np.testing.assert_array_equal(
        frame["PX_0"], [dataset.read(["part_px"])["part_px"].values[k] for k in starts(dataset)]
    )


def starts(dataset: Dataset) -> Array:
    return dataset.read(["part_px"])["part_px"].offsets[:-1]


def test_the_200_particles_of_largest_pt_are_written(tmp_path: Path) -> None:
    pytest.importorskip("tables")
    dataset = ours(tmp_path / "ours", [230, 2])
    write_top_tagging(dataset, tmp_path / "train.h5")
    p4, counts = p4_of(converted("top-tagging", tmp_path / "back", tmp_path / "train.h5"))
    assert counts.tolist() == [200, 2, 200, 2]
    np.testing.assert_array_equal(p4[:200], p4_of(dataset)[0][:200])


def test_more_than_two_classes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(JetkitError, match="two classes"):
        write_top_tagging(ours(tmp_path / "ours", [3], ("QCD", "W", "top")), tmp_path / "train.h5")
    assert not (tmp_path / "train.h5").exists()
