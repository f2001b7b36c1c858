"""HepMC and Les Houches files become the jets of their particles, whatever the pieces in which they are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import jetkit.simulation.foreign_events  # noqa: F401 - registers the readers
from jetkit.data.convert import ConvertOptions, convert
from jetkit.data.dataset import open_dataset
from jetkit.data.ragged import Ragged
from jetkit.errors import JetkitError
from jetkit.simulation.generator import Charges, Events, Generator, Streams
from jetkit.simulation.jets import find_jets

pyhepmc = pytest.importorskip("pyhepmc")
EVENTS = 12
LINES = ["Beams:eCM = 13000.", "HardQCD:all = on", "PhaseSpace:pTHatMin = 300.", "PartonLevel:MPI = off"]
CUTS = {"pt": [100, 5000], "radius": 0.8, "label": "QCD"}


@pytest.fixture(scope="module")
def events() -> Events:
    return next(Generator(LINES, Streams(3)).batches(EVENTS))


@pytest.fixture(scope="module")
def hepmc(events: Events, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hepmc") / "qcd.hepmc"
    particles = events.particles
    with pyhepmc.open(str(path), "w") as file:
        for number, (start, stop) in enumerate(zip(particles.offsets, particles.offsets[1:], strict=False)):
            event = pyhepmc.GenEvent(pyhepmc.Units.MEV, pyhepmc.Units.CM)
            event.event_number = number
            for row in range(start, stop):
                energy, *momentum = 1e3 * particles.p4[row]
                vertex = pyhepmc.GenVertex((*(particles.vertex[row] / 10), 0))
                vertex.add_particle_in(pyhepmc.GenParticle((0, 0, 6.5e6, 6.5e6), 2212, 4))
                vertex.add_particle_out(pyhepmc.GenParticle((*momentum, energy), int(particles.pid[row]), 1))
                event.add_vertex(vertex)
            file.write(event)
    return path


@pytest.fixture(scope="module")
def lhe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two gluons at 90 degrees to the beam, again and again."""
    path = tmp_path_factory.mktemp("lhe") / "gg.lhe"
    rows = [
        (-1, 0, 0, 501, 502, 0, 400),
        (-1, 0, 0, 502, 503, 0, -400),
        (1, 1, 2, 501, 504, 400, 0),
        (1, 1, 2, 504, 503, -400, 0),
    ]
    lines = [f"21 {s} {a} {b} {c} {d} {px} 0. {pz} 400. 0. 0. 9." for s, a, b, c, d, px, pz in rows]
    event = "\n".join(["<event>", "4 9999 1. 400. 0.0078 0.1", *lines, "</event>"])
    head = '<LesHouchesEvents version="1.0">\n<init>\n2212 2212 6500. 6500. 0 0 0 0 3 1\n1. 0. 1. 9999\n</init>'
    path.write_text("\n".join([head, *[event] * EVENTS, "</LesHouchesEvents>\n"]))
    return path


def converted(format: str, path: Path, out: Path, shard: int, **values: Any) -> dict[str, Any]:
    dataset = open_dataset(convert(format, [path], ConvertOptions(out=str(out), shard=shard), CUTS | values))
    return dict(dataset.read(dataset.columns)) | {"skipped": dataset.card.skipped, "classes": dataset.classes}


def test_jets_of_a_hepmc_file_are_those_of_its_particles(hepmc: Path, events: Events, tmp_path: Path) -> None:
    read = converted("hepmc", hepmc, tmp_path / "out", EVENTS, detector="none")
    jets = find_jets(events.particles.visible(), 0.8, 100.0, "antikt")
    jets = jets.keep(np.abs(jets.eta) < 2.5)
    np.testing.assert_allclose(np.asarray(read["jet_pt"]), jets.pt, rtol=1e-5)
    assert np.asarray(read["event_id"]).tolist() == events.number[jets.event].tolist()
    assert read["part_pid"].counts.tolist() == np.diff(jets.offsets).tolist()
    assert read["classes"] == ("QCD",)


@pytest.mark.parametrize("format", ["hepmc", "lhe"])
def test_the_pieces_do_not_matter(format: str, tmp_path: Path, request: Any) -> None:
    path = request.getfixturevalue(format)
    one, many = (converted(format, path, tmp_path / str(shard), shard) for shard in (EVENTS, 5))
    assert one["skipped"] == many["skipped"]
    for name in one.keys() - {"skipped", "classes"}:
        ours, theirs = (x.values if isinstance(x, Ragged) else x for x in (one[name], many[name]))
        np.testing.assert_array_equal(ours, theirs, err_msg=name)


