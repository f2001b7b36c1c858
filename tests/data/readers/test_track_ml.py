"""TrackML: four CSV files become one row of hits and particles."""

from __future__ import annotations

import csv
import gzip
import io
import runpy
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jetkit.data.card import read_card
from jetkit.data.convert import ConvertOptions, convert
from jetkit.data.readers.track_ml import NOISE, TrackML
from jetkit.data.shards import ShardReader
from jetkit.errors import JetkitError

REAL = Path(__file__).parents[3] / ".." / "shared" / "data" / "tracking" / "trackml_event"
FOREIGN = runpy.run_path(str(Path(__file__).with_name("foreign_hits.py")))
make_event, write_event = FOREIGN["make_track_ml"], FOREIGN["write_track_ml"]


def converted(place: Path, folder: Path, **values: Any) -> dict[str, Any]:
    convert("track-ml", [place], ConvertOptions(out=str(folder)), values)
    with ShardReader(folder / "0000-000000000.parquet") as shard:
        return shard.read(list(shard.columns))


def by_hit(event: dict[str, Any], kind: str, name: str) -> list[Any]:
    """A column of another file in the order of the hits."""
    table = dict(zip(event[kind]["hit_id"], event[kind][name], strict=True))
    return [table[hit] for hit in event["hits"]["hit_id"]]


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_hits_and_particles_come_through(suffix: str, tmp_path: Path) -> None:
    event = make_event()
    write_event(tmp_path, event, suffix)
    rows = converted(tmp_path, tmp_path / "out")
    assert rows.pop("event_id").tolist() == [1000]
    found = {name: column.values for name, column in rows.items()}
    for axis in "xyz":
        np.testing.assert_array_equal(found[f"hit_{axis}"], np.float32(event["hits"][axis]))
        np.testing.assert_array_equal(found[f"hit_true_{axis}"], np.float32(by_hit(event, "truth", f"t{axis}")))
        np.testing.assert_array_equal(found[f"hit_p{axis}"], np.float32(by_hit(event, "truth", f"tp{axis}")))
        np.testing.assert_array_equal(found[f"particle_v{axis}"], np.float32(event["particles"][f"v{axis}"]))
        np.testing.assert_array_equal(found[f"particle_p{axis}"], np.float32(event["particles"][f"p{axis}"]))
    np.testing.assert_array_equal(found["hit_weight"], np.float32(by_hit(event, "truth", "weight")))
    for name in ("volume", "layer", "module"):
        assert found[f"hit_{name}"].tolist() == event["hits"][f"{name}_id"]
    assert found["particle_charge"].tolist() == event["particles"]["q"]
    assert found["particle_nhits"].tolist() == event["particles"]["nhits"]
    assert read_card(tmp_path / "out").notes[-1].startswith("left out")


def test_64_bit_numbers_of_particles_stay_exact(tmp_path: Path) -> None:
    event = make_event()
    rows = TrackML(write_event(tmp_path, event)).read(0, 1)
    assert rows["particle_id"].values.tolist() == event["particles"]["particle_id"]
    assert rows["hit_particle_id"].values.tolist() == by_hit(event, "truth", "particle_id")


def test_hits_point_to_their_particles(tmp_path: Path) -> None:
    event = make_event()
    rows = TrackML(write_event(tmp_path, event)).read(0, 1)
    ids = [0 if place == NOISE else event["particles"]["particle_id"][place] for place in rows["hit_particle"].values]
    assert ids == by_hit(event, "truth", "particle_id")
    assert Counter(rows["hit_particle"].values.tolist()) == {NOISE: 2, 0: 3, 1: 3, 2: 4}


