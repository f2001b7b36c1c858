"""Dataset recipes: processes, jets and truth matching, read from YAML into checked dataclasses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from jetkit.config import ConfigError, build, load


@dataclass(frozen=True)
class Match:
    """Decay that a jet must contain to carry its label.

    Exactly these numbers of decay products of one resonance must lie within ΔR < radius of the jet axis: quarks as they
    leave the decay, charged leptons (e, μ) in their final copy.

    Attributes:
        resonance: |PDG code|, as 6 for a top quark.
        axis: the resonance itself lies within the radius as well.
    """

    resonance: int
    quarks: int = 0
    leptons: int = 0
    gluons: int = 0
    radius: float = 0.8
    axis: bool = False


@dataclass(frozen=True)
class ClassRecipe:
    """One class of jets.

    Attributes:
        variants: alternative lists of generator settings; a shard's jets are shared equally among them.
        match: truth matching; jets of a signal event that do not match are dropped.
        partons: |PDG codes| allowed for the outgoing quarks and gluons of the hard process; empty allows all.
    """

    name: str
    variants: Annotated[list[list[str]], Field(min_length=1)]
    match: Match | None = None
    partons: list[int] = Field(default_factory=list)


@dataclass(frozen=True)
class JetRecipe:
    """Jet finding, jet cuts and substructure; momenta in GeV.

    Attributes:
        leading: number of hardest jets of an event to consider; 0 takes all.
        together: every one of the ``leading`` jets must pass, or none of the event is kept (dijets).
        leading_pt: smallest pT of the hardest jet of the event.
        parton_window: events are given up early in the shower unless one of the ``leading`` hardest jets of partons has
            a pT in this window; null takes all. Twins take all events.
        particles: largest number of stored constituents, by falling pT; 0 stores all.
        generator_jet: store the jet of generated particles as well.
    """

    radius: float
    pt: tuple[float, float]
    algorithm: Literal["antikt", "kt", "cambridge"] = "antikt"
    abs_eta: float = 5.0
    abs_rapidity: float = 10.0
    leading: int = 0
    together: bool = False
    leading_pt: float = 0.0
    parton_window: tuple[float, float] | None = None
    particles: int = 0
    generator_jet: bool = False
    soft_drop_beta: float = 0.0
    soft_drop_z_cut: float = 0.1

    def __post_init__(self) -> None:
        if not 0.0 <= self.pt[0] < self.pt[1]:
            raise ValueError(f"jets.pt should be [low, high] with low < high, got {list(self.pt)}")
        if self.parton_window and not self.parton_window[0] <= self.pt[0] < self.pt[1] <= self.parton_window[1]:
            raise ValueError(
                f"jets.parton_window should contain jets.pt = {list(self.pt)}, got {list(self.parton_window)}"
            )
        if self.together and self.leading < 2:
            raise ValueError("jets.together needs jets.leading of at least 2")


@dataclass(frozen=True)
class Recipe:
    """A dataset simulated from first principles.

    Attributes:
        generator: Pythia settings common to all classes.
        detector: name of a detector card; empty for particle level.
        differences: known differences from the published dataset.
    """

    name: str
    description: str
    generator: list[str]
    jets: JetRecipe
    classes: Annotated[list[ClassRecipe], Field(min_length=1)]
    detector: str = ""
    citation: list[str] = Field(default_factory=list)
    differences: list[str] = Field(default_factory=list)

    def __post_init__(self) -> None:
        names = [one.name for one in self.classes]
        if len(set(names)) != len(names):
            raise ValueError("two classes carry the same name")


@dataclass(frozen=True)
class Variation:
    """A named systematic variation.

    Attributes:
        generator: Pythia settings added to every class.
        resolution_scale: multiplies every detector resolution.
        particle_level: leave out the detector, which supports hadrons only.
        unavailable: why the generator installed cannot do this; non-empty refuses the variation.
    """

    description: str
    generator: list[str] = Field(default_factory=list)
    resolution_scale: float = 1.0
    particle_level: bool = False
    unavailable: str = ""


def load_recipe(name: str | Path, detector: str = "") -> Recipe:
    """Load a recipe by name or from a file, optionally with another detector ('none' for particle level).

    Raises:
        ConfigError: no such recipe, or one with an unknown, missing or impossible field.

    Example:
        >>> load_recipe("top-landscape").jets.pt
        (550.0, 650.0)
    """
    recipe = build(Recipe, load("datasets", name), f"the recipe {name}")
    return replace(recipe, detector={"": recipe.detector, "none": ""}.get(detector, detector))


def load_variation(name: str) -> Variation:
    """Load a systematic variation by name.

    Raises:
        ConfigError: no such variation, or one that the installed generator cannot do.
    """
    variation = build(Variation, load("variations", name), f"the variation {name}")
    if variation.unavailable:
        raise ConfigError(f"variation {name} is not available: {variation.unavailable}")
    return variation


def settings(recipe: Recipe, variant: list[str], variation: Variation) -> list[str]:
    """Return all generator settings of a variant, in the order in which Pythia reads them."""
    return [*recipe.generator, *variant, *variation.generator]


def to_dict(recipe: Recipe) -> dict[str, Any]:
    """Return the recipe as plain values for the dataset card."""
    from pydantic import RootModel

    return dict(RootModel[Recipe](recipe).model_dump(mode="json"))
