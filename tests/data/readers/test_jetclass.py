from pathlib import Path

import numpy as np
import pytest

from jetkit.data.readers.jetclass import CLASSES
from jetkit.data.readers.root import write_tree
from jetkit.data.writers.jetclass import write_jetclass
from jetkit.errors import JetkitError

from .foreign_root import converted, jetclass_file, jets, refuses_what_is_damaged, same

COUNTS = [3, 1, 12, 4, 2, 5, 7, 1, 2, 9, 6]


def test_all_numbers_are_kept(tmp_path: Path) -> None:
    columns = jetclass_file(tmp_path / "a.root", COUNTS)
    dataset = converted("jetclass", tmp_path / "out", tmp_path / "a.root")
    names = [name for name in columns if not name.startswith("label_")]
    for name, found in dataset.read(names).items():
        same(found, columns[name])
    assert dataset.classes == CLASSES
    np.testing.assert_array_equal(dataset.read(["jet_label"])["jet_label"], np.arange(len(COUNTS)) % 10)
    assert dataset.card.skipped == {}


def test_what_the_jets_are_written_as_is_read_as_the_same_jets(tmp_path: Path) -> None:
    jetclass_file(tmp_path / "a.root", COUNTS)
    first = converted("jetclass", tmp_path / "out", tmp_path / "a.root")
    files = write_jetclass(first, tmp_path / "written")
    assert [file.name for file in files] == [f"{name}_000.root" for name in CLASSES]
    again = converted("jetclass", tmp_path / "again", tmp_path / "written")
    names = [*first.columns]
    order = np.argsort(np.asarray(again.read(["event_id"])["event_id"]))
    ours, theirs = first.read(names), again.read(names, order)
    for name in names:
        same(ours[name], theirs[name])


def test_a_file_holds_no_more_jets_than_asked(tmp_path: Path) -> None:
    jetclass_file(tmp_path / "a.root", COUNTS)
    dataset = converted("jetclass", tmp_path / "out", tmp_path / "a.root")
    names = [file.name for file in write_jetclass(dataset, tmp_path / "written", jets=1)]
    assert names[:3] == ["QCD_000.root", "QCD_001.root", "Hbb_000.root"]


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    jetclass_file(tmp_path / "a.root", COUNTS)
    dataset = converted("jetclass", tmp_path / "out", tmp_path / "a.root")
    with pytest.raises(JetkitError, match="out is not empty"):
        write_jetclass(dataset, tmp_path / "out")


@pytest.mark.parametrize(("value", "labels"), [(True, 2), (False, 0)])
def test_two_labels_or_none_are_refused(tmp_path: Path, value: bool, labels: int) -> None:
    label = np.zeros(len(COUNTS), bool)
    label[[0, 10]] = True
    wrong = {"label_Hbb": np.arange(len(COUNTS)) == 1}
    wrong["label_Hbb"][2] = value
    wrong["label_Hcc"] = np.arange(len(COUNTS)) == (2 if value else -1)
    jetclass_file(tmp_path / "a.root", COUNTS, **wrong)
    with pytest.raises(JetkitError, match=rf"a\.root: entry 2 .* has {labels} labels, not one"):
        converted("jetclass", tmp_path / "out", tmp_path / "a.root")


def test_a_tree_of_another_name_is_refused_with_what_there_is(tmp_path: Path) -> None:
    write_tree(tmp_path / "a.root", "Events", jets([2]))
    with pytest.raises(JetkitError, match="has no tree 'tree': it has Events"):
        converted("jetclass", tmp_path / "out", tmp_path / "a.root")


@pytest.mark.parametrize("branch", ["part_energy", "label_Tbl"])
def test_a_missing_branch_is_named(tmp_path: Path, branch: str) -> None:
    columns = jetclass_file(tmp_path / "a.root", [2, 3])
    write_tree(tmp_path / "b.root", "tree", {name: column for name, column in columns.items() if name != branch})
    with pytest.raises(JetkitError, match=f"has no branch {branch}"):
        converted("jetclass", tmp_path / "out", tmp_path / "b.root")


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    jetclass_file(tmp_path / "a.root", [2, 3])
    refuses_what_is_damaged("jetclass", tmp_path / "a.root")
