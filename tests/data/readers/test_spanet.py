"""SPANet: padded events of jets become rows of jets, with the jet of each decay product."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jetkit.data.card import read_card
from jetkit.data.convert import ConvertOptions, convert
from jetkit.data.readers.spanet import SPANet
from jetkit.data.shards import ShardReader
from jetkit.errors import JetkitError

REAL = Path(__file__).parents[3] / ".." / "shared" / "data" / "event" / "spanet_full_hadronic_ttbar.h5"
FOREIGN = runpy.run_path(str(Path(__file__).with_name("foreign_hits.py")))
make, write = FOREIGN["make_spanet"], FOREIGN["write_spanet"]
SEVERAL = """
INPUTS:
  SEQUENTIAL:
    Source: {mass: log_normalize, pt: log_normalize, eta: normalize, phi: normalize, btag: none}
    Leptons: {mass: log_normalize, pt: log_normalize, eta: normalize, phi: normalize}
  GLOBAL:
    Met: {met: log_normalize}
EVENT:
  t1: [q1, q2, b]
  t2: [{q1: Leptons}, q2, {b: Source}]
"""


def converted(file: Path, folder: Path, **values: Any) -> dict[str, Any]:
    convert("spanet", [file], ConvertOptions(out=str(folder), shard=100_000), values)
    with ShardReader(folder / "0000-000000000.parquet") as shard:
        return shard.read(list(shard.columns))


def momenta(datasets: Any, name: str = "INPUTS/Source") -> np.ndarray:
    """(E, px, py, pz) of the real jets, one by one."""
    found = []
    for event, slot in np.argwhere(datasets[f"{name}/MASK"]):
        m, pt, eta, phi = (float(datasets[f"{name}/{key}"][event, slot]) for key in ("mass", "pt", "eta", "phi"))
        pz = pt * np.sinh(eta)
        found.append((np.sqrt(pt**2 + pz**2 + m**2), pt * np.cos(phi), pt * np.sin(phi), pz))
    return np.array(found)


def p4(rows: Any) -> np.ndarray:
    return np.stack([rows[f"part_{axis}"].values for axis in ("energy", "px", "py", "pz")], axis=1)


def test_jets_and_targets_come_through(tmp_path: Path) -> None:
    datasets = make()
    rows = converted(write(tmp_path / "a.h5", datasets), tmp_path / "out")
    mask = datasets["INPUTS/Source/MASK"]
    assert rows["part_px"].counts.tolist() == mask.sum(axis=1).tolist()
    np.testing.assert_allclose(p4(rows), momenta(datasets), rtol=2e-6, atol=1e-4)
    np.testing.assert_array_equal(rows["part_btag"].values, datasets["INPUTS/Source/btag"][mask])
    for name in (name for name in datasets if name.startswith("TARGETS")):
        np.testing.assert_array_equal(rows[name.replace("/", "_").replace("TARGETS", "target")], datasets[name])
    assert read_card(tmp_path / "out").columns["target_t1_q1"]["description"].endswith("-1: none")


def test_azimuth_may_be_given_by_sine_and_cosine(tmp_path: Path) -> None:
    datasets = make()
    phi = datasets["INPUTS/Source/phi"]
    other = {name: values for name, values in datasets.items() if name != "INPUTS/Source/phi"}
    other |= {"INPUTS/Source/sin_phi": np.sin(phi), "INPUTS/Source/cos_phi": np.cos(phi)}
    rows = SPANet(write(tmp_path / "a.h5", other)).read(0, 40)
    np.testing.assert_allclose(p4(rows), momenta(datasets), rtol=1e-5, atol=1e-3)
    assert not {"part_sin_phi", "part_cos_phi"} & rows.keys()


def test_targets_follow_their_jets_where_the_padding_has_holes(tmp_path: Path) -> None:
    datasets = make(events=1)
    datasets["INPUTS/Source/MASK"] = np.array([[False, True, True, False, True, False]])
    datasets |= {name: np.array([-1]) for name in datasets if name.startswith("TARGETS")}
    datasets |= {"TARGETS/t1/b": np.array([4]), "TARGETS/t2/b": np.array([1])}
    datasets["INPUTS/Source/pt"] = np.array([[10.0, 20, 30, 40, 50, 60]], np.float32)
    rows = SPANet(write(tmp_path / "a.h5", datasets)).read(0, 1)
    np.testing.assert_allclose(np.hypot(rows["part_px"].values, rows["part_py"].values), [20, 30, 50])
    assert [rows[f"target_{top}_b"].tolist() for top in ("t1", "t2")] == [[2], [0]]


def several() -> dict[str, np.ndarray]:
    """Six places for jets, then two for leptons; the q1 of t2 is the first lepton."""
    datasets, lepton = make(), make(jets=2, seed=1)
    leptons = {name.replace("Source", "Leptons"): lepton[name] for name in lepton if name.startswith("INPUTS")}
    del leptons["INPUTS/Leptons/btag"]
    return datasets | leptons | {"TARGETS/t2/q1": np.full(40, 6), "INPUTS/Met/met": np.arange(40.0)}


def test_inputs_follow_each_other_in_the_order_of_the_event_file(tmp_path: Path) -> None:
    (tmp_path / "event.yaml").write_text(SEVERAL)
    datasets = several()
    rows = converted(write(tmp_path / "a.h5", datasets), tmp_path / "out", event=str(tmp_path / "event.yaml"))
    which = rows["part_input"].values
    np.testing.assert_allclose(p4(rows)[which == 0], momenta(datasets), rtol=2e-6, atol=1e-4)
    np.testing.assert_allclose(p4(rows)[which == 1], momenta(datasets, "INPUTS/Leptons"), rtol=2e-6, atol=1e-4)
    assert rows["target_t2_q1"].tolist() == datasets["INPUTS/Source/MASK"].sum(axis=1).tolist()
    assert rows["event_Met_met"].tolist() == list(range(40))
    assert "INPUTS/Source/btag" in read_card(tmp_path / "out").notes[-1]


def test_quantities_to_regress_and_classes_are_kept(tmp_path: Path) -> None:
    more = {"REGRESSIONS/EVENT/mass": np.linspace(0, 1, 40), "CLASSIFICATIONS/EVENT/signal": np.arange(40) % 2}
    rows = converted(write(tmp_path / "a.h5", make() | more), tmp_path / "out")
    np.testing.assert_array_equal(rows["regression_EVENT_mass"], np.linspace(0, 1, 40).astype(np.float32))
    assert rows["classification_EVENT_signal"].tolist() == [0, 1] * 20


def test_events_with_bad_jets_or_none_are_counted(tmp_path: Path) -> None:
    datasets = make()
    datasets["INPUTS/Source/pt"][0, 0] = np.nan
    datasets["INPUTS/Source/pt"][1, 0] = 0
    datasets["INPUTS/Source/MASK"][2] = False
    datasets |= {name: np.full(40, -1) for name in datasets if name.startswith("TARGETS")}
    rows = converted(write(tmp_path / "a.h5", datasets), tmp_path / "out")
    assert len(rows["event_id"]) == 37
    assert read_card(tmp_path / "out").skipped == {
        "a momentum with NaN or infinity": 1, "a particle with pT = 0": 1, "no particles": 1,
    }  # fmt: skip


def test_a_target_at_which_there_is_no_jet_is_refused(tmp_path: Path) -> None:
    datasets = make()
    datasets["TARGETS/t1/b"][7] = 6
    with pytest.raises(JetkitError, match="TARGETS/t1/b is 6 in an event that has no jet there"):
        SPANet(write(tmp_path / "a.h5", datasets)).read(0, 40)


def test_several_inputs_ask_for_the_event_file(tmp_path: Path) -> None:
    with pytest.raises(JetkitError, match=r"give event=FILE\.yaml"):
        SPANet(write(tmp_path / "a.h5", several()))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("EVENT: {t1: [b]}", "no INPUTS: SEQUENTIAL"),
        ("INPUTS: {SEQUENTIAL: {Jets: {}}}", "has no branch INPUTS/Jets/MASK"),
        ("INPUTS: {SEQUENTIAL: {Source: {}}}\nEVENT: {H: [b1]}", "has no branch TARGETS/H/b1"),
        ("- a", "should be a mapping"),
    ],
)
def test_an_event_file_of_another_process_is_refused(text: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "event.yaml").write_text(text)
    with pytest.raises(JetkitError, match=sentence):
        SPANet(write(tmp_path / "a.h5", make()), event=str(tmp_path / "event.yaml"))


@pytest.mark.parametrize("feature", ["MASK", "pt", "eta", "phi", "mass"])
def test_a_missing_feature_is_named(feature: str, tmp_path: Path) -> None:
    datasets = make()
    del datasets[f"INPUTS/Source/{feature}"]
    with pytest.raises(JetkitError, match=f"has no branch INPUTS/.*/{feature}"):
        SPANet(write(tmp_path / "a.h5", datasets))


def test_datasets_of_unequal_length_are_refused(tmp_path: Path) -> None:
    datasets = make()
    for name, wrong in (("TARGETS/t1/b", np.zeros(39, int)), ("INPUTS/Source/btag", np.zeros((40, 5)))):
        with pytest.raises(JetkitError, match=f"{name} has shape"):
            SPANet(write(tmp_path / "a.h5", datasets | {name: wrong}))


def test_a_file_that_is_cut_short_or_a_web_page_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.h5", make())
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(JetkitError, match="cannot be read as HDF5"):
        SPANet(path).read(0, 40)
    path.write_bytes(b"<html></html>")
    with pytest.raises(JetkitError, match="is a web page"):
        SPANet(path)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any]]:
    """The 10,000 public events as converted, and what their file holds."""
    if not REAL.exists():
        pytest.skip("the public SPANet events are not here")
    h5py = pytest.importorskip("h5py")
    datasets: dict[str, Any] = {}
    with h5py.File(REAL) as file:
        file.visititems(lambda name, item: datasets.update({name: item[:]}) if isinstance(item, h5py.Dataset) else None)
    folder = tmp_path_factory.mktemp("spanet") / "out"
    event = str(REAL.parent / "full_hadronic_ttbar.yaml")
    return converted(REAL, folder, event=event), datasets


def test_the_public_events_keep_their_multiplicities_and_b_tags(real: Any) -> None:
    rows, datasets = real
    mask, btag = datasets["INPUTS/Source/MASK"], datasets["INPUTS/Source/btag"]
    np.testing.assert_array_equal(rows["part_px"].counts, mask.sum(axis=1))
    np.testing.assert_array_equal(rows["jet_nparticles"], mask.sum(axis=1))
    bounds = rows["part_btag"].offsets[:-1]
    np.testing.assert_array_equal(np.add.reduceat(rows["part_btag"].values, bounds), (btag * mask).sum(axis=1))


def test_the_targets_of_the_public_events_are_those_of_the_file(real: Any) -> None:
    rows, datasets = real
    targets = [name for name in datasets if name.startswith("TARGETS")]
    assert len(targets) == 6
    for name in targets:
        np.testing.assert_array_equal(rows[name.replace("/", "_").replace("TARGETS", "target")], datasets[name])


@pytest.mark.parametrize(("products", "mass"), [(("q1", "q2"), 80.4), (("q1", "q2", "b"), 172.5)])
def test_matched_jets_of_the_public_events_make_w_bosons_and_tops(
    products: tuple[str, ...], mass: float, real: Any
) -> None:
    """Jets lack what falls outside of their cones, here 4 to 6 %; three jets at random have a median of 217 GeV."""
    rows, _ = real
    jets, starts = p4(rows).astype(np.float64), rows["part_px"].offsets[:-1]
    found = []
    for top in ("t1", "t2"):
        places = np.stack([rows[f"target_{top}_{product}"] for product in products], axis=1)
        whole = (places >= 0).all(axis=1)
        sums = jets[starts[whole, None] + places[whole]].sum(axis=1)
        found.append(np.sqrt(sums[:, 0] ** 2 - (sums[:, 1:] ** 2).sum(axis=1)))
    assert 0.9 < np.median(np.concatenate(found)) / mass < 1


def test_targets_of_b_quarks_of_the_public_events_are_mostly_tagged(real: Any) -> None:
    rows, _ = real
    tagged = {}
    for product in ("q2", "b"):
        place = rows[f"target_t1_{product}"]
        here = rows["part_btag"].offsets[:-1][place >= 0] + place[place >= 0]
        tagged[product] = rows["part_btag"].values[here].mean()
    assert tagged["b"] > 0.85
    assert tagged["q2"] < 0.1
