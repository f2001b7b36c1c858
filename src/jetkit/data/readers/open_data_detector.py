"""Open Data Detector: an event of the ColliderML display as JSON, with tracker hits, calorimeter hits, tracks, jets."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from jetkit.data.columns import Column
from jetkit.data.ragged import Array
from jetkit.data.readers.files import check_file, reading
from jetkit.data.readers.reader import Reader, Rows
from jetkit.data.readers.track_ml import one_row, places
from jetkit.errors import JetkitError
from jetkit.physics.four_vectors import delta_phi
from jetkit.registry import register

NO_TRACK = -1
"""Value of `hit_track` for hits on no track."""


def _jets(prefix: str, what: str) -> dict[str, Column]:
    return {
        f"{prefix}_pt": Column("list[float32]", "GeV", f"transverse momentum of {what}"),
        f"{prefix}_eta": Column("list[float32]", "1", f"pseudorapidity of {what}"),
        f"{prefix}_phi": Column("list[float32]", "rad", f"azimuth of {what}, in [−π, π)"),
        f"{prefix}_energy": Column("list[float32]", "GeV", f"energy of {what}"),
        f"{prefix}_nparticles": Column("list[int32]", "1", f"number of constituents of {what}"),
    }


def _made(prefix: str) -> dict[str, Column]:
    return {
        f"{prefix}_pt": Column("list[float32]", "GeV", "transverse momentum of the particle that made it"),
        f"{prefix}_pid": Column("list[int32]", "1", "PDG code of the particle that made it"),
        f"{prefix}_particle_id": Column("list[int64]", "1", "number of the particle that made it"),
    }


def _position(prefix: str, kind: str = "list[float32]") -> dict[str, Column]:
    return {f"{prefix}_{axis}": Column(kind, "mm", f"{axis} of its position") for axis in "xyz"}


@register(
    "open-data-detector",
    kind="reader",
    paper="ColliderML: The First Release of an OpenDataDetector High-Luminosity Physics Benchmark Dataset, 2025, "
    "arXiv:2512.15230",
)
class OpenDataDetector(Reader):
    """Events of the Open Data Detector as JSON: tracker and calorimeter hits with truth, tracks, jets; GeV, mm, rad."""

    suffixes = (".json",)
    program = "jetkit"
    objects = "hit"
    kept: ClassVar = {
        **{f"vertex/{axis}": f"vertex_{axis}" for axis in "xyz"},
        **{f"all_tracker_hits/{axis}": f"hit_{axis}" for axis in "xyz"},
        "all_tracker_hits/pT": "hit_pt",
        "all_tracker_hits/pdg_id": "hit_pid",
        "all_tracker_hits/particle_id": "hit_particle_id",
        "all_tracker_hits/HIT_ID": "hit_id",
        "all_tracker_hits/volume_id": "hit_volume",
        **{f"calo_hits/{axis}": f"calo_{axis}" for axis in "xyz"},
        "calo_hits/energy": "calo_energy",
        "calo_hits/pT": "calo_pt",
        "calo_hits/pdg_id": "calo_pid",
        "calo_hits/particle_id": "calo_particle_id",
        "tracks/pT": "track_pt",
        "tracks/pdg_id": "track_pid",
        "tracks/particle_id": "track_particle_id",
        **{f"reco_info/{name}": f"track_{name}" for name in ("d0", "z0", "phi", "theta", "qop")},
        "reco_info/has_reco": "track_found",
        **{f"jets/{kind}/{name}": f"{prefix}_{name}" for kind, prefix in (("reco", "jetlist"), ("truth", "genjetlist"))
           for name in ("pt", "eta", "phi", "energy")},
        "jets/reco/n_constituents": "jetlist_nparticles",
        "jets/truth/n_constituents": "genjetlist_nparticles",
        "jets/reco/max_extent": "jetlist_extent",
        "tracks/hit_ids": "hit_track and track_nhits",
        "tracks/reco_info": "track_d0, z0, phi, theta, qop",
        "tracks/calo_hits": "track_ncalo and track_calo_energy",
        "metadata/event_id": "event_id",
    }  # fmt: skip
    dropped: ClassVar = {
        "tracks/points": "positions of the hits of the track",
        "graph_data": "edges for the display",
        **{f"metadata/has_{name}": "what to show" for name in ("reco", "calo", "pdg", "volumes", "graph", "jets")},
    }
    columns: ClassVar = {
        **_position("vertex", "float32"),
        **_position("hit"),
        **_made("hit"),
        "hit_id": Column("list[int64]", "1", "number of the hit in its event"),
        "hit_volume": Column("list[int32]", "1", "volume of the detector"),
        "hit_track": Column("list[int32]", "1", "place of its track in the lists track_…; -1: none"),
        **_position("calo"),
        **_made("calo"),
        "calo_energy": Column("list[float32]", "GeV", "energy that one particle left in the cell"),
        **_made("track"),
        "track_found": Column("list[bool]", "1", "the reconstruction found the track of this particle"),
        "track_d0": Column("list[float32]", "mm", "transverse impact parameter; 0 if not found"),
        "track_z0": Column("list[float32]", "mm", "z at the closest approach to the beam; 0 if not found"),
        "track_phi": Column("list[float32]", "rad", "azimuth of the found track; 0 if not found"),
        "track_theta": Column("list[float32]", "rad", "polar angle of the found track; 0 if not found"),
        "track_qop": Column("list[float32]", "e/GeV", "charge over momentum of the found track; 0 if not found"),
        "track_nhits": Column("list[int32]", "1", "number of tracker hits of the particle"),
        "track_ncalo": Column("list[int32]", "1", "number of calorimeter cells in which the particle left energy"),
        "track_calo_energy": Column("list[float32]", "GeV", "energy that the particle left in the calorimeter"),
        **_jets("jetlist", "a reconstructed jet"),
        "jetlist_extent": Column("list[float32]", "mm", "largest extent of the jet's calorimeter hits"),
        **_jets("genjetlist", "a jet of generated particles"),
    }

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        check_file(path, "JSON")
        with reading(path, "JSON"), path.open(encoding="utf-8") as file:
            event = json.load(file)
        if not isinstance(event, dict):
            raise JetkitError(f"{path} is no event of the Open Data Detector: it holds no sections")
        self._records = _records(event, path)
        self.names = _names(self._records, event)
        self.need("metadata/event_id")
        self.entries = 1

    def read(self, start: int, stop: int) -> Rows:
        """Read the event."""
        tracks = self._records["tracks"]
        with reading(self.path, "JSON"):
            found = {to: self._column(branch, to) for branch, to in self.kept.items() if to in self.columns}
            hits = [track["hit_ids"] for track in tracks]
            energies = [[hit["energy"] for hit in track["calo_hits"]] for track in tracks]
            number = np.array([self._records["metadata"][0]["event_id"]])
            found["track_nhits"], found["track_ncalo"] = _lengths(hits), _lengths(energies)
            owner = np.repeat(np.arange(len(tracks)), found["track_ncalo"])
            weights = np.array(list(chain.from_iterable(energies)), np.float64)
            found["track_calo_energy"] = np.bincount(owner, weights, minlength=len(tracks)).astype(np.float32)
            found["hit_track"] = self._on_track(hits, found["hit_id"])
        found |= {
            name: delta_phi(found[name], np.zeros_like(found[name])) for name in ("jetlist_phi", "genjetlist_phi")
        }
        use = start < stop and all(np.isfinite(values).all() for values in found.values())
        self.skipped["an event with NaN or infinity"] += int(start < stop and not use)
        return {"event_id": _whole(number, "event_id", self.path)[: int(use)]} | {
            name: one_row(values, use) if self.columns[name].type.startswith("list") else values[: int(use)]
            for name, values in found.items()
        }

    def _column(self, branch: str, to: str) -> Array:
        """Return one field of all records of a section, with the type of its column."""
        section, _, field = branch.rpartition("/")
        records, dtype = self._records[section], self.columns[to].dtype
        absent = next((number for number, record in enumerate(records) if field not in record), None)
        if absent is not None:
            raise JetkitError(f"{self.path}: record {absent} of {section} has no {field}, so it is of another format")
        values = np.array([record[field] for record in records], None if records else dtype)
        if dtype.kind == "i":
            return _whole(values, branch, self.path).astype(dtype)
        if values.dtype.kind not in "biuf" or values.ndim != 1:
            raise JetkitError(f"{self.path}: {branch} should hold numbers, so it is of another format")
        return values.astype(dtype)

    def _on_track(self, hits: Sequence[Sequence[int]], hit_id: Array) -> Array:
        """Return the index of the track of each hit."""
        ids = np.array(list(chain.from_iterable(hits)), np.int64)
        found = np.full(len(hit_id), NO_TRACK, np.int32)
        found[places(ids, hit_id, "hit", self.path)] = np.repeat(np.arange(len(hits)), _lengths(hits))
        return found

    def close(self) -> None:
        """Do nothing, since the file is read at once and not kept open."""


def _records(event: Mapping[str, Any], path: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the sections of the file, each as a list of records.

    Raises:
        JetkitError: a section is absent or does not consist of records.
    """
    needed = ("metadata", "vertex", "all_tracker_hits", "calo_hits", "tracks", "jets")
    absent = [name for name in needed if name not in event]
    if absent:
        raise JetkitError(f"{path} has no section {absent[0]}, so it is of another format; it has {', '.join(event)}")
    with reading(path, "JSON"):
        found = {name: event[name] for name in ("all_tracker_hits", "calo_hits", "tracks")}
        found |= {f"jets/{kind}": event["jets"][kind] for kind in ("reco", "truth")}
        found |= {"reco_info": [track["reco_info"] for track in event["tracks"]], "metadata": [event["metadata"]]}
        found["vertex"] = [dict(zip("xyz", event["vertex"], strict=True))]
    for name, records in found.items():
        if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
            raise JetkitError(f"{path}: section {name} is no list of records, so it is of another format")
    return found


def _names(records: Mapping[str, Sequence[Mapping[str, Any]]], event: Mapping[str, Any]) -> list[str]:
    """Return all fields of all sections."""
    fields: Iterable[str] = (f"{name}/{key}" for name, each in records.items() for record in each for key in record)
    return list(dict.fromkeys([*fields, *(name for name in event if name not in {"jets", *records})]))


def _whole(values: Array, branch: str, path: Path) -> Array:
    if values.dtype.kind != "i":
        raise JetkitError(f"{path}: {branch} should hold whole numbers below 2⁶³, so it is of another format")
    return values.astype(np.int64)


def _lengths(lists: Sequence[Sequence[Any]]) -> Array:
    return np.array([len(each) for each in lists], np.int32)
