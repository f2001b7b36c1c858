"""Resolution of a name, words and keyword arguments into the options of a training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jetkit.models
import jetkit.tasks.registered
import jetkit.training.optimisers
import jetkit.training.schedules  # noqa: F401 - registers what options name
from jetkit import plugins
from jetkit.config import ConfigError, load, names, nearest, pairs, parse, read_yaml
from jetkit.data.layout import features_of
from jetkit.errors import JetkitError
from jetkit.models.model import MODELS
from jetkit.registry import adopt, entry, hyperparameters
from jetkit.store.model_file import ask_for_plugins, model_path, read_card
from jetkit.store.options import GROUPS, OWN_NAMES, FlatOptions, RunOptions, nest
from jetkit.tasks.task import TASK

BACKBONE = "part"
"""Default model of a task."""
ALIASES = {"pretext": "task"}
PREFIXES = {"model": "hyperparameters", "task": "method", "method": "method"}
"""Prefix of a hyperparameter or task option → the option that collects it."""


def train_options(name: str = "", words: Sequence[str] = (), **values: Any) -> RunOptions:
    """Resolve a recipe, words and keyword arguments into the options of a training; the last take precedence.

    ``name`` is a recipe of `jetkit list`, the name of a model, ``file.py:Class`` or a .yaml file. If it is empty, the
    model is that of ``start=`` (with its sizes and features), else that of the recipe of ``task=``, else ``part``.

    Raises:
        ConfigError: an unknown name or option, a wrong type, or a hyperparameter that the model does not have.
        JetkitError: a file that is named cannot be read.

    Example:
        >>> options = train_options("part", ["data=data/top", "model.width=64", "epochs=3"])
        >>> options.model.options, options.optim.epochs, options.optim.optimiser
        ({'width': 64}, 3, 'ranger')
        >>> train_options("pfn", data="data/top", epoch=3)
        Traceback (most recent call last):
        jetkit.config.ConfigError: unknown option 'epoch' in jetkit train pfn; did you mean epochs?
    """
    given, rest = _given(name, words, values)
    where = f"jetkit train {name or given.get('task') or given.get('start') or ''}".rstrip()
    for one in _plugins(given, rest):
        adopt(one)
    preset = _preset(name, given)
    own = {key: {**preset.pop(key, {}), **given.pop(key, {})} for key in ("hyperparameters", "method")}
    model, task = str(given.get("model") or preset.get("model") or BACKBONE), str(preset.get("task") or "classify")
    _refuse_hyperparameters(model, [*given, *(word.partition("=")[0] for word in rest)])
    values_of = preset | {"model": model, "task": task} | {k: v for k, v in given.items() if k != "task"} | own
    options = _with_table(nest(parse(FlatOptions, rest, where, values_of)))
    options = _resolved(_with_tokeniser(options))
    _check(options)
    return options


def _given(name: str, words: Sequence[str], values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the values needed to read the rest (names, hyperparameters, task options), and the other words."""
    method = "options of the task"
    sizes, rest = gathered(words, "model", {}, f"hyperparameters of {name}" if name else "hyperparameters")
    first, rest = gathered(rest, "task", {}, method)
    second, rest = gathered(rest, "method", {}, method)
    found: dict[str, Any] = {"hyperparameters": sizes, "method": first | second}
    for key, value in values.items():
        group, dot, inner = ALIASES.get(key, key).partition(".")
        if dot and group in PREFIXES:
            found[PREFIXES[group]] |= {inner: value}
        else:
            flat = ALIASES.get(key, _flat_name(key))
            found[flat] = {**found[flat], **value} if flat in PREFIXES.values() else value
    rest = [_without_group(word) for word in rest]
    for key in ("task", "start", "model"):
        said = pairs([word for word in rest if word.startswith(f"{key}=")], "options are written key=value")
        found |= said
        rest = [word for word in rest if not word.startswith(f"{key}=")]
    return found, rest


def _without_group(word: str) -> str:
    """Return an option under its flat name, even if it was given with its group."""
    key, equals, value = word.partition("=")
    return f"{_flat_name(key)}={value}" if equals else word


def _flat_name(key: str) -> str:
    """Return the flat name of an option, even if it has its group as in ``optim.epochs``."""
    group, dot, name = key.partition(".")
    if not dot or group not in GROUPS:
        return key
    if name not in GROUPS[group].__dataclass_fields__:
        known = [f"{other}.{one}" for other, cls in GROUPS.items() for one in cls.__dataclass_fields__]
        raise ConfigError(f"unknown option {key[:60]!r}{nearest(key, known)}")
    return OWN_NAMES.get((group, name), name)


def _plugins(given: Mapping[str, Any], rest: Sequence[str]) -> list[str]:
    """Return the files and modules to import first."""
    told = given.get("plugins", ())
    for word in rest:
        if word.startswith("plugins="):
            told = read_yaml(word.partition("=")[2], "option plugins")
    return [told] if isinstance(told, str) else [str(one) for one in told]


