"""CaloChallenge: voxels become clouds of cells and clouds become voxels again."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jetkit.data.card import read_card
from jetkit.data.convert import ConvertOptions, convert
from jetkit.data.dataset import open_dataset
from jetkit.data.ragged import Ragged
from jetkit.data.readers import calo_challenge as module
from jetkit.data.readers.calo_challenge import SETS, CaloChallenge, voxels, voxels_of
from jetkit.data.shards import ShardReader
from jetkit.errors import JetkitError

FOREIGN = runpy.run_path(str(Path(__file__).with_name("foreign_hits.py")))
make_showers, write_showers = FOREIGN["make_showers"], FOREIGN["write_showers"]
ULP = 2**-23
"""Two roundings to single precision, of an energy in GeV and of one in MeV."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_showers(tmp_path / "dataset.hdf5", *make_showers(368))


def converted(file: Path, folder: Path, **values: Any) -> dict[str, Any]:
    options = ConvertOptions(out=str(folder / "out"), shard=100)
    convert("calo-challenge", [file], options, values)
    with ShardReader(folder / "out" / "0000-000000000.parquet") as shard:
        return shard.read(list(shard.columns))


@pytest.mark.parametrize(("size", "name"), SETS.items())
def test_voxels_become_a_cloud_and_voxels_again(size: int, name: str, tmp_path: Path) -> None:
    showers, incident = make_showers(size)
    rows = converted(write_showers(tmp_path / "showers.hdf5", showers, incident), tmp_path)
    assert rows["cell_energy"].counts.tolist() == (showers > 0).sum(axis=1).tolist()
    np.testing.assert_allclose(voxels_of(rows, name), showers, rtol=ULP, atol=0)
    np.testing.assert_array_equal(rows["shower_energy"], (incident[:, 0] / 1000).astype(np.float32))


@pytest.mark.parametrize(("size", "name"), SETS.items())
def test_a_cloud_becomes_voxels_and_the_same_cloud_again(size: int, name: str, tmp_path: Path) -> None:
    showers, incident = make_showers(size)
    once = CaloChallenge(write_showers(tmp_path / "once.hdf5", showers, incident)).read(0, 5)
    again = CaloChallenge(write_showers(tmp_path / "again.hdf5", voxels_of(once, name), incident, "f4")).read(0, 5)
    assert once.keys() == again.keys()
    np.testing.assert_allclose(again["cell_energy"].values, once["cell_energy"].values, rtol=ULP)
    for column in ("cell_x", "cell_y", "cell_r", "cell_alpha", "cell_layer"):
        np.testing.assert_array_equal(again[column].values, once[column].values)
        np.testing.assert_array_equal(again[column].offsets, once[column].offsets)


@pytest.mark.parametrize(("name", "rings", "sectors", "step"), [("2", 9, 16, 4.65), ("3", 18, 50, 2.325)])
def test_r_runs_fastest_then_alpha_then_the_layer(name: str, rings: int, sectors: int, step: float) -> None:
    found = iter(zip(*voxels(name), strict=True))
    for layer in range(45):
        for sector in range(sectors):
            for ring in range(rings):
                r, alpha, number = next(found)
                assert number == layer
                assert r == pytest.approx((ring + 0.5) * step)
                assert alpha == pytest.approx(-np.pi + (sector + 0.5) * 2 * np.pi / sectors)
    assert next(found, None) is None


def test_irregular_rings_have_their_mid_points_and_uncut_rings_lie_at_zero() -> None:
    r, alpha, layer = voxels("1-photons")
    assert np.unique(layer, return_counts=True)[1].tolist() == [8, 160, 190, 5, 5]
    assert r[layer == 12].tolist() == [50, 150, 300, 700, 1500]
    assert not alpha[np.isin(layer, [0, 3, 12])].any()
    assert np.unique(voxels("1-pions").layer).tolist() == [0, 1, 2, 3, 12, 13, 14]


def test_cells_have_cartesian_places_in_millimetres(file: Path) -> None:
    rows = CaloChallenge(file).read(0, 5)
    r, alpha = rows["cell_r"].values, rows["cell_alpha"].values
    np.testing.assert_allclose(rows["cell_x"].values, r * np.cos(alpha), rtol=1e-6, atol=1e-4)
    np.testing.assert_allclose(rows["cell_y"].values, r * np.sin(alpha), rtol=1e-6, atol=1e-4)


def test_all_voxels_are_kept_in_stored_order(file: Path, tmp_path: Path) -> None:
    rows = converted(file, tmp_path, form="voxels")
    assert rows["cell_energy"].counts.tolist() == [368] * 5
    np.testing.assert_allclose(rows["cell_energy"].values.reshape(5, 368), make_showers(368)[0] / 1000, rtol=ULP)


def test_voxels_at_the_threshold_are_no_cells(tmp_path: Path) -> None:
    showers, incident = make_showers(368)
    showers[0, :3] = [0.99, 1, 1.01]
    rows = CaloChallenge(write_showers(tmp_path / "a.h5", showers, incident), threshold=1.0).read(0, 5)
    assert rows["cell_energy"].counts.tolist() == (showers > 1).sum(axis=1).tolist()


def test_energies_of_cells_in_one_voxel_add_up() -> None:
    values = {"r": [1.0, 2.0], "alpha": [3.1, 3.1], "layer": [5, 5], "energy": [0.5, 0.25]}
    rows = {f"cell_{name}": Ragged(np.array(column), np.array([0, 2])) for name, column in values.items()}
    assert voxels_of(rows, "2")[0, 5 * 144 + 15 * 9] == 750