def test_events_of_a_les_houches_file_are_showered(lhe: Path, tmp_path: Path) -> None:
    read = converted(
        "lhe", lhe, tmp_path / "out", EVENTS, leading=2, detector="none", settings=["PartonLevel:MPI = off"]
    )
    pt, count = np.asarray(read["jet_pt"]), np.asarray(read["jet_nparticles"])
    assert len(np.unique(np.asarray(read["event_id"]))) == EVENTS
    assert 300 < np.median(pt) < 450
    assert np.median(count) > 15
    assert len(np.unique(count)) > 5


def weighted(path: Path, hepmc: Path, names: list[str] | None, form: str = "hepmc3") -> Path:
    """The same events, each with the two weights −number and 100."""
    run = pyhepmc.GenRunInfo()
    if names:
        run.weight_names = names
    with pyhepmc.open(str(hepmc)) as source, pyhepmc.open(str(path), "w", format=form) as file:
        for number, event in enumerate(source):
            event.run_info = run
            event.weights = [-float(number), 100.0]
            file.write(event)
    return path


@pytest.mark.parametrize("form", ["hepmc3", "hepmc2"])
@pytest.mark.parametrize(
    ("names", "nominal"), [(["muR", "Default"], 1), (["Weight", "muR"], 0), (["nominal", "0"], 0), (None, 0)]
)
def test_each_jet_has_the_nominal_weight_of_its_hepmc_event(
    hepmc: Path, tmp_path: Path, names: list[str] | None, nominal: int, form: str
) -> None:
    path = weighted(tmp_path / "weighted.hepmc", hepmc, names, form)
    read = converted("hepmc", path, tmp_path / "out", 5, detector="none")
    number = np.asarray(read["event_id"])
    assert np.asarray(read["event_weight"]).tolist() == (np.full(len(number), 100) if nominal else -number).tolist()


def test_a_hepmc_file_without_weights_gives_none(hepmc: Path, tmp_path: Path) -> None:
    assert "event_weight" not in converted("hepmc", hepmc, tmp_path / "out", EVENTS, detector="none")


@pytest.mark.parametrize(("strategy", "expected"), [(-4, "value"), (-3, "sign"), (3, "one")])
def test_each_jet_has_the_weight_of_its_les_houches_event(
    lhe: Path, tmp_path: Path, strategy: int, expected: str
) -> None:
    weights = np.where(np.arange(EVENTS) % 3 == 0, -1.0, 1.0) * (1 + np.arange(EVENTS))
    head, *events = lhe.read_text().replace(" 3 1\n", f" {strategy} 1\n").split("4 9999 1. ")
    if expected == "one":
        weights = np.abs(weights)
    written = [f"4 9999 {weight} {event}" for weight, event in zip(weights, events, strict=True)]
    (tmp_path / "weighted.lhe").write_text("".join([head, *written]))
    options = {"leading": 2, "detector": "none", "settings": ["PartonLevel:MPI = off", "HadronLevel:all = off"]}
    read = converted("lhe", tmp_path / "weighted.lhe", tmp_path / "out", 5, **options)
    wanted = {"value": weights, "sign": np.sign(weights), "one": np.ones(EVENTS)}[expected]
    np.testing.assert_allclose(read["event_weight"], wanted[np.asarray(read["event_id"])], rtol=1e-6)


def test_events_without_a_jet_are_counted(hepmc: Path, tmp_path: Path) -> None:
    read = converted("hepmc", hepmc, tmp_path / "out", 5, pt=[600, 5000])
    events = len(np.unique(np.asarray(read["event_id"])))
    assert read["skipped"] == {"an event without a jet in the cuts": EVENTS - events}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("<!DOCTYPE html><p>not found", "is a web page"),
        ("HepMC::Version 3\n", "has no HepMC event"),
    ],
)
def test_a_file_without_events_is_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "bad.hepmc").write_text(content)
    with pytest.raises(JetkitError, match=message):
        convert("hepmc", [tmp_path / "bad.hepmc"], ConvertOptions(out=str(tmp_path / "out")))


def test_a_file_that_is_cut_short_is_one_sentence(hepmc: Path, tmp_path: Path) -> None:
    text = hepmc.read_bytes()
    (tmp_path / "cut.hepmc").write_bytes(text[: 2 * len(text) // 3])
    with pytest.raises(JetkitError, match=r"cut\.hepmc"):
        convert("hepmc", [tmp_path / "cut.hepmc"], ConvertOptions(out=str(tmp_path / "out")))


def test_charges_are_those_of_the_particle_table() -> None:
    assert Charges()(np.array([11, -11, 2212, 211, -321, 22, 310, 3112, 999999])).tolist() == [
        -1,
        1,
        1,
        1,
        -1,
        0,
        0,
        -1,
        0,
    ]