def test_cells_are_counted_and_their_charge_summed(tmp_path: Path) -> None:
    event = make_event()
    rows = TrackML(write_event(tmp_path, event)).read(0, 1)
    charge = defaultdict(float)
    for hit, value in zip(event["cells"]["hit_id"], event["cells"]["value"], strict=True):
        charge[hit] += value
    assert rows["hit_charge"].values.tolist() == [charge[hit] for hit in event["hits"]["hit_id"]]
    counts = Counter(event["cells"]["hit_id"])
    assert rows["hit_ncells"].values.tolist() == [counts[hit] for hit in event["hits"]["hit_id"]]


def test_test_events_without_truth_can_be_read(tmp_path: Path) -> None:
    rows = converted(write_event(tmp_path, {"hits": make_event()["hits"]}), tmp_path / "out", truth=False, cells=False)
    assert rows.keys() == {"event_id", *(f"hit_{name}" for name in ("id", "x", "y", "z", "volume", "layer", "module"))}


def test_an_event_without_hits_has_empty_lists(tmp_path: Path) -> None:
    event = {kind: {name: [] for name in columns} for kind, columns in make_event().items()}
    rows = TrackML(write_event(tmp_path, event)).read(0, 1)
    assert rows["hit_x"].counts.tolist() == [0]
    assert rows["hit_ncells"].counts.tolist() == [0]


def test_unknown_columns_are_told(tmp_path: Path) -> None:
    event = make_event()
    event["hits"]["time"] = [0.0] * 12
    assert TrackML(write_event(tmp_path, event)).unknown == ["hits/time"]


def test_an_event_with_a_hit_that_is_nowhere_is_counted(tmp_path: Path) -> None:
    event = make_event()
    event["hits"]["y"][4] = "nan"
    rows = converted(write_event(tmp_path, event), tmp_path / "out")
    assert len(rows["event_id"]) == 0
    assert read_card(tmp_path / "out").skipped == {"an event with NaN or infinity": 1}


def spoil(event: dict[str, Any], kind: str, name: str, row: int, value: Any) -> dict[str, Any]:
    event[kind][name][row] = value
    return event


@pytest.mark.parametrize(
    ("kind", "name", "row", "value", "sentence"),
    [
        ("truth", "hit_id", 0, 1234, "hit .* is missing"),
        ("cells", "hit_id", 0, 1234, "hit 1234 is missing"),
        ("hits", "hit_id", 0, 5, "hit 5 is there twice"),
        ("particles", "particle_id", 1, 12, f"particle {2**53 + 1} is missing"),
        ("particles", "particle_id", 3, 2**53 + 1, f"particle {2**53 + 1} is there twice"),
        ("truth", "particle_id", 0, 2**64, "cannot be read as CSV"),
        ("hits", "x", 3, "abc", "cannot be read as CSV"),
        ("hits", "x", 3, "", "cannot be read as CSV"),
    ],
)
def test_files_that_do_not_go_together_are_refused(
    kind: str, name: str, row: int, value: Any, sentence: str, tmp_path: Path
) -> None:
    path = write_event(tmp_path, spoil(make_event(), kind, name, row, value))
    with pytest.raises(JetkitError, match=sentence):
        TrackML(path).read(0, 1)


@pytest.mark.parametrize(("kind", "name"), [("hits", "x"), ("truth", "tpx"), ("cells", "value"), ("particles", "q")])
def test_a_missing_column_is_named(kind: str, name: str, tmp_path: Path) -> None:
    event = make_event()
    del event[kind][name]
    with pytest.raises(JetkitError, match=f"has no branch {kind}/{name}"):
        TrackML(write_event(tmp_path, event))


@pytest.mark.parametrize(("kind", "option"), [("truth", "truth"), ("particles", "truth"), ("cells", "cells")])
def test_a_missing_file_is_named_and_the_option_to_do_without(kind: str, option: str, tmp_path: Path) -> None:
    event = make_event()
    del event[kind]
    with pytest.raises(JetkitError, match=rf"event000001000-{kind}\.csv does not exist.*{option}=false"):
        TrackML(write_event(tmp_path, event))


