from importlib.util import find_spec
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot
import yaml

import jetkit.data.readers.weaver  # noqa: F401 - registers the reader
from jetkit.data.dataset import Dataset
from jetkit.data.ragged import Ragged
from jetkit.data.readers.root import write_tree
from jetkit.data.writers.jetclass import write_jetclass
from jetkit.data.writers.weaver import write_weaver
from jetkit.errors import JetkitError

from .foreign_root import COUNTS, converted, jetclass_file, like, momenta, objects, p4_of, refuses_what_is_damaged, same

CARTESIAN = {"part_px": "px", "part_py": "py", "part_pz": "pz", "part_energy": "e"}
POLAR = {"part_pt": "pt", "part_eta": "eta", "part_phi": "phi"}


def write_mapping(folder: Path, **values: Any) -> str:
    path = folder / "mapping.yaml"
    path.write_text(yaml.safe_dump(values))
    return str(path)


def flat_file(path: Path, tree: str = "tree") -> dict[str, Any]:
    """Jets as somebody might have stored them, in both forms of momenta and of labels."""
    polar = objects(COUNTS)
    p4 = momenta(*(polar[name].values.astype(np.float64) for name in ("pt", "eta", "phi"))).astype(np.float32)
    columns: dict[str, Any] = {
        name: Ragged(p4[:, k], polar["pt"].offsets) for k, name in enumerate(("e", "px", "py", "pz"))
    }
    label = np.arange(len(COUNTS)) % 2
    columns |= polar | {"m": like(polar["pt"], 0.14), "qcd": label == 0, "isTop": label == 1, "label": label}
    write_tree(path, tree, columns)
    return columns


def test_momenta_are_kept_to_the_bit_and_one_hot_labels_become_classes(tmp_path: Path) -> None:
    columns = flat_file(tmp_path / "a.root", tree="Events")
    mapping = write_mapping(tmp_path, tree="Events", columns=CARTESIAN, label={"branches": ["qcd", "isTop"]})
    dataset = converted("weaver", tmp_path / "out", tmp_path / "a.root", mapping=mapping)
    expected = np.stack([columns[name].values for name in ("e", "px", "py", "pz")], axis=-1)
    np.testing.assert_array_equal(p4_of(dataset), expected)
    assert dataset.classes == ("qcd", "isTop")
    assert np.asarray(dataset.read(["jet_label"])["jet_label"]).tolist() == [0, 1, 1, 0, 1]
    assert dataset.card.skipped == {"no particles": 1}
    assert "unknown branches, left out: eta, label, m, phi, pt" in dataset.card.notes


def test_an_rntuple_is_read_as_a_tree_is(tmp_path: Path) -> None:
    columns = flat_file(tmp_path / "a.root")
    rows = {name: columns[name] for name in CARTESIAN.values()}
    with uproot.recreate(tmp_path / "b.root") as file:
        file.mkrntuple("tree", {name: ak.unflatten(column.values, column.counts) for name, column in rows.items()})
    mapping = write_mapping(tmp_path, columns=CARTESIAN)
    tree, ntuple = (converted("weaver", tmp_path / n, tmp_path / f"{n}.root", mapping=mapping) for n in "ab")
    np.testing.assert_array_equal(p4_of(tree), p4_of(ntuple))
    assert len(ntuple) == 5


@pytest.mark.parametrize(("more", "mass"), [({}, 0.0), ({"part_mass": "m"}, 0.14)])
def test_polar_momenta_become_cartesian(tmp_path: Path, more: dict[str, str], mass: float) -> None:
    columns = flat_file(tmp_path / "a.root")
    mapping = write_mapping(tmp_path, columns=POLAR | more, label={"branch": "label"}, classes=["QCD", "top"])
    dataset = converted("weaver", tmp_path / "out", tmp_path / "a.root", mapping=mapping)
    polar = [columns[name].values.astype(np.float64) for name in ("pt", "eta", "phi")]
    np.testing.assert_allclose(p4_of(dataset), momenta(*polar, mass), rtol=1e-6)
    assert dataset.classes == ("QCD", "top")


