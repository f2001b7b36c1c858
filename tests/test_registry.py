"""Names of models, and hyperparameters checked against the signature."""

from __future__ import annotations

import pytest

import jetkit.models
from jetkit import registry
from jetkit.config import ConfigError
from jetkit.data.cloud import CloudSpec
from jetkit.errors import JetkitError
from jetkit.testing import SYMMETRIES

SPEC = CloudSpec(("part_deta", "part_dphi"), classes=("QCD", "top"))
TAGGERS = registry.entries("tagger")


def test_every_model_of_the_package_is_registered_under_the_name_of_its_class() -> None:
    names = {entry.name.replace("-", ""): entry.cls.__name__ for entry in TAGGERS}
    assert set(names.values()) <= vars(jetkit.models).keys()
    assert all(name == cls.lower() for name, cls in names.items())


def test_entries_come_in_the_order_of_their_names() -> None:
    assert [entry.name for entry in TAGGERS] == sorted(entry.name for entry in TAGGERS)


@pytest.mark.parametrize("entry", TAGGERS, ids=lambda entry: entry.name)
def test_every_entry_names_its_paper_with_the_year_and_changes_that_can_be_tested(entry) -> None:
    assert any(f", {year}, " in entry.paper for year in range(1990, 2030))
    assert {*entry.symmetries, *entry.broken} <= set(SYMMETRIES)
    assert not set(entry.symmetries) & set(entry.broken)


@pytest.mark.parametrize("entry", TAGGERS, ids=lambda entry: entry.name)
def test_every_hyperparameter_has_a_help_text(entry) -> None:
    fields = registry.schema(entry.cls).__dataclass_fields__
    assert [name for name, field in fields.items() if not field.default.description] == []


@pytest.mark.parametrize(
    ("name", "message"),
    [("part-net", "unknown tagger 'part-net'; did you mean part"), ("xyz", "'xyz'; choose one of bip, ")],
)
def test_an_unknown_name_is_refused(name, message) -> None:
    with pytest.raises(JetkitError, match=message):
        registry.create(name, SPEC)


def test_an_unknown_kind_has_no_entries() -> None:
    assert registry.entries("generator") == []


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"depht": 3}, "unknown option 'depht' in the tagger part; did you mean depth"),
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
        ("part", {"depth": -1}, "depth of the tagger part should be positive, got -1"),
        ("pfn", {"phi": []}, r"the tagger pfn cannot be made with phi=\[\]: "),
        ("pfn", {"phi": [0]}, r"phi of the tagger pfn should be positive, got \(0,\)"),
        ("particle-net", {"k": 0}, "particle-net needs k >= 1 neighbours, got 0"),
        ("lorentz-net", {"dropout": 3}, "the tagger lorentz-net cannot be made with dropout=3: .* between 0 and 1"),
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


def test_a_name_cannot_be_given_twice() -> None:
    with pytest.raises(AssertionError, match="tagger pfn is registered twice"):
        registry.register("pfn", paper="a second one")(jetkit.models.PFN)
