"""What public files show about the detector that made them."""

from pathlib import Path

import numpy as np
import pytest

from jetkit.data.shards import ShardReader

SAMPLE = Path(__file__).parents[3] / "shared" / "data" / "jets" / "JetClassII_example.parquet"


@pytest.mark.skipif(not SAMPLE.exists(), reason="the public JetClass-II sample is not there")
def test_published_muons_carry_the_generated_pt() -> None:
    """Why the card cms-jetclass takes true momenta: smearing by 1-2.5 % is listed, but none is done."""
    names = ["part_px", "part_py", "part_isMuon", "genpart_px", "genpart_py", "genpart_pid"]
    with ShardReader(SAMPLE) as reader:
        jets = reader.read(names)
        rows = reader.rows
    ratios = []
    for jet in range(rows):
        one = {name: jets[name].values[slice(*jets[name].offsets[jet : jet + 2])] for name in names}
        truth = np.abs(one["genpart_pid"]) == 13
        phi = np.arctan2(one["genpart_py"][truth], one["genpart_px"][truth])
        pt = np.hypot(one["genpart_px"][truth], one["genpart_py"][truth])
        for px, py in zip(one["part_px"][one["part_isMuon"]], one["part_py"][one["part_isMuon"]], strict=True):
            ratios += (np.hypot(px, py) / pt[np.abs(phi - np.arctan2(py, px)) < 2e-6]).tolist()
    assert len(ratios) == 15
    np.testing.assert_allclose(ratios, 1.0, rtol=1e-5)
