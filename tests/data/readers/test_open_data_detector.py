"""The Open Data Detector: an event as JSON becomes one row of hits, cells, tracks and jets."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jetkit.data.card import read_card
from jetkit.data.convert import ConvertOptions, convert
from jetkit.data.readers.open_data_detector import NO_TRACK, OpenDataDetector
from jetkit.data.shards import ShardReader
from jetkit.errors import JetkitError

REAL = Path(__file__).parents[3] / ".." / "shared" / "data" / "tracking" / "odd_event_0.json"
FOREIGN = runpy.run_path(str(Path(__file__).with_name("foreign_hits.py")))
make_event, write_event = FOREIGN["make_odd_event"], FOREIGN["write_odd_event"]


def converted(file: Path, folder: Path) -> dict[str, Any]:
    convert("open-data-detector", [file], ConvertOptions(out=str(folder)))
    with ShardReader(folder / "0000-000000000.parquet") as shard:
        return {name: getattr(column, "values", column) for name, column in shard.read(list(shard.columns)).items()}


def test_hits_cells_tracks_and_jets_come_through(tmp_path: Path) -> None:
    rows = converted(write_event(tmp_path / "event_42.json", make_event()), tmp_path / "out")
    assert rows["event_id"].tolist() == [42]
    assert rows["vertex_z"].tolist() == [196.0]
    assert rows["hit_y"].tolist() == [0, -0.5, -1, -1.5, -2]
    assert rows["hit_volume"].tolist() == [16, 17, 18, 19, 20]
    assert rows["hit_particle_id"].tolist() == [2**53 + 1] * 5
    assert rows["calo_energy"].tolist() == [0.125] * 3
    assert rows["track_found"].tolist() == [True, False]
    assert rows["track_d0"].tolist() == [np.float32(0.02), 0]
    assert rows["track_pid"].tolist() == [-211, -211]
    assert rows["jetlist_extent"].tolist() == [1000]
    assert rows["genjetlist_nparticles"].tolist() == [3, 3]


def test_hits_point_to_their_tracks_and_tracks_sum_their_cells(tmp_path: Path) -> None:
    rows = converted(write_event(tmp_path / "event_42.json", make_event()), tmp_path / "out")
    assert rows["hit_track"].tolist() == [0, NO_TRACK, 0, NO_TRACK, 1]
    assert rows["track_nhits"].tolist() == [2, 1]
    assert rows["track_ncalo"].tolist() == [2, 0]
    assert rows["track_calo_energy"].tolist() == [0.75, 0]


def test_azimuths_are_in_the_range_of_jetkit(tmp_path: Path) -> None:
    rows = converted(write_event(tmp_path / "event_42.json", make_event()), tmp_path / "out")
    np.testing.assert_allclose(rows["genjetlist_phi"], [4 - 2 * np.pi, 1], rtol=1e-6)


def test_an_event_in_which_nothing_was_seen_has_empty_lists(tmp_path: Path) -> None:
    event = make_event() | {"tracks": [], "calo_hits": [], "all_tracker_hits": [], "jets": {"truth": [], "reco": []}}
    rows = converted(write_event(tmp_path / "a.json", event), tmp_path / "out")
    assert rows["event_id"].tolist() == [42]
    assert {name: len(values) for name, values in rows.items() if len(values)} == {
        "event_id": 1, "vertex_x": 1, "vertex_y": 1, "vertex_z": 1,
    }  # fmt: skip


def test_unknown_fields_are_told(tmp_path: Path) -> None:
    event = make_event() | {"muons": []}
    event["tracks"][1]["chi2"] = 1.0
    assert OpenDataDetector(write_event(tmp_path / "a.json", event)).unknown == ["muons", "tracks/chi2"]


def test_an_event_with_a_hit_that_is_nowhere_is_counted(tmp_path: Path) -> None:
    event = make_event()
    event["all_tracker_hits"][2]["x"] = float("nan")
    rows = converted(write_event(tmp_path / "a.json", event), tmp_path / "out")
    assert len(rows["event_id"]) == 0
    assert read_card(tmp_path / "out").skipped == {"an event with NaN or infinity": 1}


@pytest.mark.parametrize("section", ["metadata", "vertex", "all_tracker_hits", "calo_hits", "tracks", "jets"])
def test_a_missing_section_is_named(section: str, tmp_path: Path) -> None:
    event = make_event()
    del event[section]
    with pytest.raises(JetkitError, match=f"has no section {section}"):
        OpenDataDetector(write_event(tmp_path / "a.json", event))


@pytest.mark.parametrize(
    ("section", "change", "sentence"),
    [
        ("all_tracker_hits", lambda hits: hits[3].pop("x"), "record 3 of all_tracker_hits has no x"),
        ("all_tracker_hits", lambda hits: hits[0].update(volume_id=1.5), "volume_id should hold whole numbers"),
        ("all_tracker_hits", lambda hits: hits[0].update(particle_id=2**64), "particle_id should hold whole numbers"),
        ("all_tracker_hits", lambda hits: hits[0].update(x="far"), "x should hold numbers"),
        ("all_tracker_hits", lambda hits: hits[1].update(HIT_ID=10), "hit 10 is there twice"),
        ("tracks", lambda tracks: tracks[0]["hit_ids"].append(999), "hit 999 is missing"),
        ("calo_hits", lambda hits: hits.append(7), "section calo_hits is no list of records"),
    ],
)
def test_records_of_another_kind_are_refused(section: str, change: Any, sentence: str, tmp_path: Path) -> None:
    event = make_event()
    change(event[section])
    with pytest.raises(JetkitError, match=sentence):
        OpenDataDetector(write_event(tmp_path / "a.json", event)).read(0, 1)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("<html>not found</html>", "is a web page"),
        ("", "is empty"),
        ("[]", "no event of the Open Data Detector"),
        (json.dumps({"metadata": 1})[:-1], "cannot be read as JSON"),
    ],
)
def test_what_is_no_event_is_refused(content: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(JetkitError, match=sentence):
        OpenDataDetector(tmp_path / "a.json")


def test_an_event_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    path = write_event(tmp_path / "a.json", make_event())
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(JetkitError, match="cannot be read as JSON"):
        OpenDataDetector(path)


@pytest.fixture(scope="module")
def real() -> tuple[dict[str, Any], dict[str, Any]]:
    """The public event as read, and what its file holds."""
    if not REAL.exists():
        pytest.skip("the public Open Data Detector event is not here")
    reader = OpenDataDetector(REAL)
    assert reader.unknown == []
    rows = {name: getattr(column, "values", column) for name, column in reader.read(0, 1).items()}
    return rows, json.loads(REAL.read_text())


def test_the_public_event_keeps_every_hit_cell_track_and_jet(real: Any) -> None:
    rows, event = real
    sizes = {name: len(rows[f"{name}_pt"]) for name in ("hit", "calo", "track", "jetlist", "genjetlist")}
    assert sizes == {"hit": 465, "calo": 1127, "track": 46, "jetlist": 4, "genjetlist": 10}
    assert rows["hit_x"].tolist() == [np.float32(hit["x"]) for hit in event["all_tracker_hits"]]
    assert rows["calo_energy"].tolist() == [np.float32(hit["energy"]) for hit in event["calo_hits"]]
    assert rows["track_found"].sum() == 13
    assert rows["track_ncalo"].sum() == 1005


def test_the_truth_links_of_the_public_event_hold(real: Any) -> None:
    rows, event = real
    on_track = rows["hit_track"] != NO_TRACK
    owner = rows["track_particle_id"][rows["hit_track"][on_track]]
    np.testing.assert_array_equal(owner, rows["hit_particle_id"][on_track])
    assert on_track.sum() == sum(len(track["hit_ids"]) for track in event["tracks"]) == 460
    assert np.bincount(rows["hit_track"][on_track]).tolist() == rows["track_nhits"].tolist()


def test_the_cells_of_the_public_event_belong_to_the_particles_of_its_tracks(real: Any) -> None:
    rows, _ = real
    energy = [rows["calo_energy"][rows["calo_particle_id"] == i].sum() for i in rows["track_particle_id"]]
    np.testing.assert_allclose(rows["track_calo_energy"], energy, rtol=1e-5)
