from __future__ import annotations

import math
from collections.abc import Callable
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from jetkit.data.dataset import open_dataset
from jetkit.data.features import FEATURE_SETS, feature_columns, particle_features
from jetkit.errors import JetkitError

Jets = Callable[..., dict[str, Any]]
NAMES = [feature.name for feature in FEATURE_SETS["full"]]


def flat(columns: dict[str, Any]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Columns without offsets, in float32 as stored, and the numbers of particles."""
    counts = np.diff(columns["part_px"][1])
    arrays = {name: c[0] if isinstance(c, tuple) else c for name, c in columns.items()}
    return {name: a.astype(np.float32) if a.dtype.kind == "f" else a for name, a in arrays.items()}, counts


def slow_features(particle: dict[str, float], jet: dict[str, float]) -> list[float]:
    """The 17 features of one particle, as in table 2 of arXiv:2202.03772."""

    def scaled(value: float, center: float, scale: float, low: float = -5, high: float = 5) -> float:
        return min(max((value - center) * scale, low), high)

    pt, energy = math.hypot(particle["px"], particle["py"]), particle["energy"]
    kinematics = [scaled(math.log(pt), 1.7, 0.7), scaled(math.log(energy), 2.0, 0.7)]
    kinematics += [scaled(math.log(pt / jet["pt"]), -4.7, 0.7), scaled(math.log(energy / jet["energy"]), -4.7, 0.7)]
    kinematics += [scaled(math.hypot(particle["deta"], particle["dphi"]), 0.2, 4)]
    kinds = ["charge", "isChargedHadron", "isNeutralHadron", "isPhoton", "isElectron", "isMuon"]
    tracks = [math.tanh(particle["d0val"]), scaled(particle["d0err"], 0, 1, 0, 1)]
    tracks += [math.tanh(particle["dzval"]), scaled(particle["dzerr"], 0, 1, 0, 1)]
    return [*kinematics, *(float(particle[kind]) for kind in kinds), *tracks, particle["deta"], particle["dphi"]]


@pytest.mark.parametrize(("name", "size"), [("momentum", 3), ("kin", 7), ("kinpid", 13), ("full", 17)])
def test_a_set_has_the_published_number_of_features(name: str, size: int) -> None:
    assert len(FEATURE_SETS[name]) == size


def test_features_are_those_of_a_slow_loop(make: Jets) -> None:
    columns, counts = flat(make([4, 1, 9]))
    table = particle_features(columns, counts)
    for particle, jet in enumerate(np.repeat(np.arange(3), counts)):
        one = {name[5:]: float(c[particle]) for name, c in columns.items() if name.startswith("part_")}
        its_jet = {name[4:]: float(c[jet]) for name, c in columns.items() if name.startswith("jet_")}
        np.testing.assert_allclose(table[:, particle], slow_features(one, its_jet), rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("name", ["momentum", "kin", "kinpid"])
def test_smaller_sets_are_parts_of_the_full_one(make: Jets, name: str) -> None:
    columns, counts = flat(make([4, 2]))
    rows = [NAMES.index(feature.name) for feature in FEATURE_SETS[name]]
    np.testing.assert_array_equal(particle_features(columns, counts, name), particle_features(columns, counts)[rows])


def test_extreme_values_are_clipped(make: Jets) -> None:
    columns, counts = flat(make([1]))
    columns["part_deta"][:] = 100
    columns["part_d0err"][:] = 7
    columns["part_energy"][:] = 1e-30
    table = particle_features(columns, counts)[:, 0]
    found = [table[NAMES.index(name)] for name in ("part_deltaR", "part_d0err", "part_e_log", "part_deta")]
    assert found == [5, 1, -5, 100]


def test_angles_follow_from_the_stored_axis_where_they_are_absent(real: Path) -> None:
    dataset = open_dataset(real)
    stored = dataset.read(feature_columns("kin", dataset.columns))
    counts = stored["part_px"].counts  # type: ignore[union-attr]
    columns = {name: c.values if hasattr(c, "values") else c for name, c in stored.items()}
    without = {name: c for name, c in columns.items() if name not in ("part_deta", "part_dphi")}
    np.testing.assert_allclose(
        particle_features(without, counts, "kin")[5:], [columns["part_deta"], columns["part_dphi"]], atol=3e-6
    )


def test_the_jet_is_the_sum_of_its_particles_where_it_is_absent(make: Jets) -> None:
    columns, counts = flat(make([3, 2]))
    sums = [np.add.reduceat(columns[f"part_{name}"].astype(float), [0, 3]) for name in ("energy", "px", "py", "pz")]
    E, px, py, pz = sums
    pt = np.hypot(px, py)
    axis = {"jet_pt": pt, "jet_energy": E, "jet_eta": np.arcsinh(pz / pt), "jet_phi": np.arctan2(py, px)}
    momenta = {f"part_{name}": columns[f"part_{name}"] for name in ("energy", "px", "py", "pz")}
    np.testing.assert_allclose(
        particle_features(momenta, counts, "kin"),
        particle_features(momenta | axis, counts, "kin"),
        rtol=1e-5,
        atol=1e-5,
    )


def test_a_missing_column_names_the_set_that_would_work() -> None:
    momenta = ["part_energy", "part_px", "part_py", "part_pz"]
    with pytest.raises(JetkitError, match=r"lacks part_charge, .*part_dzerr for .*'full': features='kin' would work"):
        feature_columns("full", momenta)
    with pytest.raises(JetkitError, match=r"lacks part_pz .*: no feature set would work"):
        feature_columns("kin", momenta[:3])
    with pytest.raises(JetkitError, match="unknown feature set 'all': choose one of momentum, kin, kinpid, full"):
        feature_columns("all", momenta)


def benchmark() -> ModuleType:
    spec = spec_from_file_location("weaver_data", Path(__file__).parents[2] / "benchmarks" / "weaver_data.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(find_spec("weaver") is None, reason="weaver-core is not installed")
def test_features_are_bit_for_bit_those_of_weaver(real: Path) -> None:
    from weaver.utils.data.config import DataConfig
    from weaver.utils.data.fileio import _read_files
    from weaver.utils.data.preprocess import _build_new_variables
    from weaver.utils.dataset import _finalize_inputs

    config = DataConfig(print_info=False, **benchmark().weaver_config(188))
    table = _read_files([str(real)], config.train_load_branches)
    theirs = _finalize_inputs(_build_new_variables(table, config.train_var_funcs), config)
    batches = open_dataset(real).batches(batch=100, shuffle=False)
    (ours,) = batches
    longest = ours.mask.shape[1]
    mask = ours.mask.numpy()
    np.testing.assert_array_equal(theirs["_pf_mask"][:, 0, :longest], mask)
    np.testing.assert_array_equal(theirs["_pf_features"].transpose(0, 2, 1)[:, :longest][mask], ours.x.numpy()[mask])
    momenta = theirs["_pf_vectors"].transpose(0, 2, 1)[:, :longest, [3, 0, 1, 2]]
    assert ours.p4 is not None
    np.testing.assert_array_equal(momenta[mask], ours.p4.numpy()[mask])
