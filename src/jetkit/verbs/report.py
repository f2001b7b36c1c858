"""Evaluate runs and write the page that compares them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from jetkit.errors import JetkitError
from jetkit.progress import Report, silent
from jetkit.reporting import pretraining_page, tagger_page
from jetkit.store.run_folder import run_folders
from jetkit.verbs.evaluation import EvaluateOptions, result_kind
from jetkit.verbs.results import pretraining, tagger_result


@dataclass(frozen=True)
class ReportOptions(EvaluateOptions):
    """As for `jetkit evaluate`, and where to write."""

    out: Annotated[str, Field(description="folder to write; default: RUN/report, or report for several runs")] = ""


def write_report(runs: Sequence[str | Path], options: ReportOptions | None = None, report: Report = silent) -> Path:
    """Compare runs on one page: taggers by what they do on test jets, pretrainings by their health; returns its file.

    Raises:
        JetkitError: no run is given, there are taggers and pretrainings, one cannot be evaluated, or the folder cannot
            be written.
    """
    if not runs:
        raise JetkitError("a report needs one run folder or more")
    options = options or ReportOptions()
    folder = Path(options.out or (Path(runs[0]) / "report" if len(runs) == 1 else "report"))
    without_labels = [result_kind(run_folders(run)[0]) == "pretraining" for run in runs]
    if not any(without_labels):
        return tagger_page.write_page([tagger_result(run, options, report) for run in runs], folder)
    if not all(without_labels):
        raise JetkitError("taggers are compared on test jets, pretrainings by their health: report them apart")
    return pretraining_page.write_page([pretraining(one) for run in runs for one in run_folders(run)], folder)
