"""Count code and docstrings: ``python tests/count_docs.py [SOURCE]``; the tests hold the shares.

A docstring is public where no part of its name begins with an underscore. Code lines are those that are neither blank,
nor a comment, nor part of a docstring.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

SOURCE = Path(__file__).parents[1] / "src" / "jetkit"
FRAGMENTS = ("Of", "What", "How", "Whether", "Where")
"""First words of a docstring that names no thing and does nothing."""


class Count(NamedTuple):
    code: int
    doc: int
    public: int
    fragments: tuple[str, ...]


def docstrings(tree: ast.AST) -> list[ast.Constant]:
    """The docstrings of a module, its classes and its functions."""
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef
    return [
        node.body[0].value for node in ast.walk(tree) if isinstance(node, kinds) and ast.get_docstring(node) is not None
    ]


def public(tree: ast.AST, prefix: str = "") -> list[tuple[str, str]]:
    """Names and docstrings of public modules, classes and functions."""
    found = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            text = ast.get_docstring(node)
            found += [(f"{prefix}{node.name}", text)] if text else []
            if isinstance(node, ast.ClassDef):
                found += public(node, f"{prefix}{node.name}.")
    return found


def count(source: Path = SOURCE) -> Count:
    """Count all Python files of a package."""
    sums: Counter[str] = Counter()
    fragments = []
    for path in sorted(source.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
        lines = {line for one in docstrings(tree) for line in range(one.lineno, one.end_lineno + 1)}
        plain = [line.strip() for number, line in enumerate(text.splitlines(), 1) if number not in lines]
        sums["doc"] += len(lines)
        sums["code"] += sum(bool(line) and not line.startswith("#") for line in plain)
        known = [(f"{path.relative_to(source)}", ast.get_docstring(tree) or ""), *public(tree)]
        sums["public"] += len(known)
        fragments += [
            f"{path.relative_to(source)} {name}"
            for name, doc in known
            if doc.split()[:1] and doc.split()[0].strip("`,") in FRAGMENTS
        ]
    return Count(sums["code"], sums["doc"], sums["public"], tuple(fragments))


if __name__ == "__main__":
    found = count(Path(sys.argv[1]) if len(sys.argv) > 1 else SOURCE)
    print(f"{found.code:,} code lines, {100 * found.doc / found.code:.1f} docstring lines per 100 of them")
    print(f"{len(found.fragments)} of {found.public:,} public docstrings begin as fragments")
    print("\n".join(found.fragments))