def _preset(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the presets of recipe, pretrained model or task, for options that are not given."""
    values: dict[str, Any] = {}
    if name:
        values = load("runs", name) if _is_recipe(name, "runs") else {"model": name}
    elif given.get("start"):
        values = _start_preset(str(given["start"]))
    elif not given.get("task"):
        raise ConfigError("name a model, as in jetkit train pfn data=DIR; see jetkit list")
    if given.get("task"):
        recipe = _task_preset(str(given["task"]))
        values = {"model": BACKBONE, "out": f"runs/{recipe['task']}"} | recipe | values | {"task": recipe["task"]}
    values.pop("description", None)
    for key in ("hyperparameters", "method"):
        if not isinstance(values.get(key, {}), dict):
            raise ConfigError(f"{key} of {name} should be a mapping of names to values")
    return {ALIASES.get(key, key): value for key, value in values.items()}


def _is_recipe(name: str, kind: str) -> bool:
    return name.endswith((".yaml", ".yml")) or name in names(kind)


def _task_preset(task: str) -> dict[str, Any]:
    """Return the recipe of a task, or the task alone."""
    values = load("pretraining", task) if _is_recipe(task, "pretraining") else {"task": task}
    values = {ALIASES.get(key, key): value for key, value in values.items()}
    if not values.get("task"):
        raise ConfigError(f"{task} names no method: add pretext=p-jepa or another of jetkit pretrain --help")
    return values


def _start_preset(start: str) -> dict[str, Any]:
    """Return model, sizes and features of a pretrained model."""
    card = read_card(model_path(start))
    ask_for_plugins(card, model_path(start))
    known = {
        key: card.preprocessing[key] for key in ("features", "length", "row", "arrays") if key in card.preprocessing
    }
    preset: dict[str, Any] = {"model": card.model, "hyperparameters": dict(card.hyperparameters), "start": start}
    return preset | {"out": f"runs/{card.model}-adapted"} | known


def _refuse_hyperparameters(model: str, keys: Sequence[str]) -> None:
    """Raise with the right spelling if a hyperparameter was given as an option."""
    known = hyperparameters(model, {}, MODELS)
    for key in keys:
        if key in known and key not in FlatOptions.__dataclass_fields__:
            raise ConfigError(f"{key} is a hyperparameter of {model}; write model.{key}=VALUE")


def _with_table(options: RunOptions) -> RunOptions:
    """Replace the name of a .yaml table or of a user's function by the features themselves."""
    features = options.data.features
    if isinstance(features, str) and features.endswith((".yaml", ".yml")):
        return options.changed(features=load("features", features))
    found = features_of(features)
    return options if found is features else options.changed(features=found)


def _resolved(options: RunOptions) -> RunOptions:
    """Replace references such as ``file.py:Class`` by registered names, and record their files."""
    changed: dict[str, str] = {}
    sources = list(options.plugins)
    chosen = {"model": (options.model.name, MODELS), "task": (options.task.name, (TASK,))}
    chosen |= {name: (getattr(options.optim, name), (name,)) for name in ("optimiser", "schedule")}
    for option, (name, kinds) in chosen.items():
        if plugins.is_reference(name):
            changed[option] = entry(name, kinds).name
            sources.append(name)
    return options.changed(**changed, plugins=tuple(dict.fromkeys(sources))) if changed else options


def _with_tokeniser(options: RunOptions) -> RunOptions:
    """Add the sizes of a trained tokeniser for a model that contains one."""
    if "tokeniser" not in options.parts or "tokeniser" not in hyperparameters(options.model.name, {}, MODELS):
        return options
    sizes = read_card(model_path(options.parts["tokeniser"])).hyperparameters
    return options.changed(hyperparameters={"tokeniser": sizes} | options.model.options)


def _check(options: RunOptions) -> None:
    """Refuse unknown names, hyperparameters and options before any data are read."""
    if options.start.file:
        card = read_card(model_path(options.start.file))
        given = hyperparameters(options.model.name, options.model.options, MODELS)
        if (options.model.name, given) != (card.model, hyperparameters(card.model, card.hyperparameters, MODELS)):
            raise ConfigError(
                f"the sizes of {card.model} are those of {options.start.file}: leave model.NAME=VALUE out"
            )
    hyperparameters(options.model.name, options.model.options, MODELS)
    hyperparameters(options.task.name, options.task.options, TASK)
    entry(options.optim.optimiser, "optimiser")
    entry(options.optim.schedule, "schedule")
    metrics = entry(options.task.name, TASK).cls.metrics
    if options.optim.select not in ("", "last", *metrics):
        raise JetkitError(
            f"option select should be one of {', '.join([*metrics, 'last'])} for the task {options.task.name}, "
            f"got {options.optim.select!r}"
        )


def gathered(words: Sequence[str], prefix: str, preset: Any, what: str) -> tuple[dict[str, Any], list[str]]:
    """Collect the words ``PREFIX.NAME=VALUE`` on top of a preset, and return them with the other words.

    Raises:
        ConfigError: the preset is not a mapping, or a word has no such form.

    Example:
        >>> gathered(["model.width=64", "epochs=3"], "model", {"depth": 2}, "hyperparameters")
        ({'depth': 2, 'width': 64}, ['epochs=3'])
    """
    if not isinstance(preset, dict):
        raise ConfigError(f"{what} should be a mapping of names to values")
    dotted = f"{prefix}."
    given = [word.removeprefix(dotted) for word in words if word.startswith(dotted)]
    texts = pairs(given, f"{what} are written {dotted}NAME=VALUE", dotted)
    own = {key: read_yaml(text, f"option {dotted}{key}") for key, text in texts.items()}
    return preset | own, [word for word in words if not word.startswith(dotted)]
