"""``jetkit show``: card, table, pictures, page, and checks of the files."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jetkit import cli
from jetkit.reporting import dataset_page, picture_set

run = CliRunner(env={"COLUMNS": "160", "TERM": "dumb"}).invoke
EXAMPLE = Path(__file__).parents[3] / "shared" / "data" / "jets" / "JetClassII_example.parquet"


def test_card_table_pictures_and_page(many_classes: Path, tmp_path: Path) -> None:
    result = run(cli.app, ["show", str(many_classes), "verify=true", f"out={tmp_path / 'there'}"])
    assert result.exit_code == 0, result.output
    for expected in ("132 jets", "3 shards", "every file agrees", "550 < pT < 650 GeV", "class9", "seed=7"):
        assert expected in result.output
    files = [Path(line) for line in result.output.splitlines()[-10:]]
    assert sorted(files) == sorted((tmp_path / "there").iterdir())
    assert [path.suffix for path in files] == [*[".png"] * 9, ".html"]
    assert files[-1].stat().st_size < 3e6
    assert not (many_classes / "show").exists()


def test_broken_and_missing_shards_are_named(fresh_folder: Path) -> None:
    broken = fresh_folder / "jets-0.parquet"
    content = bytearray(broken.read_bytes())
    content[100] ^= 1
    broken.write_bytes(content)
    (fresh_folder / "jets-2.parquet").unlink()
    result = run(cli.app, ["show", str(fresh_folder), "verify=true"])
    assert result.exit_code == 1
    problems = [line for line in result.stderr.splitlines() if line.startswith("jetkit: ")]
    assert len(problems) == 2
    assert "jets-0.parquet was changed" in problems[0]
    assert "jets-2.parquet is missing" in problems[1]
    assert not (fresh_folder / "show").exists()


def test_public_file_without_a_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not EXAMPLE.exists():
        pytest.skip("the public JetClass-II example file is not here")
    monkeypatch.setattr(dataset_page, "image", lambda figure: b"a picture")
    shutil.copy(EXAMPLE, tmp_path / "public.parquet")
    result = run(cli.app, ["show", str(tmp_path / "public.parquet")])
    assert result.exit_code == 0, result.output
    assert "100 jets" in result.output
    assert (tmp_path / "public-show" / "index.html").exists()


def test_pictures_go_into_the_dataset_unless_told_otherwise(
    fresh_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture_set, "picture_set", lambda jets: {})
    result = run(cli.app, ["show", str(fresh_folder)])
    assert result.exit_code == 0, result.output
    assert [path.name for path in (fresh_folder / "show").iterdir()] == ["index.html"]


def test_unwritable_place_is_one_line(fresh_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run(cli.app, ["show", str(fresh_folder), f"out={tmp_path / 'file' / 'there'}"])
    assert result.exit_code == 1
    assert result.stderr.startswith("jetkit: ")
    assert "choose another folder" in result.stderr
    assert result.stderr.count("\n") == 1
