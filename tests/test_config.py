"""Options are checked strictly, and every failure is one sentence."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field
from pydantic.dataclasses import dataclass

from jetkit.config import ConfigError, Option, build, describe, load, names, parse, read_yaml


@dataclass(frozen=True)
class Cuts:
    pt: tuple[float, float] = (550.0, 650.0)
    radius: float = 0.8


@dataclass(frozen=True)
class Options:
    jets: Annotated[int, Field(gt=0, description="kept jets")]
    out: str = "data"
    mode: Literal["fast", "full"] = "fast"
    shard: int | None = None
    workers: int | str = 1
    fraction: Annotated[float, Field(ge=0, le=1)] = 1.0
    verify: bool = False
    cuts: Cuts = Field(default_factory=Cuts)
    seeds: list[int] = Field(default_factory=list)
    weights: dict[str, float] = Field(default_factory=dict)
    steps: list[Cuts] | None = None
    folder: Path | None = None

    def __post_init__(self) -> None:
        if self.shard is not None and self.shard > self.jets:
            raise ValueError("option shard should be at most jets. Lower it.")


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"jets": "ten"}, "option jets should be int, got 'ten'"),
        ({"jets": 1.0}, "option jets should be int, got 1.0"),
        ({"jets": True}, "option jets should be int, got true"),
        ({"jets": None}, "option jets should be int, got nothing"),
        ({}, "option jets is missing"),
        ({"jetz": 1}, "unknown option 'jetz' in top-landscape; did you mean jets?"),
        ({"jets": 0}, "option jets should be greater than 0, got 0"),
        ({"jets": 1, "fraction": 1.5}, "option fraction should be less than or equal to 1, got 1.5"),
        ({"jets": 1, "mode": "fst"}, "option mode should be 'fast' or 'full', got 'fst'"),
        ({"jets": 1, "workers": 1.5}, "option workers should be int or str, got 1.5"),
        ({"jets": 1, "verify": "on"}, "option verify should be true or false, got 'on'"),
        ({"jets": 1, "seeds": ["x"]}, "option seeds.0 should be int, got 'x'"),
        ({"jets": 1, "seeds": 3}, "option seeds should be a list, got 3"),
        ({"jets": 1, "weights": {"top": "x"}}, "option weights.top should be float, got 'x'"),
        ({"jets": 1, "cuts": 3}, "option cuts should be a mapping of options, got 3"),
        ({"jets": 1, "cuts": {"radus": 1.0}}, "unknown option 'cuts.radus' in top-landscape; did you mean radius?"),
        ({"jets": 1, "cuts": {"mass": 1.0}}, "unknown option 'cuts.mass' in top-landscape; known: pt, radius"),
        ({"jets": 1, "steps": [{}, {"radius": "x"}]}, "option steps.1.radius should be float, got 'x'"),
        (
            {"jets": 1, "steps": [{"radios": 1}]},
            "unknown option 'steps.0.radios' in top-landscape; did you mean radius?",
        ),
        ({"jets": 3, "shard": 5}, "option shard should be at most jets; Lower it"),
        (
            {"jets": 1, "out": object},
            "the options of top-landscape should be plain values (<class 'object'> is not one)",
        ),
        ({3: 1}, "top-landscape should be a mapping of option names to values, got {3: 1}"),
    ],
)
def test_failure_is_one_sentence(values: dict[Any, Any], sentence: str) -> None:
    with pytest.raises(ConfigError) as error:
        build(Options, values, "top-landscape")
    assert str(error.value) == sentence


def test_tuple_of_wrong_length_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"option cuts.pt: Tuple should have at most 2 items"):
        build(Options, {"jets": 1, "cuts": {"pt": [1, 2, 3]}}, "x")


def test_int_serves_as_float_and_list_as_tuple_and_mapping_as_dataclass() -> None:
    made = build(Options, {"jets": 1, "fraction": 1, "cuts": {"pt": [500, 700]}, "folder": Path("x")}, "x")
    assert made == Options(jets=1, fraction=1.0, cuts=Cuts(pt=(500.0, 700.0)), folder=Path("x"))
    assert isinstance(made.cuts.pt[0], float)


@pytest.mark.parametrize(
    ("word", "field", "value"),
    [
        ("jets=1e6", "jets", 1_000_000),
        ("jets=1.5e3", "jets", 1500),
        ("jets=20_000", "jets", 20_000),
        ("jets=010", "jets", 10),
        ("fraction=1", "fraction", 1.0),
        ("fraction=1e-3", "fraction", 1e-3),
        ("fraction=.5", "fraction", 0.5),
        ("verify=true", "verify", True),
        ("out=no", "out", "no"),
        ("out=2024", "out", "2024"),
        ("out=a=b: [c", "out", "a=b: [c"),
        ("out=", "out", ""),
        ("folder=null", "folder", None),
        ("folder=1e3", "folder", Path("1e3")),
        ("workers=tcp://host:8786", "workers", "tcp://host:8786"),
        ("workers=4", "workers", 4),
        ("seeds=[1, 2]", "seeds", [1, 2]),
        ("cuts={radius: 1.0}", "cuts", Cuts(radius=1.0)),
    ],
)
def test_word_is_read(word: str, field: str, value: object) -> None:
    words = [word] if field == "jets" else [word, "jets=1"]
    read = getattr(parse(Options, words, "simulate"), field)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["jets"], "cannot read 'jets': options of simulate are written key=value"),
        (["=1"], "cannot read '=1': options of simulate are written key=value"),
        (["jets=1", "jets=2"], "option jets is given twice"),
        (["jets=ten"], "option jets should be int, got 'ten'"),
        (["jets=1.5"], "option jets should be int, got 1.5"),
        (["jets="], "option jets should be int, got nothing"),
        (["jets=1", "verify=yes"], "option verify should be true or false, got 'yes'"),
        (["jets=!!python/name:os.system"], "option jets, line 1: could not determine a constructor for the tag"),
        (["jets=[1"], "option jets, line 1: expected"),
        (["jets=\x00"], "option jets: unacceptable character"),
    ],
)
def test_wrong_word_is_refused(words: list[str], sentence: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse(Options, words, "simulate")
    assert str(error.value).startswith(sentence)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "word", ["yes", "no", "on", "off", "Yes", "OFF", "2020-01-01", "12:30:45", "0x10", "1e", "<<", "="]
)
def test_yaml_traps_stay_words(word: str) -> None:
    assert read_yaml(word, "x") == word


def test_infinity_and_not_a_number_are_read() -> None:
    assert read_yaml("-.inf", "x") == -math.inf
    assert math.isnan(read_yaml(".nan", "x"))


@pytest.mark.parametrize(
    "text", ["!!int x", "!!float [1]", "!!bool {a: 1}", "!!map x", "!!timestamp x", "!!binary x", "&a [*a]"]
)
def test_tag_or_loop_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^x"):
        read_yaml(text, "x")


def test_key_given_twice_in_a_file_is_refused_with_its_line() -> None:
    with pytest.raises(ConfigError, match=r"^recipe, line 2: the key 'jets' is given twice$"):
        read_yaml("jets: 1\njets: 2", "recipe")


def test_file_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("jets: 1e3\nname: off\n")
    assert load("datasets", tmp_path / "mine.yaml") == {"jets": 1000, "name": "off"}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "No such file or directory"),
        (b"\xff\xfe\x00", "it is not a text file in UTF-8"),
        (b"[1, 2]", r"should be a mapping of option names to values, got \[1, 2\]"),
        (b"", "should be a mapping of option names to values, got nothing"),
        (b"a: 1\nb: [1\n", r"line 3: expected"),
    ],
)
def test_unreadable_file_is_one_sentence(tmp_path: Path, content: bytes | None, sentence: str) -> None:
    path = tmp_path / "mine.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=sentence) as error:
        load("datasets", path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_folder_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").mkdir()
    with pytest.raises(ConfigError, match="Is a directory"):
        load("datasets", tmp_path / "mine.yaml")


@pytest.mark.parametrize("name", ["", "..", "../datasets/x", "no-such-recipe", "x" * 500])
def test_unknown_recipe_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=r"^unknown dataset "):
        load("datasets", name)


def test_kind_without_recipes_has_no_names() -> None:
    assert names("nothing-of-the-kind") == []


def test_options_are_described() -> None:
    described = {option.name: option for option in describe(Options)}
    assert list(described) == list(Options.__dataclass_fields__)
    assert described["jets"] == Option("jets", "int", None, "kept jets")
    assert described["mode"] == Option("mode", "fast | full", "fast", "")
    assert described["shard"] == Option("shard", "int | null", "null", "")
    assert described["verify"].default == "false"
    assert described["seeds"].type == "list[int]"


PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
VALUES = st.recursive(
    PLAIN, lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner), max_leaves=8
)
KEYS = st.sampled_from(list(Options.__dataclass_fields__)) | st.text(max_size=5)


@given(st.dictionaries(KEYS | st.integers(), VALUES, max_size=6))
def test_any_mapping_builds_or_is_refused_in_one_sentence(values: dict[Any, Any]) -> None:
    _builds_or_is_refused(lambda: build(Options, values, "fuzz"))


@given(st.lists(st.builds("{}={}".format, KEYS, st.text() | VALUES) | st.text(), max_size=4))
def test_any_words_parse_or_are_refused_in_one_sentence(words: list[str]) -> None:
    _builds_or_is_refused(lambda: parse(Options, words, "fuzz"))


@given(st.text(alphabet="!&*[]{}:,?|>-'\"#%@`~\n ab10.eE_+<=", max_size=20))
def test_any_yaml_reads_or_is_refused_in_one_sentence(text: str) -> None:
    _builds_or_is_refused(lambda: parse(Options, ["jets=1", f"seeds={text}"], "fuzz"))


def _builds_or_is_refused(action: Callable[[], Options]) -> None:
    try:
        outcome: Options | str = action()
    except ConfigError as error:
        outcome = str(error)
    if isinstance(outcome, str):
        assert 0 < len(outcome) < 500
        assert "\n" not in outcome
    else:
        assert isinstance(outcome, Options)
