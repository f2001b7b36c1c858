"""The shape of the package: arrows point down, there are no cycles, no file is too long."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "jetkit"
FILES = sorted(SOURCE.rglob("*.py"))
EVERYWHERE = {"errors", "kernels", "config", "progress", "memory", "notebook", "plain_yaml"}
BELOW = {
    "errors": set(),
    "config": set(),
    "kernels": set(),
    "progress": set(),
    "memory": set(),
    "notebook": set(),
    "plain_yaml": set(),
    "plugins": set(),
    "registry": {"plugins"},
    "physics": set(),
    "nn": {"physics"},
    "data": {"physics", "registry"},
    "simulation": {"data", "physics", "registry"},
    "observables": {"data", "nn", "physics", "registry"},
    "models": {"observables", "nn", "physics", "data", "registry"},
    "tasks": {"models", "nn", "physics", "data", "registry"},
    "store": {"evaluation", "tasks", "models", "nn", "data", "registry", "plugins"},
    "interchange": {"testing", "store", "tasks", "models", "data", "registry"},
    "training": {"store", "tasks", "models", "nn", "physics", "data", "registry", "plugins"},
    "evaluation": {"physics", "registry"},
    "reporting": {"evaluation", "data", "physics"},
    "testing": {"tasks", "models", "nn", "physics", "data", "registry"},
    "verbs": {
        "reporting",
        "evaluation",
        "training",
        "interchange",
        "store",
        "tasks",
        "testing",
        "models",
        "observables",
        "data",
        "physics",
        "registry",
    },
    "studies": {
        "verbs",
        "reporting",
        "evaluation",
        "training",
        "store",
        "tasks",
        "models",
        "simulation",
        "data",
        "registry",
    },
    "cli": {
        "keywords",
        "studies",
        "verbs",
        "reporting",
        "evaluation",
        "training",
        "interchange",
        "store",
        "tasks",
        "models",
        "simulation",
        "data",
        "registry",
    },
    "keywords": set(),
    "api": {
        "keywords",
        "studies",
        "verbs",
        "evaluation",
        "training",
        "interchange",
        "store",
        "simulation",
        "data",
    },
    "__main__": {"cli"},
}
"""Room → the rooms that it may import."""
ONE_FILE = {
    "pythia8mc",
    "fastjet",
    "distributed",
    "dask",
    "matplotlib",
    "mplhep",
    "jinja2",
    "pyarrow",
    "numba",
    "uproot",
    "h5py",
    "hdf5plugin",
    "lgatr",
    "lightning_fabric",
    "zuko",
}
FILES_OF = dict.fromkeys(ONE_FILE, 1) | {"sklearn": 2}
"""Heavy package → files that may import it; trees and topics share nothing of scikit-learn but the name."""


def module(path: Path) -> str:
    return ".".join(("jetkit", *path.relative_to(SOURCE).with_suffix("").parts)).removesuffix(".__init__")


def room(name: str) -> str:
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else "jetkit"


def executed(path: Path) -> list[ast.AST]:
    """The nodes of a file without those that only type checkers see."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            node.body = []
    return list(ast.walk(tree))


def imports(path: Path, *, run_time: bool = False) -> set[str]:
    """Modules of jetkit that a file imports, also within functions; ``run_time``: not those for type checkers alone."""
    nodes = executed(path) if run_time else list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    known, found = {module(other) for other in FILES}, set()
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= names if names <= known else {node.module, *names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if name in known} - {module(path)}


@pytest.mark.parametrize("path", FILES, ids=module)
def test_arrows_point_down(path: Path) -> None:
    here = room(module(path))
    if here == "jetkit":
        return
    assert here in BELOW, f"{path} is in no known room"
    reached = {room(name) for name in imports(path)} - {here, "jetkit"}
    assert reached <= BELOW[here] | EVERYWHERE


def test_the_lowest_files_import_nothing_of_jetkit() -> None:
    for name in ("errors", "kernels", "progress", "memory", "notebook"):
        assert imports(SOURCE / f"{name}.py") == set()
    assert imports(SOURCE / "plugins.py") == {"jetkit.errors"}
    assert imports(SOURCE / "config.py") == {"jetkit.errors", "jetkit.plain_yaml"}


def test_there_is_no_cycle() -> None:
    """Also among imports within functions; left out is what `jetkit.cli` itself imports to register its verbs."""
    graph = {module(path): imports(path, run_time=True) - {"jetkit", "jetkit.cli"} for path in FILES}
    graph = {name: found for name, found in graph.items() if name not in ("jetkit", "jetkit.cli")}
    assert len(list(TopologicalSorter(graph).static_order())) == len(graph)


def test_only_building_blocks_ask_for_a_fast_way() -> None:
    """A file in ``models`` reads as its paper does."""
    for path in FILES:
        if room(module(path)) != "nn":
            assert not {name for name in imports(path) if name.startswith(("jetkit.nn.fast", "jetkit.nn.backend"))}, (
                path
            )


@pytest.mark.parametrize("path", FILES, ids=module)
def test_files_stay_below_400_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


@pytest.mark.parametrize("path", FILES, ids=module)
def test_functions_stay_below_60_lines_of_code_and_10_parameters(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            length = node.end_lineno - body[0].lineno + 1 if body else 0
            assert length <= 60, f"{path.name}: {node.name} has {length} lines"
            parameters = (
                len(node.args.args)
                + len(node.args.kwonlyargs)
                - ([argument.arg for argument in node.args.args[:1]] == ["self"])
            )
            assert parameters <= 10, f"{path.name}: {node.name} has {parameters} parameters"


@pytest.mark.parametrize("package", sorted(FILES_OF))
def test_each_heavy_package_is_imported_in_one_place(package: str) -> None:
    rooms = set()
    for path in FILES:
        for node in executed(path):
            direct = isinstance(node, ast.Import) and any(a.name.split(".")[0] == package for a in node.names)
            from_it = isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == package
            asked = (
                isinstance(node, ast.Call)
                and getattr(node.func, "id", "") == "require"
                and isinstance(node.args[0], ast.Constant)
                and node.args[0].value.split(".")[0] == package
            )
            if direct or from_it or asked:
                rooms.add(path)
    assert len(rooms) <= FILES_OF[package], f"{package} is imported in {sorted(map(str, rooms))}"


def test_nothing_evaluates_text_or_unpickles() -> None:
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                assert getattr(node.func, "id", "") not in {"eval", "exec", "compile"}, path
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {alias.name for alias in node.names} | {getattr(node, "module", "") or ""}
                assert not names & {"pickle", "dill", "joblib", "shelve", "marshal"}, path
