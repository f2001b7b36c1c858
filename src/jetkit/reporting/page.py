"""A template filled in: one HTML page that needs no other file and no network."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from jetkit import __version__
from jetkit.data.atomic import write_bytes
from jetkit.errors import require
from jetkit.reporting.figure import image

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class Picture:
    """A figure, and the name of its section on the page."""

    name: str
    section: str
    title: str
    caption: str
    figure: Figure


def write_page(template: str, out: Path, pictures: Sequence[Picture], **values: object) -> Path:
    """Write the pictures and, last, ``index.html``, which holds them and needs no other file; returns its path.

    Raises:
        JetkitError: the folder cannot be written, or matplotlib, mplhep or jinja2 is absent.
    """
    pngs = [image(picture.figure) for picture in pictures]
    for picture, png in zip(pictures, pngs, strict=True):
        write_bytes(out / f"{picture.name}.png", png)
    shown = [(picture, b64encode(png).decode()) for picture, png in zip(pictures, pngs, strict=True)]
    write_bytes(out / "index.html", render(template, pictures=shown, **values).encode())
    return out / "index.html"


def render(template: str, **values: object) -> str:
    """The page of a template in ``templates/``; what the values hold is escaped.

    Raises:
        JetkitError: jinja2 is absent.
    """
    jinja2 = require("jinja2")
    folder = files("jetkit.reporting") / "templates"
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: (folder / name).read_text(encoding="utf-8")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    text: str = environment.get_template(template).render(version=__version__, **values)
    return text
