from pathlib import Path

import numpy as np
import pytest

import jetkit.data.readers.cathode  # noqa: F401 - registers the reader
from jetkit.data.ragged import Array
from jetkit.errors import JetkitError

from .foreign_arrays import converted, damaged, web_page

COLUMNS = ("event_mjj", "event_mj1", "event_delta_mj", "event_tau21_j1", "event_tau21_j2")


@pytest.fixture
def events() -> Array:
    random = np.random.default_rng(4)
    parts = [random.uniform(3.3, 3.7, 20), *random.uniform(0, 1, (4, 20)), np.arange(20) % 4 == 0]
    return np.column_stack(parts)


def save(path: Path, values: Array) -> Path:
    np.save(path, values)
    return path


def test_features_are_columns_in_gev(tmp_path: Path, events: Array) -> None:
    found = converted("cathode", tmp_path / "out", save(tmp_path / "innerdata_train.npy", events))
    rows = found.read([*COLUMNS, "jet_label", "event_id"])
    for k, (name, unit) in enumerate(zip(COLUMNS, (1000, 1000, 1000, 1, 1), strict=True)):
        np.testing.assert_array_equal(rows[name], (unit * events[:, k]).astype(np.float32))
    np.testing.assert_array_equal(rows["jet_label"], events[:, 5])
    assert rows["event_id"].tolist() == list(range(20))
    assert found.classes == ("background", "signal")
    assert found.card.columns["event_delta_mj"]["unit"] == "GeV"


@pytest.mark.parametrize("kind", [">f8", "<f4", "<f2"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_of_any_type_and_order_are_read(tmp_path: Path, events: Array, kind: str, order: str) -> None:
    stored = np.array(events, kind, order=order)
    found = converted("cathode", tmp_path / "out", save(tmp_path / "innerdata_train.npy", stored))
    np.testing.assert_array_equal(found.read(["event_tau21_j1"])["event_tau21_j1"], stored[:, 3].astype(np.float32))


def test_events_with_nan_are_left_out_and_counted(tmp_path: Path, events: Array) -> None:
    events[3, 4], events[7, 0] = np.nan, np.inf
    found = converted("cathode", tmp_path / "out", save(tmp_path / "innerdata_train.npy", events))
    assert found.card.skipped == {"a feature with NaN or infinity": 2}
    np.testing.assert_array_equal(found.read(["jet_label"])["jet_label"], np.delete(events[:, 5], [3, 7]))


def test_wrong_files_are_refused_in_one_sentence(tmp_path: Path, events: Array) -> None:
    good = save(tmp_path / "good.npy", events)
    np.save(tmp_path / "pickled.npy", np.array([{"a": 1}], object))
    (tmp_path / "text.npy").write_text("3.4 0.1 0.2 0.3 0.4 1\n")
    for path, message in [
        (damaged(tmp_path / "cut.npy", good), "cannot be read as NumPy"),
        (web_page(tmp_path / "page.npy"), "is a web page"),
        (tmp_path / "pickled.npy", "cannot be read as NumPy .*Python objects"),
        (tmp_path / "text.npy", "cannot be read as NumPy .*magic"),
        (save(tmp_path / "words.npy", np.array(["a"])), "not numbers"),
        (save(tmp_path / "narrow.npy", events[:, :5]), r"\(20, 5\), not \(events, 6\)"),
        (tmp_path / "absent.npy", "absent.npy"),
    ]:
        with pytest.raises(JetkitError, match=message):
            converted("cathode", tmp_path / "out", path)