def test_reading_a_few_at_a_time_changes_nothing(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = CaloChallenge(file).read(1, 5)
    monkeypatch.setattr(module, "AT_ONCE", 800)
    parts = CaloChallenge(file).read(1, 5)
    for name in whole.keys() - {"shower_energy", "entry"}:
        np.testing.assert_array_equal(parts[name].values, whole[name].values)
        np.testing.assert_array_equal(parts[name].offsets, whole[name].offsets)
    np.testing.assert_array_equal(parts["shower_energy"], whole["shower_energy"])


@pytest.mark.parametrize("form", ["cloud", "voxels"])
def test_showers_that_cannot_be_are_counted(form: str, tmp_path: Path) -> None:
    showers, incident = make_showers(368, showers=6)
    showers[0, 5], showers[1, 5], incident[2], incident[3] = np.nan, -1, 0, np.inf
    rows = converted(write_showers(tmp_path / "a.h5", showers, incident), tmp_path, form=form)
    assert len(rows["shower_energy"]) == 2
    assert read_card(tmp_path / "out").skipped == {
        "a shower with NaN or infinity": 2,
        "a shower with a negative energy, or of no incident energy": 2,
    }


def test_a_file_of_which_no_shower_can_be_used_gives_no_rows(tmp_path: Path) -> None:
    showers, incident = make_showers(368)
    assert len(converted(write_showers(tmp_path / "a.h5", showers, -incident), tmp_path)["shower_energy"]) == 0


@pytest.mark.parametrize(
    ("values", "sentence"),
    [({"set": "2"}, r"shape \(5, 368\) are not those of set=2"), ({"threshold": -1.0}, "threshold should be")],
)
def test_options_that_do_not_fit_are_refused(file: Path, values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(JetkitError, match=sentence):
        CaloChallenge(file, **values)


@pytest.mark.parametrize(
    ("showers", "incident", "sentence"),
    [
        (np.ones((5, 367)), np.ones((5, 1)), "not those of set=any"),
        (np.ones(368), np.ones((5, 1)), "not those of set=any"),
        (np.ones((5, 368)), np.ones((4, 1)), "5 showers but incident_energies"),
    ],
)
def test_datasets_of_other_shapes_are_refused(showers: Any, incident: Any, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(JetkitError, match=sentence):
        CaloChallenge(write_showers(tmp_path / "a.hdf5", showers, incident))


def test_a_file_without_showers_is_refused(tmp_path: Path) -> None:
    FOREIGN["write_spanet"](tmp_path / "a.h5", {"incident_energies": np.ones((5, 1))})
    with pytest.raises(JetkitError, match="has no branch showers"):
        CaloChallenge(tmp_path / "a.h5")


@pytest.mark.parametrize("content", [b"<!DOCTYPE html><html>not found</html>", b""])
def test_what_is_no_hdf5_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.hdf5").write_bytes(content)
    with pytest.raises(JetkitError, match=r"a web page|is empty"):
        CaloChallenge(tmp_path / "a.hdf5")


def test_a_file_that_is_cut_short_is_refused(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-500])
    with pytest.raises(JetkitError, match="cannot be read as HDF5"):
        CaloChallenge(file).read(0, 5)


@pytest.mark.parametrize(
    ("layer", "r", "alpha"), [(4, 1.0, 0.0), (13, 1.0, 0.0), (0, 600.5, 0.0), (0, -1.0, 0.0), (0, np.nan, 0.0),
                              (0, 1.0, np.nan), (12, 2000.0, 0.0)],
)  # fmt: skip
def test_a_cell_outside_of_the_calorimeter_is_refused(layer: int, r: float, alpha: float) -> None:
    values = {"r": r, "alpha": alpha, "layer": layer, "energy": 1.0}
    rows = {f"cell_{name}": Ragged(np.array([value]), np.array([0, 1])) for name, value in values.items()}
    with pytest.raises(JetkitError, match="outside of the calorimeter"):
        voxels_of(rows, "1-photons")


def test_cells_stream_as_clouds(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    convert("calo-challenge", [file], ConvertOptions(out=str(out), shard=2))
    dataset = open_dataset(out)
    names = ("cell_x", "cell_y", "cell_layer", "cell_energy")
    stored = dataset.read([*names, "shower_energy"])
    batches = dataset.batches(features=names, row=["shower_energy"], batch=3, shuffle=False)
    assert batches.spec.units["cell_x"] == "mm"
    found = 0
    for batch in batches:
        assert batch.p4 is None
        assert batch.index.row is not None
        for x, mask, shower, row in zip(batch.x, batch.mask, batch.row, batch.index.row, strict=True):
            low, high = stored["cell_x"].offsets[row : row + 2]
            expected = np.stack([stored[name].values[low:high] for name in names], axis=1)
            np.testing.assert_array_equal(x[mask], expected)
            np.testing.assert_array_equal(shower, stored["shower_energy"][row : row + 1])
            found += 1
    assert dict(batches.skipped) == {"no particles": 1}
    assert found == len(dataset) - 1 == 4
    with pytest.raises(JetkitError, match=r"lacks part_energy, .* name columns in a list"):
        dataset.batches()
    both = dataset.spec(["cell_x", "shower_energy"])
    assert (both.features, both.row) == (("cell_x",), ("shower_energy",))
    with pytest.raises(JetkitError, match=r"no column cell_z: it has .*cell_alpha"):
        dataset.batches(features=["cell_z"])
