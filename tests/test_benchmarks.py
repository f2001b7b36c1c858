"""The program of comparisons: what it times, prints and keeps, and that the docs say what was measured."""

from __future__ import annotations

import re
import sys
from functools import partial
from pathlib import Path

import pytest
import torch

from jetkit.data.dataset import open_dataset
from jetkit.data.features import feature_columns

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.__main__ import COMPARISONS, EVERY, main  # noqa: E402
from benchmarks.interleaved import Apart, Comparison, in_turns  # noqa: E402
from benchmarks.jets import write_sample  # noqa: E402
from benchmarks.page import draw, table  # noqa: E402
from benchmarks.words import Words  # noqa: E402


def test_sides_take_turns_after_a_warm_up() -> None:
    calls: list[str] = []
    seconds = in_turns({side: partial(calls.append, side) for side in "AB"}, pairs=6, clock=lambda: len(calls))
    assert "".join(calls) == "AB" * 7
    assert seconds == {"A": (1,) * 6, "B": (1,) * 6}


def test_there_are_at_least_five_pairs() -> None:
    assert len(in_turns({"A": int, "B": int}, pairs=2)["A"]) == 5


def test_a_comparison_tells_the_median_ratio_and_its_range(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seconds = {"jetkit": (1.0, 2.0, 1.0), "peer": (3.0, 4.0, 5.0)}
    found = Comparison("sums", seconds, 100, "jets", "equal", {"cores": "2"}, "few", {"memory": (0.5, 0.5, 0.5)})
    found.print()
    assert capsys.readouterr().out.splitlines()[-1] == "ratio 3.00 (2.00 to 5.00)"
    found.write(tmp_path / f"{found.slug}.json")
    again = Comparison.read(tmp_path / "sums-few.json")
    assert again.ratio == found.ratio
    assert table([again])[-1] == "| sums, few / peer | 100 jets | 25 | 200 (memory) | **3.00** (2.00 to 5.00) |"
    draw([again], tmp_path / "ratios.png")
    assert (tmp_path / "ratios.png").stat().st_size > 1000


def _threads() -> object:
    return torch.get_num_threads


def test_a_side_has_a_process_and_threads_of_its_own() -> None:
    side = Apart(_threads, threads=1)
    try:
        assert side() == 1
    finally:
        side.close()


def test_words_are_folders_and_known_options() -> None:
    words = Words(["data/jets", "pairs=7"], known=("pairs",))
    assert (words.folders, words.number("pairs", 5), words.said("pairs")) == ([Path("data/jets")], 7, "pairs 7")
    with pytest.raises(SystemExit, match="unknown option jet"):
        Words(["jet=7"], known=("jets",))


def test_the_synthetic_jets_are_usable_and_have_all_features(tmp_path: Path) -> None:
    dataset = open_dataset(write_sample(tmp_path / "jets", 300))
    assert (len(dataset), dataset.skipped) == (300, {})
    assert set(feature_columns("full", dataset.columns)) <= set(dataset.columns)


@pytest.mark.filterwarnings("ignore")
def test_a_comparison_runs_from_the_command_line(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmarks", "substructure", "jets=10", f"out={tmp_path}"])
    main()
    assert re.fullmatch(r"ratio [\d.]+ \([\d.]+ to [\d.]+\)", capsys.readouterr().out.splitlines()[-1])
    assert (tmp_path / "substructure-jets-10.json").is_file()


def test_every_comparison_of_all_exists() -> None:
    assert {line.split()[0] for line in EVERY} <= set(COMPARISONS)
    for module, _ in COMPARISONS.values():
        assert (ROOT / "benchmarks" / f"{module}.py").is_file()


def test_the_table_of_the_docs_is_that_of_the_measurements() -> None:
    found = [Comparison.read(path) for path in sorted((ROOT / "docs" / "speed").glob("*.json"))]
    assert found
    page = (ROOT / "docs" / "speed.md").read_text(encoding="utf-8")
    for line in table(found):
        assert line in page
