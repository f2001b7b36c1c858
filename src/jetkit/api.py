"""Python functions for the command line's verbs: ``jetkit.train("pfn", data="data/top")`` is `jetkit train pfn data=…`.

Options have the names and defaults of the command line. An unknown name is refused before any work starts.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from jetkit.config import build
from jetkit.data.dataset import Dataset, open_dataset
from jetkit.progress import Report, silent

if TYPE_CHECKING:
    from typing import Unpack

    from jetkit import keywords
    from jetkit.evaluation.result import Predicted
    from jetkit.studies.reproduce import Reproduction
    from jetkit.verbs.examination import Finding
    from jetkit.verbs.generation import Generated
    from jetkit.verbs.run import Page, Run, RunResult

Place = str | os.PathLike[str]
T = TypeVar("T")


def simulate(recipe: Place, *, progress: Report = silent, **options: Unpack[keywords.Simulate]) -> Dataset:
    """Simulate labelled jets, or resume an interrupted simulation, and open the dataset.

    Args:
        recipe: name of a packaged recipe, or path of a YAML file
        progress: callback with (jets kept, total jets, activity)
        options: number of jets, output folder, seed and others; see `jetkit simulate --help`

    Raises:
        JetkitError: a bad recipe or option, a folder that holds something else, an impossible cut, a full disk.

    Example:
        >>> import tempfile
        >>> jets = simulate("quark-gluon", jets=4, out=tempfile.mkdtemp(), workers=1)
        >>> jets.card.counts
        {'gluon': 2, 'quark': 2}
    """
    from jetkit.simulation.options import Options
    from jetkit.simulation.run import simulate as run

    chosen = _built(Options, options, "jetkit.simulate")
    return open_dataset(run(_recipe(recipe), chosen, lambda done, total: progress(done, total, "simulate")))


def convert(
    format: str, *files: Place, reader: Mapping[str, Any] | None = None, **options: Unpack[keywords.Convert]
) -> Dataset:
    """Convert files of other programs to a dataset, and open it; ``reader`` holds options of the format.

    Args:
        format: name of a reader, or ``file.py:Class``
        files: files, folders or patterns
        reader: options of the reader
        options: output folder, processes and entries per shard

    Raises:
        JetkitError: the format is unknown, the files have another format, or no row is usable.
    """
    import jetkit.simulation.foreign_events  # noqa: F401 - registers readers of events
    from jetkit.data.convert import ConvertOptions
    from jetkit.data.convert import convert as run

    chosen = _built(ConvertOptions, options, "jetkit.convert")
    return open_dataset(run(format, [os.fspath(one) for one in files], chosen, dict(reader or {})))


def train(model: str = "", *, progress: Report = silent, **options: Unpack[keywords.Train]) -> Run:
    """Train a model for a task, or resume an interrupted training.

    ``model`` is the name of a model or recipe, a YAML file or ``file.py:Class``. ``hyperparameters={…}`` are those of
    the model, ``method={…}`` the options of the task.

    Raises:
        ConfigError: an unknown name or option, or a wrong type.
        JetkitError: data, options or hyperparameters do not fit, or the loss is not finite.

    Example:
        >>> train("pfn", data="data/top", epoch=3)
        Traceback (most recent call last):
        jetkit.config.ConfigError: unknown option 'epoch' in jetkit train pfn; did you mean epochs?
    """
    from jetkit.training.recipes import train_options
    from jetkit.training.run import train as run
    from jetkit.verbs.run import Run

    chosen = train_options(model, **_plain(options))
    run(chosen, progress)
    return Run(chosen.folder)


def evaluate(run: Place, *, progress: Report = silent, **options: Unpack[keywords.Evaluate]) -> RunResult:
    """Evaluate a trained model on rows that were not used in its training.

    ``run`` is a run folder with a single seed, or a model file.

    Args:
        run: run folder with a single seed, or model file
        progress: callback with (done, total, activity)
        options: see `jetkit evaluate --help`

    Raises:
        JetkitError: there is no finished run, it has several seeds, or the data do not fit the model.
    """
    from jetkit.errors import JetkitError
    from jetkit.store.run_folder import run_folders
    from jetkit.verbs.evaluation import EvaluateOptions, evaluate_run

    folders = run_folders(Path(run))
    if len(folders) > 1:
        raise JetkitError(f"{os.fspath(run)} holds {len(folders)} seeds: evaluate each of Run.seeds, or report them")
    return evaluate_run(folders[0], _built(EvaluateOptions, options, "jetkit.evaluate"), progress)


def predict(run: Place, *, progress: Report = silent, **options: Unpack[keywords.Evaluate]) -> Predicted:
    """Return the predictions of a run or model file, as arrays, for rows that were not used in its training.

    Args:
        run: run folder or model file
        progress: callback with (done, total, activity)
        options: see `jetkit evaluate --help`

    Raises:
        JetkitError: as `evaluate`.
    """
    from jetkit.verbs.evaluation import EvaluateOptions, predict_run

    return predict_run(Path(run), _built(EvaluateOptions, options, "jetkit.predict"), progress)


def report(*runs: Place, progress: Report = silent, **options: Unpack[keywords.Report]) -> Page:
    """Compare runs on one self-contained page; runs without an evaluation are evaluated first.

    Args:
        runs: run folders
        progress: callback with (done, total, activity)
        options: see `jetkit report --help`

    Raises:
        JetkitError: no run is given, or one cannot be evaluated or compared.
    """
    from jetkit.verbs.report import ReportOptions, write_report
    from jetkit.verbs.run import Page

    chosen = _built(ReportOptions, options, "jetkit.report")
    return Page(write_report([os.fspath(one) for one in runs], chosen, progress))


def leaderboard(recipe: str, *, progress: Report = silent, **options: Unpack[keywords.Leaderboard]) -> Page:
    """Train taggers with the same budget on the same jets, and rank them on a page.

    Args:
        recipe: name of a dataset recipe, whose jets are simulated unless ``data=`` is given
        progress: callback with (done, total, activity)

    Raises:
        JetkitError: an unknown tagger, or one that cannot be trained on these jets.
    """
    from jetkit.studies.leaderboard import LeaderboardOptions
    from jetkit.studies.leaderboard import leaderboard as run
    from jetkit.verbs.run import Page

    return Page(run(recipe, _built(LeaderboardOptions, options, "jetkit.leaderboard"), progress))


def scaling(recipe: str, *, progress: Report = silent, **options: Unpack[keywords.Scaling]) -> Page:
    """Train a tagger in several widths and on several numbers of jets, and fit a power law to its loss.

    Raises:
        JetkitError: fewer than three widths or sizes, or a training that cannot be made.
    """
    from jetkit.studies.scaling import ScalingOptions
    from jetkit.studies.scaling import scaling as run
    from jetkit.verbs.run import Page

    return Page(run(recipe, _built(ScalingOptions, options, "jetkit.scaling"), progress))


def transfer(
    models: Sequence[Place], recipe: str, *, progress: Report = silent, **options: Unpack[keywords.Transfer]
) -> Page:
    """Fine-tune pretrained models on growing numbers of labels, and compare them with training from scratch.

    Args:
        models: pretrained models: model files or run folders
        recipe: name of a dataset recipe, whose jets are simulated unless ``data=`` is given
        progress: callback with (done, total, activity)

    Raises:
        JetkitError: a model cannot be adapted, or its jets would be in the test.
    """
    from jetkit.studies.transfer import TransferOptions
    from jetkit.studies.transfer import transfer as run
    from jetkit.verbs.run import Page

    chosen = _built(TransferOptions, options, "jetkit.transfer")
    return Page(run([os.fspath(one) for one in models], recipe, chosen, progress))


def reproduce(name: str, *, progress: Report = silent, **options: Unpack[keywords.Reproduce]) -> Reproduction:
    """Repeat a published training and compare its numbers with the published ones.

    Raises:
        JetkitError: an unknown card, or a training that cannot be made.
    """
    from jetkit.studies.reproduce import ReproduceOptions
    from jetkit.studies.reproduce import reproduce as run

    return run(name, _built(ReproduceOptions, options, "jetkit.reproduce"), progress)


def ensemble(*runs: Place, progress: Report = silent, **options: Unpack[keywords.Ensemble]) -> Run:
    """Combine trained taggers into one model file.

    Args:
        runs: run folders; each seed of a run is a member, at least two in all
        progress: callback with (done, total, activity)

    Raises:
        JetkitError: fewer than two runs, or trainings on other jets.
    """
    from jetkit.studies.ensemble import EnsembleOptions
    from jetkit.studies.ensemble import ensemble as run
    from jetkit.verbs.run import Run

    chosen = _built(EnsembleOptions, options, "jetkit.ensemble")
    return Run(run([os.fspath(one) for one in runs], chosen, progress))


def examine(model: Place, **options: Unpack[keywords.Examine]) -> list[Finding]:
    """Measure how much transformations of the jets that should not matter change the predictions of a model.

    Args:
        model: model file or run folder
        options: see `jetkit examine --help`

    Raises:
        JetkitError: the model cannot be read, or a change is unknown.
    """
    from jetkit.verbs.examination import ExamineOptions, examine_file

    return examine_file(model, _built(ExamineOptions, options, "jetkit.examine"))[1]


def embed(model: Place, *, progress: Report = silent, **options: Unpack[keywords.Embed]) -> Path:
    """Encode jets as vectors, write these to a Parquet file, and return its path.

    Args:
        model: model file or run folder of an encoder
        progress: callback with (done, total, activity)

    Raises:
        JetkitError: the model encodes nothing, or the data lack its features.
    """
    from jetkit.verbs.embedding import EmbedOptions, embed_file

    return embed_file(os.fspath(model), _built(EmbedOptions, options, "jetkit.embed"), progress)


def generate(run: Place, *, progress: Report = silent, **options: Unpack[keywords.Generate]) -> Generated:
    """Sample new jets from a generator as a dataset, and compute their distances from real jets.

    Args:
        run: run folder or model file of a generator
        progress: callback with (done, total, activity)

    Raises:
        JetkitError: the run holds no generator, or the folder cannot be written.
    """
    from jetkit.verbs.generation import GenerateOptions
    from jetkit.verbs.generation import generate as draw

    return draw(Path(run), _built(GenerateOptions, options, "jetkit.generate"), progress)


def export(model: Place, out: Place = "") -> Path:
    """Export a model as an ONNX graph, checked against the model before it is written, and return its path.

    Args:
        model: model file or run folder
        out: path of the graph; default: the model file with the suffix ``.onnx``

    Raises:
        JetkitError: the graph of this model would depend on the jets, or a package is absent.
    """
    from jetkit.interchange.onnx import export as write
    from jetkit.store.model_file import model_path

    return write(model, out or model_path(model).with_suffix(".onnx"))


def _recipe(recipe: Place) -> str | Path:
    return recipe if isinstance(recipe, str) else Path(recipe)


def _built(cls: type[T], options: Mapping[str, Any], where: str) -> T:
    return build(cls, _plain(options), where)


def _plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options with paths as text."""
    return {name: os.fspath(value) if isinstance(value, os.PathLike) else value for name, value in options.items()}
