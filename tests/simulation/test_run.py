"""Whole datasets: bit-identical for any number of workers and after any interruption."""

import errno
import itertools
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jetkit.data.card import read_card, verify
from jetkit.data.ragged import Ragged
from jetkit.data.shards import ShardReader
from jetkit.errors import JetkitError
from jetkit.simulation import simulate
from jetkit.simulation.options import Options
from jetkit.simulation.recipe import load_recipe
from jetkit.simulation.run import plan
from jetkit.simulation.shard import _chain, _pairs


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def small(out: Path, **changes) -> Options:
    return Options(**({"jets": 24, "out": str(out), "workers": 1, "shard": 4, "seed": 5} | changes))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    return simulate("top-landscape", small(tmp_path_factory.mktemp("run") / "whole"))


def test_the_card_counts_what_the_shards_hold(dataset) -> None:
    card = read_card(dataset)
    assert card.complete
    assert card.counts == {"QCD": 12, "top": 12}
    assert [shard.rows for shard in card.shards] == [4] * 6
    assert card.skipped["events"] >= card.skipped["jets in the cuts"] >= card.skipped["jets kept"] >= 24
    assert card.columns["jet_pt"]["unit"] == "GeV"
    assert verify(dataset) == []


def test_jets_pass_the_cuts_of_the_recipe(dataset) -> None:
    for path in dataset.glob("*.parquet"):
        with ShardReader(path) as reader:
            jets = reader.read(["jet_pt", "jet_eta", "event_id"])
        assert ((jets["jet_pt"] > 550) & (jets["jet_pt"] < 650)).all()
        assert (np.abs(jets["jet_eta"]) < 2).all()
        assert len(np.unique(jets["event_id"])) == 4


def test_the_card_tells_the_parton_window_and_what_it_left_out(dataset) -> None:
    card = read_card(dataset)
    assert card.recipe["dataset"]["jets"]["parton_window"] == list(load_recipe("top-landscape").jets.parton_window)
    assert 0 < card.skipped["events outside the parton window"] < card.skipped["events"]


@pytest.mark.parametrize("label", [0, 1])
def test_jets_kept_with_the_parton_window_are_those_kept_without_it(label, tmp_path) -> None:
    task = plan("top-landscape", small(tmp_path))[0][label]
    everything = replace(task, recipe=replace(task.recipe, jets=replace(task.recipe.jets, parton_window=None)))
    windowed, whole = (next(_chain(one, 0, Counter(), copy=0).batches()) for one in (task, everything))
    assert len(windowed["event_id"]) > 0
    for name in windowed:
        ours, theirs = (rows[name] if isinstance(rows[name], Ragged) else (rows[name],) for rows in (windowed, whole))
        assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(ours, theirs, strict=True)), name


def test_twins_take_all_events(tmp_path) -> None:
    """An event outside the window in one copy may come inside in the other; no pair is lost to it."""
    task = plan("top-landscape", small(tmp_path, twin="reshower"))[0][0]
    counts: Counter[str] = Counter()
    next(_pairs(task, 0, counts))
    assert counts["events"] == 100
    assert "events outside the parton window" not in counts


def test_two_workers_write_the_same_bits_as_one(dataset, tmp_path) -> None:
    other = simulate("top-landscape", small(tmp_path / "two", workers=2))
    assert content(other) == content(dataset)


def test_another_seed_gives_other_jets(dataset, tmp_path) -> None:
    other = simulate("top-landscape", small(tmp_path / "seed", jets=2, seed=6))
    assert not {shard.sha256 for shard in read_card(other).shards} & {s.sha256 for s in read_card(dataset).shards}


def test_a_finished_dataset_is_left_alone(dataset) -> None:
    before = {path: path.stat().st_mtime_ns for path in dataset.glob("*.parquet")}
    simulate("top-landscape", small(dataset))
    assert {path: path.stat().st_mtime_ns for path in dataset.glob("*.parquet")} == before


