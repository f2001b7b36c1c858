"""The commands and the Python of README and docs run as printed, in an empty folder.

They come from forks of one process, which saves their imports; `.ci/run` starts the real program. A dataset that one
page has simulated lies ready for the same command on another, which then has nothing left to do.
"""

import os
import re
import runpy
import subprocess
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from shutil import copytree

import pytest

ROOT = Path(__file__).parents[1]
GENERATED = ROOT / "docs" / "reference.md"
PAGES = [ROOT / "README.md", *(page for page in sorted((ROOT / "docs").glob("*.md")) if page != GENERATED)]
SIMULATE = re.compile(r"^(jetkit simulate .*\bout=(\S+).*)$", re.MULTILINE)
BLOCK = re.compile(r"```(bash|python)\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the whole test run for finished datasets, under a name that their command decides."""
    place = tmp_path_factory.getbasetemp()
    folder = (place.parent if os.environ.get("PYTEST_XDIST_WORKER") else place) / "simulated"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_runs(page: Path, tmp_path: Path, forking: Path, simulated: Path) -> None:
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    assert blocks, f"{page.name} shows no command"
    environment = os.environ | {"PATH": os.pathsep.join([str(forking), os.environ["PATH"]])}
    for language, text in blocks:
        made = {simulated / sha256(line.encode()).hexdigest(): tmp_path / out for line, out in SIMULATE.findall(text)}
        for kept, out in made.items():
            if kept.exists():
                copytree(kept, out)
        command = ["bash", "-euc", text] if language == "bash" else ["python", "-c", text]
        ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert ran.returncode == 0, f"{text}\n{ran.stdout}\n{ran.stderr}"
        for kept, out in made.items():
            keep(out, kept)


def keep(folder: Path, kept: Path) -> None:
    """Copy a dataset in one step, so that a test at the same time sees all of it or nothing."""
    if not kept.exists():
        copy = copytree(folder, kept.with_suffix(f".{os.getpid()}"))
        with suppress(OSError):
            copy.rename(kept)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_the_reference_is_what_the_package_says() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "generate.py"))
    assert GENERATED.read_text(encoding="utf-8") == made["text"](), "write it anew: python docs/generate.py"
