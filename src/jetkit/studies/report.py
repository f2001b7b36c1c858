"""Evaluate runs and write the page that compares them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from jetkit.errors import JetkitError
from jetkit.report.tagger_page import write_page
from jetkit.studies.evaluation import EvaluateOptions, Report
from jetkit.studies.results import tagger_result


@dataclass(frozen=True)
class ReportOptions(EvaluateOptions):
    """As for `jetkit evaluate`, and where to write."""

    out: Annotated[str, Field(description="folder to write; default: RUN/report, or report for several runs")] = ""


def write_report(
    runs: Sequence[str | Path], options: ReportOptions | None = None, report: Report = lambda done, total, what: None
) -> Path:
    """Compare runs on one page; returns its file.

    Raises:
        JetkitError: no run is given, one cannot be evaluated, or the folder cannot be written.
    """
    if not runs:
        raise JetkitError("a report needs one run folder or more")
    options = options or ReportOptions()
    results = [tagger_result(run, options, report) for run in runs]
    folder = Path(options.out or (Path(runs[0]) / "report" if len(runs) == 1 else "report"))
    return write_page(results, folder)
