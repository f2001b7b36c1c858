"""Conversion of foreign files: nothing lost, the same bytes after an interruption or on several processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jetkit.data import convert as module
from jetkit.data.card import read_card
from jetkit.data.convert import ConvertOptions, convert
from jetkit.data.dataset import open_dataset
from jetkit.data.ragged import Ragged
from jetkit.data.readers.complete import complete
from jetkit.data.readers.jetclass import CLASSES
from jetkit.data.readers.root import write_tree
from jetkit.errors import JetkitError

SHARD = 40


def write(path: Path, make: Any, counts: list[int], seed: int = 0, **changed: Any) -> Path:
    """A JetClass file of random jets of all classes."""
    columns = {name: Ragged(*column) if isinstance(column, tuple) else column for name, column in make(counts).items()}
    label = columns.pop("jet_label") + np.random.default_rng(seed).integers(0, len(CLASSES), len(counts))
    del columns["event_id"]
    labels = {f"label_{name}": label == index for index, name in enumerate(CLASSES)}
    write_tree(path, "tree", columns | labels | changed)
    return path


@pytest.fixture
def file(tmp_path: Path, make: Any) -> Path:
    (tmp_path / "in").mkdir()
    return write(tmp_path / "in" / "jets.root", make, [1 + i % 17 for i in range(3 * SHARD + 5)])


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def options(folder: Path, **other: Any) -> ConvertOptions:
    return ConvertOptions(out=str(folder), shard=SHARD, **other)


def test_two_processes_write_the_bytes_of_one(file: Path, tmp_path: Path) -> None:
    one = convert("jetclass", [file], options(tmp_path / "one"))
    two = convert("jetclass", [file], options(tmp_path / "two", workers=2))
    assert len(content(one)) == 5
    assert content(one) == content(two)


def test_an_interrupted_conversion_goes_on_to_the_same_bytes(file: Path, tmp_path: Path, monkeypatch: Any) -> None:
    whole = convert("jetclass", [file], options(tmp_path / "whole"))
    make, calls = module._make, []

    def break_at_the_third(*args: Any) -> Any:
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return make(*args)

    monkeypatch.setattr(module, "_make", break_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        convert("jetclass", [file], options(tmp_path / "broken"))
    assert not read_card(tmp_path / "broken").complete
    (tmp_path / "broken" / ".0000-000000080.parquet.1.partial").write_bytes(b"half a shard")
    done: list[int] = []
    convert("jetclass", [file], options(tmp_path / "broken"), progress=lambda now, total: done.append(now))
    assert content(tmp_path / "broken") == content(whole)
    assert done == [3 * SHARD, 3 * SHARD + 5]


def test_a_killed_conversion_goes_on_to_the_same_bytes(file: Path, tmp_path: Path) -> None:
    whole = convert("jetclass", [file], options(tmp_path / "whole"))
    broken = tmp_path / "broken"
    words = ["convert", "jetclass", str(file), f"out={broken}", f"shard={SHARD}"]
    process = subprocess.Popen([sys.executable, "-m", "jetkit", *words], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list(broken.glob("*.parquet")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    subprocess.run([sys.executable, "-m", "jetkit", *words], check=True, stdout=subprocess.DEVNULL)
    assert content(broken) == content(whole)


def test_every_entry_is_a_row_or_counted_with_its_reason(tmp_path: Path, make: Any) -> None:
    counts = [3, 0, 2, 4, 1, 5]
    px = Ragged(*make(counts)["part_px"])
    px.values[3], px.values[9] = np.nan, 0.0
    py = Ragged(*make(counts)["part_py"])
    py.values[9] = 0.0
    energy = Ragged(*make(counts)["part_energy"])
    energy.values[10] = -1.0
    file = write(tmp_path / "bad.root", make, counts, part_px=px, part_py=py, part_energy=energy)
    card = read_card(convert("jetclass", [file], options(tmp_path / "out")))
    assert card.skipped == {
        "no particles": 1,
        "a momentum with NaN or infinity": 1,
        "a particle with pT = 0": 1,
        "a particle with E <= 0": 1,
    }
    assert card.rows == len(counts) - 4


def test_unknown_branches_are_listed(tmp_path: Path, make: Any) -> None:
    file = write(tmp_path / "more.root", make, [2, 3], jet_colour=np.arange(2), aux_truth_match=np.arange(2))
    card = read_card(convert("jetclass", [file], options(tmp_path / "out")))
    assert "unknown branches, left out: jet_colour" in card.notes
    assert "jet_colour" not in card.columns


def test_foreign_files_open_without_a_conversion(file: Path, tmp_path: Path) -> None:
    direct, converted = (
        open_dataset(f"jetclass:{file}"),
        open_dataset(convert("jetclass", [file], options(tmp_path / "o"))),
    )
    assert direct.classes == converted.classes
    assert direct.card.counts == converted.card.counts
    ours, theirs = direct.read(direct.columns), converted.read(converted.columns)
    for name, column in ours.items():
        np.testing.assert_array_equal(column.values if isinstance(column, Ragged) else column, _flat(theirs[name]))
    batches = [batch.label for batch in direct.batches(features="full", batch=32)]
    assert sum(len(labels) for labels in batches) == len(direct)


def _flat(column: Any) -> np.ndarray:
    return column.values if isinstance(column, Ragged) else column


def test_files_of_a_folder_are_numbered_by_name(tmp_path: Path, make: Any) -> None:
    (tmp_path / "in").mkdir()
    for name, jets in (("b", 3), ("a", 2)):
        write(tmp_path / "in" / f"{name}.root", make, [2] * jets)
    card = read_card(convert("jetclass", [tmp_path / "in"], options(tmp_path / "out")))
    assert [file["name"] for file in card.recipe["files"]] == ["a.root", "b.root"]
    assert [shard.rows for shard in card.shards] == [2, 3]
    events = open_dataset(tmp_path / "out").read(["event_id"])["event_id"]
    assert np.asarray(events).tolist() == [0, 1, 2**32, 2**32 + 1, 2**32 + 2]


def test_a_folder_of_another_conversion_is_refused(file: Path, tmp_path: Path, make: Any) -> None:
    convert("jetclass", [file], options(tmp_path / "out"))
    other = write(tmp_path / "other.root", make, [4, 4])
    with pytest.raises(JetkitError, match="holds another dataset"):
        convert("jetclass", [other], options(tmp_path / "out"))


@pytest.mark.parametrize(
    ("format", "files", "message"),
    [
        ("jetclas", ["x.root"], "unknown reader 'jetclas'; did you mean jetclass"),
        ("jetclass", [], "no files are given"),
        ("jetclass", ["nothing/*.root"], "is no file, no folder with .root files and no pattern"),
    ],
)
def test_what_cannot_be_converted_is_one_sentence(tmp_path: Path, format: str, files: list[str], message: str) -> None:
    with pytest.raises(JetkitError, match=message):
        convert(format, files, options(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_jet_of_ten_thousand_particles_is_kept(make: Any) -> None:
    columns = {
        name: Ragged(*column) if isinstance(column, tuple) else column for name, column in make([10_000, 1]).items()
    }
    rows, skipped = complete(columns)
    assert not skipped
    assert np.asarray(rows["jet_nparticles"]).tolist() == [10_000, 1]


def test_what_follows_from_the_particles_is_added_and_nothing_else_is_changed() -> None:
    offsets = np.array([0, 2])
    p4 = {"part_energy": [5.0, 13.0], "part_px": [3.0, 0.0], "part_py": [0.0, 5.0], "part_pz": [4.0, 12.0]}
    rows, _ = complete({name: Ragged(np.array(values, ">f8"), offsets) for name, values in p4.items()})
    assert rows["jet_pt"] == pytest.approx(np.hypot(3, 5))
    assert rows["jet_mass"] == pytest.approx(np.sqrt(18**2 - 9 - 25 - 256), rel=1e-6)
    assert _flat(rows["part_px"]).dtype == np.float32
    eta = np.arcsinh(np.array([4 / 3, 12 / 5]))
    np.testing.assert_allclose(_flat(rows["part_deta"]), eta - np.arcsinh(16 / np.hypot(3, 5)), rtol=1e-6)


def test_a_changed_companion_makes_another_dataset(tmp_path: Path, make: Any) -> None:
    columns = make([2, 3])
    flags = {f"is_{index}": columns["jet_label"] == index for index in (0, 1)}
    columns = {name: Ragged(*column) if isinstance(column, tuple) else column for name, column in columns.items()}
    write_tree(tmp_path / "a.root", "tree", columns | flags)
    mapping = tmp_path / "map.yaml"
    lines = "columns: {part_px: part_px, part_py: part_py, part_pz: part_pz, part_energy: part_energy}\n"
    mapping.write_text(lines + "label: {branches: [is_0, is_1]}\n")
    values = {"mapping": str(mapping)}
    assert read_card(convert("weaver", [tmp_path / "a.root"], options(tmp_path / "out"), values)).classes == [
        "is_0",
        "is_1",
    ]
    mapping.write_text(lines + "label: {branches: [is_0, is_1]}\nclasses: [QCD, top]\n")
    with pytest.raises(JetkitError, match="holds another dataset"):
        convert("weaver", [tmp_path / "a.root"], options(tmp_path / "out"), values)