def test_an_energy_beside_polar_momenta_is_kept_to_the_bit(tmp_path: Path) -> None:
    columns = flat_file(tmp_path / "a.root")
    mapping = write_mapping(tmp_path, columns=POLAR | {"part_energy": "m"})
    dataset = converted("weaver", tmp_path / "out", tmp_path / "a.root", mapping=mapping)
    np.testing.assert_array_equal(p4_of(dataset)[:, 0], columns["m"].values)
    assert "jet_label" not in dataset.columns


@pytest.mark.parametrize("kind", [np.float64, np.int32])
def test_a_branch_of_weights_is_kept(tmp_path: Path, kind: type) -> None:
    weight = np.array([1, -2, 3, 4, -5, 6], kind)
    write_tree(tmp_path / "a.root", "tree", flat_file(tmp_path / "a.root") | {"w": weight})
    mapping = write_mapping(tmp_path, columns=CARTESIAN | {"event_weight": "w"})
    dataset = converted("weaver", tmp_path / "out", tmp_path / "a.root", mapping=mapping)
    found = np.asarray(dataset.read(["event_weight"])["event_weight"])
    assert found.dtype == np.float32
    assert found.tolist() == [1, -2, 4, -5, 6]
    drawn = np.concatenate(
        [batch.weight.numpy() for batch in dataset.batches(batch=2, features="kin", weight="event_weight")]
    )
    assert sorted(drawn) == sorted(found)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"columns": CARTESIAN | {"part_ps": "px"}}, "unknown column 'part_ps'; did you mean part_p"),
        ({"columns": CARTESIAN, "colums": {}}, "unknown option 'colums' in .*mapping.yaml; did you mean columns"),
        ({"columns": CARTESIAN, "label": {"brunch": "x"}}, "unknown option 'label.brunch'"),
        ({"columns": {"part_px": "px"}}, "part_py is missing|part_energy is missing"),
        ({"columns": {"part_pt": "pt", "part_eta": "eta"}}, "part_phi is missing"),
        ({"columns": CARTESIAN | POLAR}, "not both"),
        ({"columns": CARTESIAN | {"jet_label": "label"}}, "use label: for the class"),
        ({"columns": CARTESIAN, "label": {"branch": "label"}}, "name the classes that label numbers"),
        ({"columns": CARTESIAN, "label": {"branch": "a", "branches": ["b"]}}, "branch or branches, not both"),
        (
            {"columns": CARTESIAN, "label": {"branches": ["a", "b"]}, "classes": ["QCD"]},
            "2 label branches and 1 classes",
        ),
        ({"columns": CARTESIAN, "tree": "events"}, "has no tree 'events': it has tree"),
        ({"columns": CARTESIAN | {"jet_pt": "ptj"}}, "has no branch ptj"),
        ({"tree": "tree"}, "option columns is missing"),
    ],
)
def test_a_wrong_mapping_is_told(tmp_path: Path, values: dict[str, Any], message: str) -> None:
    flat_file(tmp_path / "a.root")
    with pytest.raises(JetkitError, match=message):
        converted("weaver", tmp_path / "out", tmp_path / "a.root", mapping=write_mapping(tmp_path, **values))


def test_no_mapping_is_told(tmp_path: Path) -> None:
    flat_file(tmp_path / "a.root")
    with pytest.raises(JetkitError, match=r"needs mapping=FILE\.yaml"):
        converted("weaver", tmp_path / "out", tmp_path / "a.root")
    with pytest.raises(JetkitError, match=r"cannot read .*absent\.yaml: No such file"):
        converted("weaver", tmp_path / "out", tmp_path / "a.root", mapping=str(tmp_path / "absent.yaml"))


