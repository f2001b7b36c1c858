from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jetkit.data.dataset import open_dataset
from jetkit.data.labels import JETCLASS_II
from jetkit.data.shards import write_shard
from jetkit.data.split import hash_share
from jetkit.errors import JetkitError

Jets = Callable[..., dict[str, Any]]
Columns = Mapping[str, Any]


def central(jets: Columns) -> np.ndarray:
    return np.abs(jets["jet_eta"]) < 1


def crowded(jets: Columns) -> np.ndarray:
    return jets["part_px"].counts > 30


def test_a_folder_with_a_card(folder: Path) -> None:
    dataset = open_dataset(folder)
    assert (len(dataset), dataset.classes, dataset.card.counts) == (
        4000,
        ("QCD", "W", "top"),
        {"QCD": 2500, "W": 1200, "top": 300},
    )


@pytest.mark.parametrize("pattern", ["{}", "{}/*.parquet", "{}/1.parquet"])
def test_files_without_a_card(tmp_path: Path, folder: Path, pattern: str) -> None:
    for file in folder.glob("*.parquet"):
        shutil.copy(file, tmp_path)
    dataset = open_dataset(pattern.format(tmp_path))
    assert len(dataset) == (1200 if "1" in pattern[-9:] else 4000)
    assert dataset.classes[-1] == ("class 1" if "1" in pattern[-9:] else "class 2")
    assert dataset.card.columns["jet_pt"]["unit"] == "GeV"


def test_public_files_have_the_classes_of_jetclass_ii(real: Path) -> None:
    dataset = open_dataset(real)
    assert dataset.classes == tuple(JETCLASS_II)
    assert (len(dataset.classes), len(set(dataset.classes)), len(dataset)) == (188, 188, 100)


def test_nothing_to_open_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(JetkitError, match="holds no Parquet files: give a folder, a file or a pattern"):
        open_dataset(tmp_path)


@pytest.mark.parametrize("damage", ["absent", "short"])
def test_a_shard_that_differs_from_the_card_is_named(tmp_path: Path, folder: Path, damage: str) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    shard = copy / "1.parquet"
    shard.write_bytes(shard.read_bytes()[:-1]) if damage == "short" else shard.unlink()
    with pytest.raises(JetkitError, match=r"1\.parquet (is missing|has \d+ bytes, its card says \d+)"):
        open_dataset(copy)


def test_selections_compose_and_are_recorded(folder: Path) -> None:
    dataset = open_dataset(folder)
    chosen = dataset.where(central, ["jet_eta"]).where(crowded, ["part_px"])
    everything = dataset.read(["jet_eta", "part_px", "event_id"])
    expected = central(everything) & crowded(everything)
    np.testing.assert_array_equal(chosen.read(["event_id"])["event_id"], everything["event_id"][expected])  # type: ignore[call-overload]
    assert chosen.history == ("where central(jet_eta)", "where crowded(part_px)")
    assert len(dataset) == 4000


def test_a_selection_needs_a_name_and_truth_values(folder: Path) -> None:
    dataset = open_dataset(folder)
    with pytest.raises(JetkitError, match="needs a name"):
        dataset.where(lambda jets: jets["jet_eta"] > 0, ["jet_eta"])

    def wrong(jets: Columns) -> np.ndarray:
        return np.asarray(jets["jet_eta"])

    with pytest.raises(JetkitError, match="wrong should return a truth value for each of 1000 rows, got float32"):
        dataset.where(wrong, ["jet_eta"])
    with pytest.raises(JetkitError, match="has no column jet_colour"):
        dataset.where(central, ["jet_colour"])


def test_parts_are_disjoint_complete_and_share_no_event(folder: Path) -> None:
    dataset = open_dataset(folder)
    events = [set(np.asarray(dataset.split(part).read(["event_id"])["event_id"])) for part in ("train", "val", "test")]
    assert sum(len(dataset.split(part)) for part in ("train", "val", "test")) == 4000
    assert sum(len(part) for part in events) == len(set.union(*events)) == 2000


def test_parts_have_the_sizes_asked_for(folder: Path) -> None:
    train = len(open_dataset(folder).split("train", fractions=(0.5, 0.25, 0.25))) / 4000
    assert abs(train - 0.5) < 5 * np.sqrt(0.25 / 2000)


def test_parts_depend_on_the_seed_alone(folder: Path) -> None:
    first, again, other = (open_dataset(folder).split("val", seed=seed).read(["event_id"]) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first["event_id"], again["event_id"])  # type: ignore[arg-type]
    assert set(np.asarray(first["event_id"])) != set(np.asarray(other["event_id"]))