def test_a_broken_shard_is_named_and_made_again(dataset, tmp_path) -> None:
    whole = content(dataset)
    copy = tmp_path / "copy"
    copy.mkdir()
    for name, text in whole.items():
        (copy / name).write_bytes(text)
    first, second, third = sorted(name for name in whole if name.endswith(".parquet"))[:3]
    flipped = bytearray(whole[first])
    flipped[len(flipped) // 2] ^= 1
    (copy / first).write_bytes(flipped)
    (copy / second).write_bytes(whole[second][:-100])
    (copy / third).unlink()
    problems = verify(copy)
    assert len(problems) == 3
    assert all(any(name in problem for problem in problems) for name in (first, second, third))
    simulate("top-landscape", small(copy))
    assert content(copy) == whole


def test_a_killed_run_goes_on_to_the_same_bits(dataset, tmp_path) -> None:
    """Kill the run and its workers at several moments, then let the same command finish."""
    out = tmp_path / "killed"
    code = (
        "from jetkit.simulation import simulate\nfrom jetkit.simulation.options import Options\n"
        f"simulate('top-landscape', Options(jets=24, out={str(out)!r}, workers=1, shard=4, seed=5))"
    )
    for shards in (1, 2, 4):
        process = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
        while process.poll() is None and len(list(out.glob("*.parquet"))) < shards:
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert not read_card(out).complete
    (out / ".00001-top.parquet.77.partial").write_bytes(b"half a shard")
    (out / ".dask").mkdir(exist_ok=True)
    simulate("top-landscape", small(out))
    assert content(out) == content(dataset)
    assert sorted(path.name for path in out.iterdir()) == sorted(content(dataset))


def test_twins_share_their_event_and_differ_in_their_hadrons(tmp_path) -> None:
    out = simulate("top-landscape", small(tmp_path / "twins", jets=6, shard=3, twin="reshower"))
    card, seen = read_card(out), set()
    assert card.rows == 12
    assert "twins (reshower): each event twice, with shower, hadrons, detector drawn anew" in card.notes[-1]
    assert card.skipped["jets without a twin"] > 0
    for path in out.glob("*.parquet"):
        with ShardReader(path) as reader:
            jets = reader.read(["event_id", "twin", "pair", "jet_pt"])
        pairs, pt = jets["event_id"].reshape(-1, 2), jets["jet_pt"].reshape(-1, 2)
        assert (pairs[:, 0] == pairs[:, 1]).all()
        assert jets["twin"].tolist() == [0, 1] * 3
        numbers = jets["pair"].reshape(-1, 2)
        assert (numbers[:, 0] == numbers[:, 1]).all()
        seen |= set(numbers[:, 0].tolist())
        assert (pt[:, 0] != pt[:, 1]).all()
    assert len(seen) == 6


def test_pairs_whose_shower_was_drawn_anew_are_left_out_and_counted(tmp_path, monkeypatch) -> None:
    """Pythia does so where hadronisation fails, which the original and its twin do not do together."""
    calls = itertools.count()
    monkeypatch.setattr(
        "jetkit.simulation.chain.parton_level", lambda record: np.full(len(record.offsets), next(calls))
    )
    task = plan("top-landscape", small(tmp_path, twin="rehadronise"))[0][0]
    counts: Counter[str] = Counter()
    assert len(next(_pairs(task, 0, counts))["jet_pt"]) == 0
    assert counts["pairs that do not share what they should"] > 0
    assert counts["jets kept"] == counts["jets without a twin"] + counts["pairs that do not share what they should"]


ONE_CLASS = """
name: one-class
description: QCD jets with their generator-level jet
generator: ["Beams:eCM = 13000.", "PhaseSpace:pTHatMin = 450.", "PartonLevel:MPI = off"]
detector: cms-jetclass
jets: {radius: 0.8, pt: [LOW, HIGH], generator_jet: true}
classes: [{name: QCD, variants: [["HardQCD:all = on"]]}]
"""


def one_class(folder: Path, low: float, high: float) -> Path:
    path = folder / "one-class.yaml"
    path.write_text(ONE_CLASS.replace("LOW", str(low)).replace("HIGH", str(high)))
    return path


def test_detector_twins_share_their_generated_particles(tmp_path) -> None:
    out = simulate(one_class(tmp_path, 400.0, 800.0), small(tmp_path / "redetect", jets=4, twin="redetect"))
    with ShardReader(next(out.glob("*QCD.parquet"))) as reader:
        jets = reader.read(["genjet_pt", "jet_pt"])
    assert (jets["genjet_pt"][0::2] == jets["genjet_pt"][1::2]).all()
    assert (jets["jet_pt"][0::2] != jets["jet_pt"][1::2]).all()


def test_another_dataset_in_the_folder_is_not_touched(dataset) -> None:
    before = content(dataset)
    with pytest.raises(JetkitError, match=r"holds another dataset .* choose another out=FOLDER"):
        simulate("quark-gluon", small(dataset))
    assert content(dataset) == before


def test_a_folder_with_other_files_is_not_touched(tmp_path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(JetkitError, match="is not a dataset"):
        simulate("quark-gluon", small(tmp_path))


def test_an_impossible_cut_is_one_sentence(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("jetkit.simulation.shard.PATIENCE", 200)
    recipe = one_class(tmp_path, 5000.0, 6000.0)
    with pytest.raises(JetkitError, match=r"no jet of class QCD passed the cuts of one-class in 200 events; widen"):
        simulate(recipe, small(tmp_path / "out"))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["dataset.json"]


def test_a_full_disk_is_one_sentence_and_leaves_nothing_half_written(tmp_path, monkeypatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    out = tmp_path / "full"
    simulate("quark-gluon", small(out, jets=2))
    for path in out.glob("*.parquet"):
        path.unlink()
    monkeypatch.setattr("jetkit.data.shards.os.fsync", full)
    with pytest.raises(JetkitError, match="No space left on device"):
        simulate("quark-gluon", small(out, jets=2))
    assert [path.name for path in out.iterdir()] == ["dataset.json"]


def test_a_scheduler_that_does_not_answer_is_one_sentence(tmp_path) -> None:
    with pytest.raises(JetkitError, match="no dask scheduler answers"):
        simulate("quark-gluon", small(tmp_path / "x", scheduler="tcp://127.0.0.1:1"))


def test_a_script_without_a_main_guard_is_told_so(tmp_path) -> None:
    script = tmp_path / "unguarded.py"
    script.write_text(
        "from jetkit.simulation import simulate\nfrom jetkit.simulation.options import Options\n"
        f"simulate('quark-gluon', Options(jets=2, out={str(tmp_path / 'out')!r}, workers=2))\n"
    )
    ran = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert ran.returncode == 1
    assert "below if __name__ == '__main__'" in ran.stderr
