"""The page of taggers: complete, self-contained, honest where jets are few, and safe against what names hold."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from jetkit.errors import JetkitError
from jetkit.reporting import tagger_page
from jetkit.reporting.tagger_page import citations, origin, write_page
from jetkit.reporting.tagger_picture_set import picture_set
from jetkit.reporting.tagger_result import TaggerResult, ranked


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are made but not turned into files."""
    monkeypatch.setattr(tagger_page, "image", lambda figure: b"a picture")


def test_pictures_lie_beside_the_page(three_page: Path) -> None:
    names = [
        "roc-1",
        "scores",
        "confusion",
        "calibration",
        "efficiency-pt",
        "efficiency-mass",
        "efficiency-nparticles",
        "training",
    ]
    files = sorted(path.name for path in three_page.parent.iterdir() if path.is_file())
    assert files == sorted(["index.html", *(f"{name}.png" for name in names)])
    assert all((three_page.parent / f"{name}.png").read_bytes().startswith(b"\x89PNG") for name in names)


def test_page_is_one_small_file_without_scripts_or_links(three_page: Path, ten_page: Path) -> None:
    for html in (three_page, ten_page):
        text = html.read_text()
        assert len(text) < 3e6
        assert "<script" not in text
        assert re.findall(r"""(?:src|href)=["'](?!data:)|url\(|@import""", text) == []


def test_names_are_escaped(three_page: Path) -> None:
    text = three_page.read_text()
    assert "<b>bdt</b>" not in text
    assert "&lt;b&gt;bdt&lt;/b&gt; &amp; $cuts$" in text


def test_page_tells_where_the_numbers_come_from(three_page: Path) -> None:
    text = three_page.read_text()
    for expected in (
        "jetkit train particle-net data=data/top epochs=12",
        "jetkit simulate top-landscape jets=100000",
        "feed" * 16,
        "10ab" * 16,
        "lr: 0.001",
        "60,000",
        "arXiv:1902.08570",
        "doi:10.2307/2531595",
        "arXiv:1111.11111",
    ):
        assert expected in text


def test_every_picture_has_words_for_those_who_cannot_see_it(three_page: Path, ten_page: Path) -> None:
    for html in (three_page, ten_page):
        alts = re.findall(r'<img [^>]*alt="([^"]*)"', html.read_text())
        assert len(alts) == html.read_text().count("<img")
        assert min(len(alt) for alt in alts) > 20


def test_several_comparisons_have_four_curves_and_a_table_of_all(ten_page: Path) -> None:
    text = ten_page.read_text()
    assert re.findall(r'<figure id="(roc-\d)"', text) == ["roc-1", "roc-2", "roc-3", "roc-4"]
    assert "All rejections" in text
    assert "99.5\xa0%" in text


def test_one_tagger_alone_is_compared_with_nothing(three: list[TaggerResult], tmp_path: Path, undrawn: None) -> None:
    text = write_page(three[2:], tmp_path).read_text()
    assert "<h1>PFN on top-landscape</h1>" in text
    assert "Is A better" not in text
    assert "Sorted by" not in text


@pytest.mark.usefixtures("undrawn")
def test_few_jets_give_limits(invent: SimpleNamespace, tmp_path: Path) -> None:
    training = invent.training(("QCD", "top"), 2.3, jets=200)
    text = write_page([invent.tagger("few", "pfn", [training])], tmp_path).read_text()
    assert re.search(r"<td>&gt; \d+<small>95\xa0%\xa0CL</small></td>", text)


@pytest.mark.usefixtures("undrawn")
def test_perfect_tagger_has_no_curve_and_no_temperature(invent: SimpleNamespace, tmp_path: Path) -> None:
    training = invent.training(("QCD", "top"), 60.0, jets=400)
    text = write_page([invent.tagger("perfect", "efn", [training])], tmp_path).read_text()
    assert "<td>1 ± 0</td>" in text
    assert "there is no curve to draw" in text
    assert '<figure id="roc' not in text
    assert '<figure id="calibration"' in text


@pytest.mark.usefixtures("undrawn")
def test_training_without_log_or_kinematics_says_so(three: list[TaggerResult], tmp_path: Path) -> None:
    bare = replace(three[2], trainings=(replace(three[2].typical, log=[], jets={}, score_seconds=None),), options={})
    text = write_page([bare], tmp_path).read_text()
    assert "No training left a log" in text
    assert "carry no kinematic columns" in text
    assert "Recipe as trained" not in text


@pytest.mark.usefixtures("undrawn")
def test_page_is_the_same_on_every_run(three: list[TaggerResult], tmp_path: Path) -> None:
    pages = [write_page(three, tmp_path / name).read_bytes() for name in ("one", "two")]
    assert pages[0] == pages[1]


def test_no_tagger_no_training_and_other_classes_are_refused(
    invent: SimpleNamespace, three: list[TaggerResult]
) -> None:
    with pytest.raises(JetkitError, match="name one run folder or more"):
        ranked([])
    with pytest.raises(JetkitError, match="PFN has no finished training"):
        ranked([replace(three[2], trainings=())])
    other = invent.tagger("flavour", "pfn", [invent.training(("u", "b"), 1.0, jets=100)])
    with pytest.raises(JetkitError, match="PFN and flavour tell other classes apart"):
        ranked([three[2], other])


def test_not_finite_quantity_is_not_followed(three: list[TaggerResult]) -> None:
    training = three[2].typical
    jets = {"jet_pt": np.full(len(training.label), np.nan), "jet_mass": training.jets["jet_mass"]}
    pictures = picture_set([replace(three[2], trainings=(replace(training, jets=jets),))])
    assert [picture.name for picture in pictures if picture.section == "jets"] == ["efficiency-mass"]


def test_each_source_is_cited_once(three: list[TaggerResult]) -> None:
    lines = citations(three)
    assert len(lines) == len(set(lines))
    assert sum("Landscape of Top Taggers" in line for line in lines) == 1


def test_recipe_is_plain_yaml(three: list[TaggerResult]) -> None:
    odd = replace(three[0], options={"data": Path("data/top"), "fractions": (0.5, 0.5)})
    assert origin(odd).recipe == "data: data/top\nfractions:\n- 0.5\n- 0.5\n"
