from pathlib import Path

import numpy as np
import pytest

import jetkit.data.readers.lhco  # noqa: F401 - registers the readers
from jetkit.data.ragged import Array
from jetkit.errors import JetkitError

from .foreign_arrays import converted, damaged, dijets, fixed_file, momenta, p4_of, pandas_file, web_page

EVENTS = 12
LABELS = np.arange(EVENTS) % 3 == 0


@pytest.fixture(scope="module")
def events() -> Array:
    return dijets(EVENTS)


def table(events: Array, labels: Array | None = LABELS) -> Array:
    return events if labels is None else np.column_stack([events, labels])


def slow_jets(event: Array, radius: float, leading: int) -> list[Array]:
    """Momenta of the constituents of the leading jets, by FastJet."""
    fastjet = pytest.importorskip("fastjet")
    real = event.reshape(700, 3)[event.reshape(700, 3)[:, 0] > 0]
    inputs = [fastjet.PseudoJet(*p4[1:].tolist(), p4[0].item()) for p4 in momenta(*real.T)]
    sequence = fastjet.ClusterSequence(inputs, fastjet.JetDefinition(fastjet.antikt_algorithm, radius))
    jets = fastjet.sorted_by_pt(sequence.inclusive_jets(20.0))[:leading]
    return [
        np.array([[p.e(), p.px(), p.py(), p.pz()] for p in fastjet.sorted_by_pt(jet.constituents())]) for jet in jets
    ]


@pytest.mark.parametrize(("radius", "leading"), [(1.0, 2), (0.15, 3)])
def test_rows_are_the_leading_jets_that_fastjet_finds(
    tmp_path: Path, events: Array, radius: float, leading: int
) -> None:
    file = fixed_file(tmp_path / "events.h5", table(events))
    found = converted("lhco", tmp_path / "out", file, radius=radius, leading=leading)
    slow = [jet for event in events for jet in slow_jets(event, radius, leading)]
    p4, counts = p4_of(found)
    assert counts.tolist() == [len(jet) for jet in slow]
    np.testing.assert_allclose(p4, np.concatenate(slow), rtol=1e-6, atol=1e-4)


def test_jets_of_an_event_share_number_mass_and_label(tmp_path: Path, events: Array) -> None:
    file = fixed_file(tmp_path / "events.h5", table(events))
    found = converted("lhco", tmp_path / "out", file)
    rows = found.read(["event_id", "jet_rank", "event_mjj", "jet_label", "jet_pt"])
    both = [np.concatenate(slow_jets(event, 1.0, 2)).sum(axis=0) for event in events]
    assert found.classes == ("background", "signal")
    assert rows["jet_rank"].tolist() == [0, 1] * EVENTS
    assert np.unique(rows["event_id"]).tolist() == (rows["event_id"][0] + np.arange(EVENTS)).tolist()
    assert (np.diff(rows["event_id"]) == [0, 1] * (EVENTS - 1) + [0]).all()
    np.testing.assert_array_equal(rows["jet_label"], np.repeat(LABELS, 2))
    assert (rows["jet_pt"][::2] >= rows["jet_pt"][1::2]).all()
    expected = [np.sqrt(p4[0] ** 2 - (p4[1:] ** 2).sum()) for p4 in both]
    np.testing.assert_allclose(rows["event_mjj"], np.repeat(expected, 2), rtol=1e-6)


def test_a_black_box_has_no_labels_and_no_classes(tmp_path: Path, events: Array) -> None:
    found = converted("lhco", tmp_path / "out", fixed_file(tmp_path / "box.h5", table(events, None)))
    assert found.classes == ()
    assert "jet_label" not in found.columns
    assert len(found) == 2 * EVENTS


def test_events_of_two_files_have_numbers_of_their_own(tmp_path: Path, events: Array) -> None:
    files = [fixed_file(tmp_path / name, table(events)) for name in ("one.h5", "two.h5")]
    found = converted("lhco", tmp_path / "out", *files)
    assert len(np.unique(found.read(["event_id"])["event_id"])) == 2 * EVENTS