def test_rows_without_an_event_are_split_one_by_one(tmp_path: Path, make: Jets) -> None:
    for number in range(2):
        columns = make([1] * 500)
        del columns["event_id"]
        write_shard(tmp_path / f"{number}.parquet", columns)
    dataset = open_dataset(tmp_path)
    sizes = [[len(s) for s in dataset.split(part).sources] for part in ("train", "val", "test")]
    assert np.sum(sizes, axis=0).tolist() == [500, 500]
    assert sizes[0] != sizes[0][::-1]


@pytest.mark.parametrize("fractions", [(0.5, 0.5), (0.9, 0.2, 0.1), (-0.1, 0.6, 0.5), (0.0, 0.0, 0.0), (np.nan, 0, 0)])
def test_fractions_that_make_no_sense_are_refused(folder: Path, fractions: tuple[float, ...]) -> None:
    with pytest.raises(JetkitError, match="fractions should be three shares"):
        open_dataset(folder).split("train", fractions=fractions)


def test_an_unknown_part_is_refused(folder: Path) -> None:
    with pytest.raises(JetkitError, match="unknown part 'training'"):
        open_dataset(folder).split("training")


def test_the_hash_is_splitmix64() -> None:
    def splitmix(z: int) -> int:
        z = (z + 0x9E3779B97F4A7C15) % 2**64
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
        return z ^ (z >> 31)

    assert splitmix(0) == 0xE220A8397B1DCDAF  # first output of the published generator with seed 0
    ids = np.array([0, 1, 2**62, -1])
    expected = [(splitmix(splitmix(5) ^ (int(i) % 2**64)) >> 11) / 2**53 for i in ids]
    np.testing.assert_array_equal(hash_share(ids, 5), expected)


def test_a_few_rows_are_taken_from_every_class(folder: Path) -> None:
    few = open_dataset(folder).take(400)
    counts = np.bincount(np.asarray(few.read(["jet_label"])["jet_label"]))
    assert counts.sum() == len(few) == 400
    assert np.abs(counts - [250, 120, 30]).max() < 60
    assert len(open_dataset(folder).take(10**6)) == 4000
    with pytest.raises(JetkitError, match="not negative"):
        few.take(-1)


def test_rows_are_read_in_the_order_asked_for(folder: Path) -> None:
    dataset = open_dataset(folder).where(central, ["jet_eta"])
    everything = dataset.read(["jet_pt", "part_px"])
    rows = np.array([700, 3, 3, len(dataset) - 1])
    some = dataset.read(["jet_pt", "part_px"], rows)
    np.testing.assert_array_equal(some["jet_pt"], everything["jet_pt"][rows])  # type: ignore[arg-type, call-overload]
    values, offsets = everything["part_px"]  # type: ignore[misc]
    np.testing.assert_array_equal(
        some["part_px"].values,  # type: ignore[union-attr]
        np.concatenate([values[offsets[row] : offsets[row + 1]] for row in rows]),
    )
    np.testing.assert_array_equal(dataset.read(["jet_pt"], slice(5, 9))["jet_pt"], everything["jet_pt"][5:9])  # type: ignore[arg-type, call-overload]


def test_an_empty_selection_reads_as_empty(folder: Path) -> None:
    none = open_dataset(folder).take(0)
    assert len(none.read(["jet_pt"])["jet_pt"]) == 0
    assert list(none.batches()) == []


def test_the_spec_names_what_the_batches_hold(folder: Path) -> None:
    dataset = open_dataset(folder)
    loader = dataset.batches(features="kinpid", targets=("event_id",))
    batch = next(iter(loader))
    assert loader.spec == dataset.spec("kinpid", targets=("event_id",))
    assert (len(loader.spec.features), len(loader.spec.row)) == (batch.x.shape[2], batch.row.shape[1])
    assert loader.spec.units["jet_pt"] == "GeV"


def test_jets_of_some_classes_keep_their_labels(folder: Path) -> None:
    dataset = open_dataset(folder)
    names = dataset.classes
    some = dataset.of_classes([names[2], names[0]])
    label = np.asarray(dataset.read(["jet_label"])["jet_label"])
    np.testing.assert_array_equal(some.read(["jet_label"])["jet_label"], label[np.isin(label, [0, 2])])
    assert some.classes == names
    assert some.history == (f"where class {names[2]}+{names[0]}(jet_label)",)
    with pytest.raises(JetkitError, match="has no class 'tau': it has"):
        dataset.of_classes(["tau"])
