"""Sections of a page: what stands under one heading, and the one function that writes pages of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from jetkit.evaluation.judged import Judged
from jetkit.reporting import page
from jetkit.reporting.page import Picture
from jetkit.reporting.tagger_tables import TaggerTable

SECTION = "section"
"""Kind of registered sections: ``sections(judged) -> list[Section]``, under the name of the evaluation."""


@dataclass(frozen=True, eq=False)
class Section:
    """A heading with tables, pictures, text and lines of code, in this order.

    Attributes:
        tables: each with a title, which may be empty.
        text: paragraphs in small print.
        code: lines that a reader may copy, each with a title.
    """

    heading: str
    tables: Sequence[tuple[str, TaggerTable]] = ()
    pictures: Sequence[Picture] = ()
    text: Sequence[str] = ()
    code: Sequence[tuple[str, str]] = ()


Sections = Callable[[Sequence[Judged]], Sequence[Section]]
"""A function from the runs of a page to sections for them."""


def write_page(title: str, summary: str, sections: Sequence[Section], out: Path) -> Path:
    """Write the pictures and, last, ``index.html``, which holds them and needs no other file; return its path.

    Raises:
        JetkitError: the folder cannot be written, or matplotlib, mplhep or jinja2 is absent.
    """
    pictures = [picture for section in sections for picture in section.pictures]
    return page.write_page("sections.html.j2", out, pictures, title=title, summary=summary, sections=sections)
