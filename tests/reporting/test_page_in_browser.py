"""The pages as a real browser shows them: on a telephone and a desk, light and dark."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from jetkit.data.dataset import Dataset
from jetkit.reporting.dataset_page import of_classes, write_page
from jetkit.reporting.jet_sample import JetSample
from jetkit.reporting.picture_set import CAPTIONS

CHROMIUM = shutil.which("chromium")
QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--enable-logging=stderr",
    "--virtual-time-budget=3000",
]
PROBE = """<script>addEventListener("load", () => {
  const inside = element => element.closest(".scroll, pre");
  const seen = [...document.querySelectorAll("body *")].filter(element => element.offsetParent && !inside(element));
  const style = getComputedStyle(document.body);
  parent.postMessage(JSON.stringify({
    width: innerWidth,
    page: document.documentElement.scrollWidth,
    beyond: seen.filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80)),
    pictures: [...document.images].filter(image => image.complete && image.naturalWidth > 0).length,
    smallest: Math.min(...seen.filter(e => e.textContent.trim()).map(e => parseFloat(getComputedStyle(e).fontSize))),
    text: style.color, back: style.backgroundColor,
    requests: performance.getEntriesByType("resource").map(entry => entry.name.slice(0, 5)),
  }), "*");
});</script>"""
FRAME = """<!doctype html><meta name="color-scheme" content="light dark"><script>
addEventListener("message", event => document.documentElement.setAttribute("data-probe", event.data));
</script><iframe src="probed.html" width="{width}" height="1200" style="border: 0"></iframe>"""
"""A frame may be narrower than the browser's narrowest window."""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="the browser chromium is not installed")


PICTURES = {"dataset_html": len(CAPTIONS), "three_page": 8, "ten_page": 11, "scaling_page": 3, "cost_page": 4}
"""Fixture of a page → how many pictures it has."""
VIEWS = [
    *(("dataset_html", width, scheme) for width in (390, 1280) for scheme in ("light", "dark")),
    ("three_page", 390, "dark"),
    ("three_page", 1280, "light"),
    ("ten_page", 390, "light"),
    ("ten_page", 1280, "dark"),
    ("scaling_page", 390, "dark"),
    ("scaling_page", 1280, "light"),
    ("cost_page", 390, "light"),
]


@pytest.fixture(scope="module")
def dataset_html(
    dataset: Dataset, jets: JetSample, figures: dict[str, Figure], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    return write_page(
        dataset.card, of_classes(dataset.card, jets), figures, tmp_path_factory.mktemp("page"), "data/invented"
    )[-1]


def browse(url: str, profile: Path, width: int, scheme: str, *action: str) -> subprocess.CompletedProcess[str]:
    preferred = {"dark": 0, "light": 1}[scheme]
    window = [f"--window-size={width},1200", f"--blink-settings=preferredColorScheme={preferred}"]
    command = [str(CHROMIUM), *QUIET, f"--user-data-dir={profile}", *window, *action, url]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)


@pytest.fixture(scope="module", params=VIEWS, ids=str)
def probed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a script finds in a copy of the page from which only the ban of scripts was taken."""
    name, width, scheme = request.param
    html: Path = request.getfixturevalue(name)
    folder = tmp_path_factory.mktemp("probe")
    text = re.sub(r'<meta http-equiv="Content-Security-Policy".*?>', "", html.read_text())
    (folder / "probed.html").write_text(text.replace("</body>", PROBE + "</body>"))
    (folder / "frame.html").write_text(FRAME.format(width=width))
    done = browse((folder / "frame.html").as_uri(), folder / "profile", width + 100, scheme, "--dump-dom")
    found = re.search(r'data-probe="(.*?)"', done.stdout)
    assert found, done.stderr
    log = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return {**json.loads(found[1].replace("&quot;", '"')), "name": name, "asked": width, "scheme": scheme, "log": log}


def test_all_pictures_are_shown(probed: dict[str, Any]) -> None:
    assert probed["pictures"] == PICTURES[probed["name"]]


def test_nothing_is_wider_than_the_window(probed: dict[str, Any]) -> None:
    assert probed["width"] == probed["asked"]
    assert probed["page"] <= probed["asked"]
    assert probed["beyond"] == []


def test_console_is_silent_and_nothing_is_fetched(probed: dict[str, Any]) -> None:
    assert probed["log"] == []
    assert set(probed["requests"]) <= {"data:"}


def test_text_is_large_and_stands_out_from_the_background(probed: dict[str, Any]) -> None:
    text, back = (luminance(probed[name]) for name in ("text", "back"))
    assert (max(text, back) + 0.05) / (min(text, back) + 0.05) > 7
    assert (back < 0.05) == (probed["scheme"] == "dark")
    assert probed["smallest"] >= 12


def luminance(colour: str) -> float:
    """Relative luminance of rgb(...), as the Web Content Accessibility Guidelines define it."""
    c = np.array([int(number) for number in re.findall(r"\d+", colour)[:3]]) / 255
    return float(np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize(
    ("name", "scheme"), [("dataset_html", "light"), ("dataset_html", "dark"), ("three_page", "light")]
)
def test_page_itself_is_painted_without_complaint(
    request: pytest.FixtureRequest, tmp_path: Path, name: str, scheme: str
) -> None:
    html: Path = request.getfixturevalue(name)
    done = browse(html.as_uri(), tmp_path / "profile", 390, scheme, f"--screenshot={tmp_path / 'page.png'}")
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
    pixels = np.asarray(Image.open(tmp_path / "page.png").convert("L"), dtype=float)
    assert pixels.shape == (1200, 390)
    assert (np.median(pixels) < 60) == (scheme == "dark")
    assert pixels.std() > 10
