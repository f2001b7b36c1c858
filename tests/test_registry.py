"""Names of models, and hyperparameters checked against the signature."""

from __future__ import annotations

import pytest

import jetkit.models
from jetkit import registry
from jetkit.config import ConfigError
from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.models.model import MODELS, Encoder, Estimator, Generator
from jetkit.testing import SYMMETRIES

SPEC = Spec.of(("part_deta", "part_dphi"), classes=("QCD", "top"))
ALL = registry.entries(MODELS)


def test_every_model_of_the_package_is_registered_under_the_name_of_its_class() -> None:
    names = {entry.name.replace("-", ""): entry.cls.__name__ for entry in ALL}
    assert set(names.values()) <= vars(jetkit.models).keys()
    assert all(name == cls.lower() for name, cls in names.items())


def test_entries_come_in_the_order_of_their_names() -> None:
    assert [entry.name for entry in ALL] == sorted(entry.name for entry in ALL)


@pytest.mark.parametrize("entry", ALL, ids=lambda entry: entry.name)
def test_every_entry_names_its_paper_with_the_year_and_changes_that_can_be_tested(entry) -> None:
    assert any(f", {year}, " in entry.paper for year in range(1980, 2030))
    assert {*entry.symmetries, *entry.broken} <= set(SYMMETRIES)
    assert not set(entry.symmetries) & set(entry.broken)


@pytest.mark.parametrize("entry", ALL, ids=lambda entry: entry.name)
def test_every_hyperparameter_has_a_help_text(entry) -> None:
    fields = registry.schema(entry.cls).__dataclass_fields__
    assert [name for name, field in fields.items() if not field.default.description] == []


@pytest.mark.parametrize(
    ("name", "message"),
    [("part-net", "unknown model 'part-net'; did you mean part"), ("xyz", "'xyz'; choose one of bip, ")],
)
def test_an_unknown_name_is_refused(name, message) -> None:
    with pytest.raises(JetkitError, match=message):
        registry.create(name, SPEC, kind=MODELS)


def test_an_unknown_kind_has_no_entries() -> None:
    assert registry.entries("sorcerer") == []


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"depht": 3}, "unknown option 'depht' in the encoder part; did you mean depth"),
        ({"depth": "three"}, "depth"),
        ({"depth": True}, "depth"),
        ({"dropout": "none"}, "dropout"),
        ({"pair_widths": 64}, "pair_widths"),
        ({"pair_widths": [64, "x"]}, "pair_widths"),
    ],
)
def test_wrong_hyperparameters_are_refused(values, message) -> None:
    with pytest.raises(ConfigError, match=message):
        registry.create("part", SPEC, values)


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("part", {"heads": 7}, "width should be a multiple of heads, got 128 and 7"),
        ("part", {"depth": -1}, "depth of the encoder part should be positive, got -1"),
        ("pfn", {"phi": []}, r"the encoder pfn cannot be made with phi=\[\]: "),
        ("pfn", {"phi": [0]}, r"phi of the encoder pfn should be positive, got \(0,\)"),
        ("particle-net", {"k": 0}, "particle-net needs k >= 1 neighbours, got 0"),
        ("lorentz-net", {"dropout": 3}, "the encoder lorentz-net cannot be made with dropout=3: .* between 0 and 1"),
    ],
)
def test_sizes_that_make_no_network_are_refused(name, values, message) -> None:
    with pytest.raises(JetkitError, match=message):
        registry.create(name, SPEC, values)


def test_a_list_serves_as_a_tuple_and_an_integer_as_a_float() -> None:
    values = registry.hyperparameters("part", {"pair_widths": [8], "dropout": 0})
    assert (values["pair_widths"], values["dropout"]) == ((8,), 0.0)


def test_hyperparameters_are_completed_by_the_defaults() -> None:
    assert registry.hyperparameters("pfn", {"f": [16]}) == {"phi": (100, 100, 256), "f": (16,)}


def test_a_name_cannot_be_given_to_something_else() -> None:
    with pytest.raises(JetkitError, match=r"the encoder pfn is there already \(jetkit.models.pfn.PFN\): give yours"):
        registry.register("pfn", paper="a second one")(jetkit.models.EFN)
    assert registry.entry("pfn").cls is jetkit.models.PFN


def test_what_is_registered_again_replaces_itself(monkeypatch) -> None:
    """As when a cell of a notebook runs twice."""
    monkeypatch.setattr(registry, "_ENTRIES", dict(registry._ENTRIES))
    made = []
    for paper in ("First, 2001", "Second, 2002"):
        made.append(type("Mine", (jetkit.models.PFN,), {}))
        registry.register("mine", paper=paper)(made[-1])
    found = registry.entry("mine", MODELS)
    assert (found.cls, found.paper) == (made[1], "Second, 2002")


def test_a_name_belongs_to_one_kind_of_models() -> None:
    names = [entry.name for entry in ALL]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("entry", ALL, ids=lambda entry: entry.name)
def test_a_kind_says_what_a_model_can_do(entry) -> None:
    assert issubclass(entry.cls, Generator) == (entry.kind == "generator")
    assert issubclass(entry.cls, Estimator) == (entry.kind == "estimator")
    assert issubclass(entry.cls, Encoder) or entry.kind == "generator"
    assert registry.entry(entry.name, MODELS) == registry.entry(entry.name, entry.kind) == entry


def test_a_model_of_another_kind_is_not_found_under_this_one() -> None:
    with pytest.raises(JetkitError, match="unknown encoder 'lda'"):
        registry.create("lda", SPEC)
    assert isinstance(registry.create("lda", SPEC, kind=MODELS), jetkit.models.LDA)