def test_a_truth_file_of_fewer_hits_is_refused(tmp_path: Path) -> None:
    event = make_event()
    event["truth"] = {name: values[:-1] for name, values in event["truth"].items()}
    with pytest.raises(JetkitError, match="has 11 hits, not 12"):
        TrackML(write_event(tmp_path, event)).read(0, 1)


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("kind", ["hits", "truth", "cells", "particles"])
def test_a_file_that_is_cut_short_is_refused(kind: str, suffix: str, tmp_path: Path) -> None:
    path = write_event(tmp_path, make_event(), suffix)
    cut = tmp_path / f"event000001000-{kind}.csv{suffix}"
    cut.write_bytes(cut.read_bytes()[:-3])
    with pytest.raises(JetkitError, match=r"cut short|cannot be read as CSV"):
        TrackML(path).read(0, 1)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_web_page_is_refused(suffix: str, tmp_path: Path) -> None:
    path = write_event(tmp_path, make_event(), suffix)
    path.write_text("<!DOCTYPE html><html>sign in</html>\n")
    with pytest.raises(JetkitError, match="is a web page"):
        TrackML(path)


def test_another_file_of_the_event_is_refused(tmp_path: Path) -> None:
    write_event(tmp_path, make_event())
    with pytest.raises(JetkitError, match=r"name eventN-hits\.csv"):
        TrackML(tmp_path / "event000001000-truth.csv")


@pytest.fixture(scope="module")
def real() -> tuple[dict[str, Any], dict[str, list[dict[str, str]]]]:
    """A public event as read, and the texts of its files."""
    if not REAL.exists():
        pytest.skip("the public TrackML event is not here")
    texts = {}
    for kind in ("hits", "truth", "particles", "cells"):
        content = gzip.decompress((REAL / f"event000000001-{kind}.csv.gz").read_bytes()).decode()
        texts[kind] = list(csv.DictReader(io.StringIO(content)))
    rows = TrackML(REAL / "event000000001-hits.csv.gz").read(0, 1)
    return {name: getattr(column, "values", column) for name, column in rows.items()}, texts


def test_the_public_event_keeps_every_hit_and_particle(real: Any) -> None:
    rows, texts = real
    assert len(rows["hit_x"]) == len(texts["hits"]) == 5527
    assert len(rows["particle_id"]) == len(texts["particles"]) == 548
    assert rows["event_id"].tolist() == [1]
    assert rows["hit_x"].tolist() == [np.float32(hit["x"]) for hit in texts["hits"]]
    assert rows["hit_module"].tolist() == [int(hit["module_id"]) for hit in texts["hits"]]
    assert rows["particle_pid"].tolist() == [int(particle["particle_type"]) for particle in texts["particles"]]


def test_the_truth_links_of_the_public_event_are_exact(real: Any) -> None:
    rows, texts = real
    assert rows["hit_particle_id"].tolist() == [int(hit["particle_id"]) for hit in texts["truth"]]
    assert rows["particle_id"].tolist() == [int(particle["particle_id"]) for particle in texts["particles"]]
    real_hits = rows["hit_particle"] != NOISE
    assert (~real_hits).sum() == 829
    linked = rows["particle_id"][rows["hit_particle"][real_hits]]
    np.testing.assert_array_equal(linked, rows["hit_particle_id"][real_hits])
    assert not rows["hit_particle_id"][~real_hits].any()


def test_the_cells_of_the_public_event_are_all_counted(real: Any) -> None:
    rows, texts = real
    assert rows["hit_ncells"].sum() == len(texts["cells"]) == 18564
    counts = Counter(cell["hit_id"] for cell in texts["cells"])
    assert rows["hit_ncells"].tolist() == [counts[hit["hit_id"]] for hit in texts["hits"]]
    assert rows["hit_charge"].sum() == pytest.approx(sum(float(cell["value"]) for cell in texts["cells"]), rel=1e-5)
