from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import jetkit.data.readers.jetclass2
from jetkit.data.columns import COLUMNS
from jetkit.data.dataset import Dataset
from jetkit.data.labels import JETCLASS_II
from jetkit.data.ragged import Ragged
from jetkit.data.readers.parquet_table import ParquetTable
from jetkit.data.readers.root import write_tree
from jetkit.errors import JetkitError
from jetkit.physics.grooming import soft_drop
from jetkit.physics.ragged import sum_per_jet
from jetkit.physics.subjettiness import n_subjettiness

from .foreign_root import converted, flat, jets, p4_of, real, refuses_what_is_damaged, same, tree_of

BRANCHES = jetkit.data.readers.jetclass2.BRANCHES


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The public example, from Parquet."""
    return converted(
        "jetclass2", tmp_path_factory.mktemp("jets") / "out", real("jets/JetClassII_example.parquet"), shard=64
    )


def parquet_file(path: Path, counts: list[int], group: int = 3, leave_out: str = "") -> Path:
    """A Parquet file as the public ones, in small row groups."""
    columns = jets(counts) | {"jet_label": np.arange(len(counts), dtype=np.int32)}
    table = {
        name: pa.ListArray.from_arrays(pa.array(column.offsets, pa.int32()), pa.array(column.values))
        if isinstance(column, Ragged)
        else pa.array(column)
        for name, column in columns.items()
        if name != leave_out
    }
    pq.write_table(pa.table(table), path, row_group_size=group, compression="zstd")
    return path


def test_the_public_file_has_all_54_branches_and_no_other(public: Dataset) -> None:
    names = tree_of(real("jets/JetClassII_example.root"), "tree").keys()
    assert list(BRANCHES) == names
    assert set(public.columns) == {*names, "event_id", "jet_mass"}
    assert public.classes == tuple(JETCLASS_II)
    assert len(public) == 100
    assert [note for note in public.card.notes if "unknown" in note] == []


def test_root_and_parquet_give_equal_jets(public: Dataset, tmp_path: Path) -> None:
    other = converted("jetclass2", tmp_path / "out", real("jets/JetClassII_example.root"), shard=64)
    ours, theirs = public.read(list(public.columns)), other.read(list(public.columns))
    for name in public.columns:
        same(ours[name], theirs[name])


def test_every_number_is_that_of_the_tree(public: Dataset) -> None:
    tree = tree_of(real("jets/JetClassII_example.root"), "tree")
    for name, column in public.read(list(BRANCHES)).items():
        values = column.values if isinstance(column, Ragged) else column
        np.testing.assert_array_equal(values, flat(tree[name].array()))
        assert values.dtype == COLUMNS[name].dtype


def test_positions_and_momenta_of_the_public_jets_close(public: Dataset) -> None:
    rows = public.read(["part_deta", "jet_eta", "jet_pt"])
    p4, column = p4_of(public).astype(np.float64), rows["part_deta"]
    assert isinstance(column, Ragged)
    jet = np.repeat(np.arange(100), column.counts)
    eta, axis = np.arcsinh(p4[:, 3] / np.hypot(p4[:, 1], p4[:, 2])), np.asarray(rows["jet_eta"], np.float64)
    assert np.abs(np.sign(axis[jet]) * (eta - axis[jet]) - column.values).max() < 5e-7
    px, py = (sum_per_jet(p4[:, k], column.offsets) for k in (1, 2))
    assert np.abs(np.hypot(px, py) / rows["jet_pt"] - 1).max() < 5e-7


def test_soft_drop_and_subjettiness_agree_with_those_stored(public: Dataset) -> None:
    rows = public.read(["part_px", "jet_sdmass", "jet_nparticles", *(f"jet_tau{n}" for n in range(1, 5))])
    p4, column = p4_of(public).astype(np.float64), rows["part_px"]
    assert isinstance(column, Ragged)
    mass = soft_drop(p4, column.offsets).mass
    tau = n_subjettiness(p4, column.offsets)
    many = column.counts >= 20
    stored = np.asarray(rows["jet_sdmass"])
    ratios = [float(np.median(mass[many & (stored > 10)] / stored[many & (stored > 10)]))]
    ratios += [float(np.median(tau[many, n - 1] / np.asarray(rows[f"jet_tau{n}"])[many])) for n in range(1, 5)]
    np.testing.assert_allclose(ratios, [1.0, 1.0, 1.0, 1.0, 1.0], atol=0.03)


def test_pieces_that_cut_row_groups_give_every_row_once(tmp_path: Path) -> None:
    counts = [3, 1, 2, 4, 2, 5, 7, 1, 2, 9, 6]
    table = ParquetTable(parquet_file(tmp_path / "a.parquet", counts))
    whole = table.read(["part_px", "jet_label"], 0, 11)
    for start, stop in ((0, 2), (2, 7), (3, 6), (8, 11), (10, 11)):
        part = table.read(["part_px", "jet_label"], start, stop)
        px, all_px = part["part_px"], whole["part_px"]
        assert isinstance(px, Ragged)
        assert isinstance(all_px, Ragged)
        np.testing.assert_array_equal(part["jet_label"], np.arange(start, stop))
        np.testing.assert_array_equal(px.counts, counts[start:stop])
        np.testing.assert_array_equal(px.values, all_px.values[all_px.offsets[start] : all_px.offsets[stop]])
    table.close()


@pytest.mark.parametrize("branch", ["part_px", "jet_label"])
def test_a_missing_branch_is_named(tmp_path: Path, branch: str) -> None:
    file = parquet_file(tmp_path / "a.parquet", [2, 3], leave_out=branch)
    with pytest.raises(JetkitError, match=f"has no branch {branch}"):
        converted("jetclass2", tmp_path / "out", file)


def test_bad_jets_are_counted_by_reason(tmp_path: Path) -> None:
    columns = jets([2, 0, 1, 3]) | {"jet_label": np.arange(4, dtype=np.int32)}
    px, py, energy = (columns[f"part_{name}"] for name in ("px", "py", "energy"))
    px.values[0], energy.values[4] = np.nan, -1.0
    px.values[2] = py.values[2] = 0.0
    write_tree(tmp_path / "a.root", "tree", columns)
    dataset = converted("jetclass2", tmp_path / "out", tmp_path / "a.root")
    assert len(dataset) == 0
    assert dataset.card.skipped == {
        "a momentum with NaN or infinity": 1,
        "no particles": 1,
        "a particle with pT = 0": 1,
        "a particle with E <= 0": 1,
    }


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    refuses_what_is_damaged("jetclass2", parquet_file(tmp_path / "a.parquet", [2, 3]))
