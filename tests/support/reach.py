"""The words that a test is made of: its own, and those of what it takes from its module and from tests/support.

Read from the source; nothing is imported. So the table of remedies can be held to name tests that know the next step.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent.parent
_FOLDERS = sorted(path for path in TESTS.iterdir() if path.is_dir())


@functools.cache
def names_of_tests(file: str) -> frozenset[str]:
    """Return the names of the tests in a file below tests/."""
    return frozenset(name for name in _globals(TESTS / file) if name.startswith("test_"))


@functools.cache
def words_of(file: str, name: str) -> frozenset[str]:
    """Return the texts in a test, in what decorates it, and in all that it names, directly or not."""
    found: set[str] = set()
    seen: set[tuple[Path, str]] = set()
    waiting = [(TESTS / file, name)]
    while waiting:
        place = waiting.pop()
        if place in seen:
            continue
        seen.add(place)
        for node in _globals(place[0]).get(place[1], ()):
            found |= {
                each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and type(each.value) is str
            }
            waiting += [(path, word) for word in _named(node) for path in _places(place[0], word)]
    return frozenset(found)


def _named(node: ast.AST) -> Iterator[str]:
    """Yield every name that a definition reads; a fixture is the name of an argument."""
    for each in ast.walk(node):
        if isinstance(each, ast.Name):
            yield each.id
        elif isinstance(each, ast.arg):
            yield each.arg
        elif isinstance(each, ast.Attribute):
            yield each.attr


def _places(path: Path, name: str) -> Iterator[Path]:
    """Yield where a name of a module is defined: there, or in the module of tests that it is imported from."""
    if name in _globals(path):
        yield path
    for node in _tree(path).body:
        if isinstance(node, ast.ImportFrom) and name in {alias.asname or alias.name for alias in node.names}:
            modules = (folder / f"{node.module}.py" for folder in (TESTS / "support", path.parent, *_FOLDERS))
            yield from (module for module in modules if module.exists())


@functools.cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


@functools.cache
def _globals(path: Path) -> dict[str, tuple[ast.AST, ...]]:
    """Return what a module defines, by name: functions, classes and their methods, values."""
    found: dict[str, list[ast.AST]] = {}
    for node in _tree(path).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.setdefault(node.name, []).append(node)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                for each in ast.walk(target):
                    if isinstance(each, ast.Name):
                        found.setdefault(each.id, []).append(node)
    return {name: tuple(nodes) for name, nodes in found.items()}
