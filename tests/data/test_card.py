from __future__ import annotations

import json
from pathlib import Path

import pytest

from jetkit.data.card import Card, Shard, read_card, verify, write_card
from jetkit.errors import JetkitError

SHARD = Shard(
    "a.parquet",
    rows=3,
    bytes=4,
    sha256="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    classes=[1, 2],
)


@pytest.fixture
def card() -> Card:
    return Card("µ-sample", classes=["QCD", "top"], seed=7, cuts=["pT > 500 GeV"]).with_shards([SHARD], complete=True)


def edited(folder: Path, **changes: object) -> None:
    path = folder / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_card_comes_back_as_it_was_written(tmp_path: Path, card: Card) -> None:
    write_card(tmp_path, card)
    assert read_card(tmp_path) == card


def test_rows_and_counts_follow_from_the_shards(card: Card) -> None:
    other = Shard("0.parquet", rows=1, bytes=1, sha256="", classes=[0, 1])
    both = card.with_shards([SHARD, other], complete=False)
    assert (both.rows, both.counts, both.complete) == (4, {"QCD": 1, "top": 3}, False)
    assert [shard.name for shard in both.shards] == ["0.parquet", "a.parquet"]


def test_equal_cards_give_equal_bytes(tmp_path: Path, card: Card) -> None:
    write_card(tmp_path, card)
    first = (tmp_path / "dataset.json").read_bytes()
    write_card(tmp_path, read_card(tmp_path))
    assert (tmp_path / "dataset.json").read_bytes() == first


def test_writing_leaves_only_the_card(tmp_path: Path, card: Card) -> None:
    write_card(tmp_path, card)
    assert [path.name for path in tmp_path.iterdir()] == ["dataset.json"]


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path, card: Card) -> None:
    with pytest.raises(JetkitError, match=r"absent/dataset\.json cannot be written"):
        write_card(tmp_path / "absent", card)


def test_an_absent_card_is_named(tmp_path: Path) -> None:
    with pytest.raises(JetkitError, match="is not a dataset made by jetkit"):
        read_card(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[" * 100000, "\ud800".encode("utf-8", "surrogatepass")])
def test_text_that_is_not_json_is_refused(tmp_path: Path, text: str | bytes) -> None:
    (tmp_path / "dataset.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(JetkitError, match="is not JSON"):
        read_card(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": "ten"}, "rows: Input should be a valid integer"),
        ({"classes": [1]}, r"classes\.0: Input should be a valid string"),
        ({"shards": [{"name": "a.parquet"}]}, r"shards\.0\.rows: Field required"),
        ({"colour": "red"}, "colour: Unexpected keyword argument"),
        ({"format": 99}, "has format 99, this jetkit reads up to 1: pip install -U jetkit"),
        ({"rows": 5}, "says 5 rows but its shards have 3"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path: Path, card: Card, changes: dict[str, object], message: str) -> None:
    write_card(tmp_path, card)
    edited(tmp_path, **changes)
    with pytest.raises(JetkitError, match=message):
        read_card(tmp_path)


@pytest.mark.parametrize("name", ["../a.parquet", "/etc/passwd", "", "a\\b", "x/../../b"])
def test_a_shard_outside_the_folder_is_refused(tmp_path: Path, card: Card, name: str) -> None:
    write_card(tmp_path, card)
    shard = {"name": name, "rows": 3, "bytes": 4, "sha256": "", "classes": []}
    edited(tmp_path, shards=[shard])
    with pytest.raises(JetkitError, match="not a file name inside its folder"):
        read_card(tmp_path)


def test_a_shard_listed_twice_is_refused(tmp_path: Path, card: Card) -> None:
    write_card(tmp_path, card.with_shards([SHARD, SHARD], complete=True))
    with pytest.raises(JetkitError, match="lists a shard twice"):
        read_card(tmp_path)


def test_intact_shards_pass(tmp_path: Path, card: Card) -> None:
    write_card(tmp_path, card)
    (tmp_path / "a.parquet").write_bytes(b"test")
    seen: list[tuple[int, int]] = []
    assert verify(tmp_path, progress=lambda done, total: seen.append((done, total))) == []
    assert seen[-1] == (4, 4)


@pytest.mark.parametrize(
    ("content", "problem"), [(None, "is missing"), (b"tes", "has 3 bytes, its card says 4"), (b"tesT", "was changed")]
)
def test_a_damaged_shard_is_named(tmp_path: Path, card: Card, content: bytes | None, problem: str) -> None:
    write_card(tmp_path, card)
    if content is not None:
        (tmp_path / "a.parquet").write_bytes(content)
    (found,) = verify(tmp_path)
    assert "a.parquet" in found
    assert problem in found