@pytest.mark.parametrize("options", [{}, {"complib": "blosc", "complevel": 5}, {"complib": "zlib", "complevel": 3}])
@pytest.mark.parametrize("format", ["fixed", "table"])
def test_files_of_pandas_are_read(tmp_path: Path, events: Array, format: str, options: dict[str, object]) -> None:
    few = table(events[:4], LABELS[:4])
    columns = {number: few[:, number] for number in range(2101)}
    theirs = pandas_file(tmp_path / "theirs.h5", columns, format=format, **options)
    ours = fixed_file(tmp_path / "ours.h5", few)
    expected = p4_of(converted("lhco", tmp_path / "a", ours))[0]
    found = converted("lhco", tmp_path / "b", theirs, shard=3)
    np.testing.assert_array_equal(p4_of(found)[0], expected)
    np.testing.assert_array_equal(found.read(["jet_label"])["jet_label"], np.repeat(LABELS[:4], 2))


@pytest.mark.parametrize("kind", [">f8", "<f4", "<f2"])
def test_numbers_of_any_width_and_byte_order_are_read(tmp_path: Path, events: Array, kind: str) -> None:
    stored = table(events).astype(kind)
    found = converted("lhco", tmp_path / "a", fixed_file(tmp_path / "stored.h5", stored))
    expected = converted("lhco", tmp_path / "b", fixed_file(tmp_path / "double.h5", stored.astype("<f8")))
    np.testing.assert_allclose(p4_of(found)[0], p4_of(expected)[0], rtol=1e-6, atol=1e-4)


def test_events_that_give_no_jets_are_counted(tmp_path: Path, events: Array) -> None:
    rows = table(events).copy()
    rows[0, 0] = np.nan
    rows[1, 4] = 5000.0
    rows[2, 3] = -1.0
    rows[3, :2100] = 0
    rows[4, 3:2100] = 0
    rows[5, 699 * 3 + 1 :] = [0.5, 0.5, 1]  # a place without pT
    found = converted("lhco", tmp_path / "out", fixed_file(tmp_path / "events.h5", rows))
    assert found.card.skipped == {
        "an event with NaN, infinity or a negative pT": 3,
        "an event with fewer jets than 2": 2,
    }
    assert len(found) == 2 * (EVENTS - 5)


def test_wrong_files_are_refused_in_one_sentence(tmp_path: Path, events: Array) -> None:
    good = fixed_file(tmp_path / "good.h5", table(events))
    for path, message in [
        (damaged(tmp_path / "cut.h5", good), "cannot be read as HDF5"),
        (web_page(tmp_path / "page.h5"), "is a web page"),
        (fixed_file(tmp_path / "narrow.h5", events[:, :90]), "no branch 90"),
    ]:
        with pytest.raises(JetkitError, match=message):
            converted("lhco", tmp_path / "out", path)
    with pytest.raises(JetkitError, match="should be positive"):
        converted("lhco", tmp_path / "out", good, radius=-1.0)


