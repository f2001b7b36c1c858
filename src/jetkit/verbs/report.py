"""Evaluate runs and write the page that compares them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from jetkit.errors import JetkitError
from jetkit.evaluation.classification import CLASSIFICATION
from jetkit.evaluation.judged import Judged
from jetkit.progress import Report, silent
from jetkit.registry import entries
from jetkit.reporting import pretraining_page, tagger_page
from jetkit.reporting.result_sections import result_sections
from jetkit.reporting.section import SECTION, Section, write_page
from jetkit.store.run_folder import run_folders
from jetkit.verbs.evaluation import EvaluateOptions, result_kind
from jetkit.verbs.results import judged, pretraining, tagger_result


@dataclass(frozen=True)
class ReportOptions(EvaluateOptions):
    """As for `jetkit evaluate`, and where to write."""

    out: Annotated[str, Field(description="folder to write; default: RUN/report, or report for several runs")] = ""


def write_report(runs: Sequence[str | Path], options: ReportOptions | None = None, report: Report = silent) -> Path:
    """Compare runs of one kind on a page, and return its file.

    Taggers and pretrainings have pages of their own; any other result has its numbers, curves and tables, and the
    sections that are registered for its kind.

    Raises:
        JetkitError: no run is given, the runs are of several kinds, one cannot be evaluated, or the folder cannot be
            written.
    """
    if not runs:
        raise JetkitError("a report needs one run folder or more")
    options = options or ReportOptions()
    folder = Path(options.out or (Path(runs[0]) / "report" if len(runs) == 1 else "report"))
    kinds = {result_kind(run_folders(run)[0]) for run in runs}
    if len(kinds) > 1:
        raise JetkitError(f"these runs have results of several kinds ({', '.join(sorted(kinds))}): report them apart")
    kind = kinds.pop()
    if kind == CLASSIFICATION:
        return tagger_page.write_page([tagger_result(run, options, report) for run in runs], folder)
    if kind == "pretraining":
        return pretraining_page.write_page([pretraining(one) for run in runs for one in run_folders(run)], folder)
    found = [judged(run, options, report) for run in runs]
    title = found[0].name if len(found) == 1 else f"{len(found)} runs"
    rows = max(number.jets for one in found for result in one.results for number in result.numbers.values())
    return write_page(
        f"{title}: {kind}", f"Judged on {rows:,} rows.", result_sections(found, _own(kind, found)), folder
    )


def _own(kind: str, found: Sequence[Judged]) -> Sequence[Section]:
    """The sections that are registered for a kind of result."""
    known = [one for one in entries(SECTION) if one.name == kind]
    return known[0].cls(found) if known else ()
