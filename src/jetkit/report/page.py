"""A template filled in: one HTML page that needs no other file and no network."""

from __future__ import annotations

from importlib.resources import files

from jetkit import __version__
from jetkit.errors import require


def render(template: str, **values: object) -> str:
    """The page of a template in ``templates/``; what the values hold is escaped.

    Raises:
        JetkitError: jinja2 is absent.
    """
    jinja2 = require("jinja2")
    folder = files("jetkit.report") / "templates"
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: (folder / name).read_text(encoding="utf-8")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    text: str = environment.get_template(template).render(version=__version__, **values)
    return text