def test_a_compression_that_is_not_installed_is_named(
    tmp_path: Path, events: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = pandas_file(tmp_path / "blosc.h5", {k: events[:, k] for k in range(2100)}, complib="blosc", complevel=5)
    monkeypatch.setattr("h5py.h5z.filter_avail", lambda code: False)
    with pytest.raises(JetkitError, match="is compressed with blosc, which needs: pip install hdf5plugin"):
        converted("lhco", tmp_path / "out", file)


# -- features ------------------------------------------------------------------------------------------------------

NAMES = [f"{name}j{jet}" for jet in (1, 2) for name in ("px", "py", "pz", "m", "tau1", "tau2", "tau3")]


@pytest.fixture
def features() -> dict[str, Array]:
    random = np.random.default_rng(3)
    columns = {
        name: random.normal(0, 800, EVENTS) if name[0] == "p" else random.uniform(1, 300, EVENTS) for name in NAMES
    }
    return columns | {"label": LABELS.astype(float)}


def save_csv(path: Path, columns: dict[str, Array], index: bool = False) -> Path:
    names, rows = list(columns), np.column_stack(list(columns.values()))
    lines = [",".join([str(k)] * index + [repr(float(value)) for value in row]) for k, row in enumerate(rows)]
    path.write_text("\n".join([",".join([""] * index + names), *lines]) + "\n")
    return path


@pytest.mark.parametrize("kind", ["csv", "csv with index", "fixed", "table"])
def test_the_two_jets_are_the_particles_of_an_event(tmp_path: Path, features: dict[str, Array], kind: str) -> None:
    if kind.startswith("csv"):
        file = save_csv(tmp_path / "features.csv", features, index="index" in kind)
    else:
        file = pandas_file(tmp_path / "features.h5", features, format=kind)
    found = converted("lhco-features", tmp_path / "out", file, shard=5)
    p4, counts = p4_of(found)
    assert counts.tolist() == [2] * EVENTS
    assert not [note for note in found.card.notes if note.startswith("unknown")]
    for jet in (1, 2):
        px, py, pz, m, *tau = (features[f"{name}j{jet}"] for name in ("px", "py", "pz", "m", "tau1", "tau2", "tau3"))
        expected = np.stack([np.sqrt(px**2 + py**2 + pz**2 + m**2), px, py, pz], axis=-1)
        np.testing.assert_allclose(p4[jet - 1 :: 2], expected, rtol=1e-6)
        for number, values in enumerate(tau, start=1):
            column = found.read([f"part_tau{number}"])[f"part_tau{number}"].values
            np.testing.assert_array_equal(column[jet - 1 :: 2], values.astype(np.float32))
    np.testing.assert_array_equal(found.read(["jet_label"])["jet_label"], LABELS)
    both = p4.reshape(-1, 2, 4).astype(np.float64).sum(axis=1)
    mass = np.sqrt(both[:, 0] ** 2 - (both[:, 1:] ** 2).sum(axis=1))
    np.testing.assert_allclose(found.read(["jet_mass"])["jet_mass"], mass, rtol=1e-6)


def test_features_without_a_second_jet_or_label_are_dealt_with(tmp_path: Path, features: dict[str, Array]) -> None:
    for name in NAMES[7:]:
        features[name][3] = 0
    features["pxj1"][5] = np.nan
    del features["label"]
    found = converted("lhco-features", tmp_path / "out", save_csv(tmp_path / "features.csv", features))
    assert found.card.skipped == {"a particle with E <= 0": 1, "a momentum with NaN or infinity": 1}
    assert found.classes == ()


def test_wrong_feature_tables_are_refused_in_one_sentence(tmp_path: Path, features: dict[str, Array]) -> None:
    good = save_csv(tmp_path / "good.csv", features)
    (tmp_path / "text.csv").write_text(",".join(NAMES) + "\n" + ",".join(["high"] * 14) + "\n")
    (tmp_path / "none.csv").write_text(",".join(NAMES) + "\n")
    (tmp_path / "narrow.csv").write_text(",".join(NAMES) + "\n" + ",".join("1" * 13) + "\n")
    for path, message in [
        (damaged(tmp_path / "cut.csv", good), "cannot be read as CSV"),
        (web_page(tmp_path / "page.csv"), "is a web page"),
        (save_csv(tmp_path / "lacks.csv", {"pxj1": features["pxj1"]}), "no branch pyj1"),
        (tmp_path / "text.csv", "cannot be read as CSV .*high"),
        (tmp_path / "none.csv", "cannot be read as CSV .*no data"),
        (tmp_path / "narrow.csv", "14 names but 13 columns"),
    ]:
        with pytest.raises(JetkitError, match=message):
            converted("lhco-features", tmp_path / "out", path)
