"""The diff in CONTRIBUTING adds a tagger that keeps every promise of one."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DIFF = re.search(r"```diff\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.DOTALL)
PROGRAM = """
import pytest, sys
sys.exit(pytest.main(["-p", "no:cacheprovider", "tests/models/test_contract.py", "-k", "angularities"]))
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A copy of the package and of the contract tests, with the diff applied."""
    copied = ("src/jetkit", "tests/models/test_contract.py", "tests/conftest.py", "pyproject.toml")
    subprocess.run(["cp", "-r", "--parents", *copied, str(tmp_path)], cwd=ROOT, check=True)
    assert DIFF is not None
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    subprocess.run(["git", "apply", "-"], cwd=tmp_path, check=True, input=DIFF[1].encode())
    return tmp_path


def test_a_new_tagger_is_one_file_and_one_line(source: Path) -> None:
    assert DIFF is not None
    added = re.findall(r"^\+(?!\+\+)(.*)$", DIFF[1].partition("src/jetkit/models/angularities.py")[0], re.MULTILINE)
    assert added == ["from jetkit.models.angularities import Angularities"]
    environment = {"PYTHONPATH": str(source / "src"), "PATH": str(Path(sys.executable).parent), "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=source, env=environment, capture_output=True, text=True, timeout=300
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "[100%]" in ran.stdout
