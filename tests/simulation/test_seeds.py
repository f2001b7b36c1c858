from jetkit.simulation.seeds import LARGEST_PYTHIA_SEED, derive_seed


def test_seeds_are_the_same_everywhere() -> None:
    assert derive_seed(1, "shower", 7, 0) == 273_750_998


def test_seeds_stay_inside_the_range_that_pythia_takes() -> None:
    seeds = [derive_seed(1, "process", event) for event in range(2000)]
    assert min(seeds) >= 1
    assert max(seeds) < LARGEST_PYTHIA_SEED


def test_any_part_of_the_key_changes_the_seed() -> None:
    keys = [(1, "shower", 0, 0), (2, "shower", 0, 0), (1, "hadrons", 0, 0), (1, "shower", 1, 0), (1, "shower", 0, 1)]
    assert len({derive_seed(*key) for key in keys}) == len(keys)
