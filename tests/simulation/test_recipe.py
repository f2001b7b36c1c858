import pytest

from jetkit.config import ConfigError, names
from jetkit.simulation.detector_card import load_card
from jetkit.simulation.options import Options
from jetkit.simulation.recipe import load_recipe, load_variation
from jetkit.simulation.run import plan


@pytest.mark.parametrize("name", names("datasets"))
def test_every_recipe_can_be_planned(name, tmp_path) -> None:
    tasks, card = plan(name, Options(jets=100, out=str(tmp_path)))
    assert sum(task.jets for task in tasks) == 100
    assert [tasks[k].recipe.classes[tasks[k].label].name for k in range(len(card.classes))] == card.classes


@pytest.mark.parametrize("name", names("detectors"))
def test_every_detector_card_is_complete(name) -> None:
    assert load_card(name).radius > 1000


@pytest.mark.parametrize("name", sorted(set(names("variations")) - {"dire"}))
def test_every_variation_loads(name) -> None:
    assert load_variation(name).description


def test_classes_stand_in_the_public_order() -> None:
    public = ["QCD", "Hbb", "Hcc", "Hgg", "H4q", "Hqql", "Zqq", "Wqq", "Tbqq", "Tbl"]
    assert [one.name for one in load_recipe("jetclass").classes] == public
    assert [one.name for one in load_recipe("top-landscape").classes] == ["QCD", "top"]
    assert [one.name for one in load_recipe("quark-gluon").classes] == ["gluon", "quark"]


def test_dire_is_refused_with_the_version_that_has_it() -> None:
    with pytest.raises(ConfigError, match=r"pythia8mc==8\.314\.0"):
        load_variation("dire")


@pytest.mark.parametrize(
    ("kind", "message"),
    [({"variation": "vinca"}, "vincia"), ({"detector": "atlass"}, "atlas"), ({"jets": 1}, "less than one for each")],
)
def test_wrong_names_and_numbers_are_one_sentence(kind, message) -> None:
    with pytest.raises(ConfigError, match=message):
        plan("top-landscape", Options(**kind))


def test_partons_meet_no_detector() -> None:
    tasks, card = plan("top-landscape", Options(variation="hadronisation-off"))
    assert tasks[0].card is None
    assert "particle level, no detector" in card.notes
    with pytest.raises(ConfigError, match="leave out detector=cms"):
        plan("top-landscape", Options(variation="hadronisation-off", detector="cms"))


def test_a_variation_of_the_resolution_reaches_the_detector() -> None:
    tasks, _ = plan("top-landscape", Options(variation="resolution-up"))
    assert tasks[0].card.resolution_scale == 1.2


def test_a_recipe_may_be_a_file(tmp_path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "name: mine\ndescription: d\ngenerator: []\njets: {radius: 0.4, pt: [20.0, 30.0]}\n"
        "classes:\n  - {name: QCD, variants: [['HardQCD:all = on']]}\n"
    )
    assert load_recipe(path).name == "mine"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("jets: {radius: 0.4, pt: [30.0, 20.0]}", "low < high"),
        ("jets: {radius: 0.4, pt: [20.0, 30.0], etta: 2}", "etta"),
        ("jets: {radius: wide, pt: [20.0, 30.0]}", "radius"),
        ("jets: {radius: 0.4}", "pt"),
        ("jets: {radius: 0.4, pt: [20.0, 30.0], parton_window: [25.0, 40.0]}", "parton_window should contain"),
    ],
)
def test_a_bad_recipe_is_one_sentence(tmp_path, text, message) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(f"name: bad\ndescription: d\ngenerator: []\n{text}\nclasses:\n  - {{name: A, variants: [[]]}}\n")
    with pytest.raises(ConfigError, match=message) as error:
        load_recipe(path)
    assert "\n" not in str(error.value)


def test_twins_that_would_repeat_nothing_are_refused() -> None:
    with pytest.raises(ConfigError, match="needs a detector"):
        plan("quark-gluon", Options(twin="redetect"))
    with pytest.raises(ConfigError, match="would repeat nothing"):
        plan("top-landscape", Options(twin="rehadronise", variation="hadronisation-off"))