def test_polar_lists_of_unequal_lengths_are_refused(tmp_path: Path) -> None:
    columns = flat_file(tmp_path / "a.root")
    columns["eta"] = objects([1] * len(COUNTS))["eta"]
    write_tree(tmp_path / "b.root", "tree", columns)
    mapping = write_mapping(tmp_path, columns=POLAR)
    with pytest.raises(JetkitError, match="lists of equal lengths"):
        converted("weaver", tmp_path / "out", tmp_path / "b.root", mapping=mapping)


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    flat_file(tmp_path / "a.root")
    refuses_what_is_damaged("weaver", tmp_path / "a.root", mapping=write_mapping(tmp_path, columns=CARTESIAN))


# -- writing -------------------------------------------------------------------------------------------------------


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    jetclass_file(tmp_path / "a.root", [3, 1, 12, 4, 2, 5, 7, 1, 2, 9, 6])
    return converted("jetclass", tmp_path / "in", tmp_path / "a.root")


def test_what_is_written_for_weaver_is_read_as_the_same_jets(tmp_path: Path, dataset: Dataset) -> None:
    files = write_weaver(dataset, tmp_path / "written", jets=4)
    assert [file.name for file in files] == ["0000.parquet", "0001.parquet", "0002.parquet"]
    kept = {name: name for name in dataset.columns if name != "jet_label"}
    labels = [f"label_{name}" for name in dataset.classes]
    mapping = write_mapping(tmp_path, columns=kept, label={"branches": labels})
    again = converted("weaver", tmp_path / "again", tmp_path / "written", mapping=mapping)
    assert again.classes == dataset.classes
    ours, theirs = dataset.read(list(dataset.columns)), again.read(list(dataset.columns))
    for name in dataset.columns:
        same(ours[name], theirs[name])


def test_jets_of_other_classes_are_no_jetclass_files(tmp_path: Path) -> None:
    flat_file(tmp_path / "a.root")
    mapping = write_mapping(tmp_path, columns=CARTESIAN, label={"branch": "label"}, classes=["QCD", "top"])
    dataset = converted("weaver", tmp_path / "out", tmp_path / "a.root", mapping=mapping)
    with pytest.raises(JetkitError, match="top is none of its classes: QCD, Hbb"):
        write_jetclass(dataset, tmp_path / "written")


def test_jets_without_classes_are_refused_by_both_writers(tmp_path: Path) -> None:
    flat_file(tmp_path / "a.root")
    mapping = write_mapping(tmp_path, columns=CARTESIAN)
    dataset = converted("weaver", tmp_path / "out", tmp_path / "a.root", mapping=mapping)
    for write in (write_jetclass, write_weaver):
        with pytest.raises(JetkitError, match="classes"):
            write(dataset, tmp_path / "written")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(find_spec("weaver") is None, reason="weaver-core is not installed")
@pytest.mark.parametrize("format", ["parquet", "root"])
def test_weaver_reads_the_same_numbers_from_both(tmp_path: Path, dataset: Dataset, format: str) -> None:
    from weaver.utils.data.fileio import _read_files

    write = write_weaver if format == "parquet" else write_jetclass
    files = [str(file) for file in write(dataset, tmp_path / "written")]
    labels = [f"label_{name}" for name in dataset.classes]
    names = ["part_px", "part_d0val", "part_charge", "part_isMuon", "jet_pt", "jet_nparticles"]
    table = _read_files(files, [*names, *labels], treename="tree")
    order = np.argsort(np.asarray(dataset.read(["jet_label"])["jet_label"]), kind="stable")
    ours = dataset.read(names, order if format == "root" else None)
    for name in names:
        column = ours[name]
        theirs = [value for row in table[name].tolist() for value in (row if isinstance(row, list) else [row])]
        np.testing.assert_array_equal(column.values if isinstance(column, Ragged) else column, theirs)
    flags = np.stack([np.asarray(table[name]) for name in labels], axis=1)
    label = np.asarray(dataset.read(["jet_label"], order if format == "root" else None)["jet_label"])
    np.testing.assert_array_equal(flags.argmax(axis=1), label)
    np.testing.assert_array_equal(flags.sum(axis=1), 1)
