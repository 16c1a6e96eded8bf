"""Every refusal of the kit, read from its own source: message, next step, exit code, module. Runs nothing of it.

What a message takes from elsewhere is a placeholder: <name>. A text that goes by a condition has a variant for each.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from kit.errors import KINDS, CheckError, DifferenceError, EngineError, RecipeError
from kit.recipe.validation_messages import RULES

_CODES = {kind.__name__: kind.code for kind in KINDS.values()}
_CODES |= {"DifferenceError": DifferenceError.code, "MissingToolError": EngineError.code}
_RAISED_APART = ("android/desktop", "shared/job.py", "errors.py")  # classes, and programs of another process
_HARNESS = {"USAGE": 2, "MISSING": 5}  # as templates/bundle/emulate/harness/errors.py has them
_MOST = 12  # variants of one text
PASSED_ON = "<what that check says>"  # of a gate, a step of the Android proof, a check of verify
_DEEPEST = 4  # names and functions that stand for one another


@dataclass(frozen=True)
class Refusal:
    """One place in the source that refuses."""

    module: str  # "worker/convert.py"
    line: int
    code: int
    messages: tuple[str, ...]  # its variants
    hints: tuple[str, ...]

    @property
    def message(self) -> str:
        """Return the variants of the message in one text."""
        return " / ".join(self.messages)


@dataclass(frozen=True)
class Cause:
    """What an exception of Python, Keras or TensorFlow means, in the user's words."""

    cause: str
    hint: str


def refusals(root: Path) -> list[Refusal]:
    """Return every refusal in the package at root, by exit code, module and line: kit, or a bundle's own harness."""
    modules = {str(path.relative_to(root)): _module(path, root) for path in sorted(root.rglob("*.py"))}
    found = [
        refusal
        for name, module in modules.items()
        if root.name != "kit" or not name.startswith(_RAISED_APART)
        for refusal in module.refusals(name)
    ]
    return sorted(found, key=lambda each: (each.code, each.module, each.line))


def causes(root: Path) -> list[Cause]:
    """Return the table of kit.worker.failures.causes, its groups as placeholders."""
    tree = ast.parse((root / "worker" / "failures" / "causes.py").read_text("utf-8"))
    rows = [call for _, call in _calls(tree) if isinstance(call.func, ast.Name) and call.func.id == "_Row"]
    texts = [[str(ast.literal_eval(each)) for each in row.args[1:]] for row in rows]
    return [Cause(*(re.sub(r"\{\d\}", "<value>", text) for text in pair)) for pair in texts]


@cache
def _module(path: Path, root: Path) -> _Module:
    return _Module(path, root)


class _Module:
    """A source file, with what its names stand for."""

    def __init__(self, path: Path, root: Path) -> None:
        self._tree = ast.parse(path.read_text("utf-8"))
        self._root = root

    def refusals(self, name: str) -> Iterator[Refusal]:
        yield from self._checks_of_verify(name)
        for scope, call in _calls(self._tree):
            kind = call.func.id if isinstance(call.func, ast.Name) else ""
            arguments = list(call.args)
            if kind == "JobError" or (kind == "Refusal" and "worker" in name):
                code = _code_of(arguments.pop(0))
            elif kind == "EmulateError":  # of a bundle's own harness, with its own two codes
                code, arguments = _HARNESS[_short(arguments[2]) if arguments[2:] else "USAGE"], arguments[:2]
            elif kind == "Verdict":  # a gate of kit.build.checks: its next step comes last
                code, arguments = CheckError.code, [arguments[0], *arguments[4 - _spread(arguments) :]]
            # kit.recipe.validation_messages adds place and next step
            elif kind == "ValueError" and name == "recipe/schema.py":
                code, arguments = RecipeError.code, [arguments[0], ast.Constant(RULES)]
            else:
                code = _CODES.get(kind, 0)
            if not code or not arguments or _is_passed_on(arguments[0]):
                continue
            hints = [*arguments[1:2], *(word.value for word in call.keywords if word.arg == "hint")]
            texts = [self._texts(each, scope) for each in (arguments[0], *hints)]
            if kind == "Verdict":
                texts[0] = tuple(f"{text} is <value>, the limit is <limit>" for text in texts[0])
            steps = _own(texts[1]) if hints else ()
            if kind != "Verdict" or steps != ("<hint>",):  # else its function got it from one that is in the list
                yield Refusal(name, call.lineno, code, texts[0], steps)

    def _checks_of_verify(self, name: str) -> Iterator[Refusal]:
        """Yield what a class gives as the next step of what it found: kit.build.verify's checks do."""
        function = self._functions.get("hint")
        for node in ast.walk(function) if function is not None else ():
            if isinstance(node, ast.Return) and node.value is not None:
                texts = self._texts(node.value, function)
                yield Refusal(name, node.lineno, DifferenceError.code, ("<folder>: <check>: <line>",), texts)

    def _texts(self, node: ast.expr, scope: ast.AST | None, depth: int = 0) -> tuple[str, ...]:
        """Return the variants of a text."""
        if isinstance(node, ast.IfExp | ast.BoolOp):
            values = [node.body, node.orelse] if isinstance(node, ast.IfExp) else node.values
            if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And):
                values = node.values[-1:]  # the condition is no text
            return tuple(text for value in values for text in self._texts(value, scope, depth) if text)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return self._joined([node.left, node.right], scope, depth)
        if isinstance(node, ast.JoinedStr):
            parts = [each.value if isinstance(each, ast.FormattedValue) else each for each in node.values]
            return self._joined(parts, scope, depth)
        if isinstance(node, ast.Name) and depth < _DEEPEST:
            return self._named(node.id, scope, depth + 1)
        if isinstance(node, ast.Call):
            return self._called(node, scope, depth)
        return (_plain(node),)

    def _named(self, name: str, scope: ast.AST | None, depth: int) -> tuple[str, ...]:
        """Return what a name stands for: what its function assigns, else the module."""
        values = [*_assigned(scope, name), *self._constants.get(name, ())]
        texts = [text for value in values for text in self._texts(value, scope, depth)]
        return tuple(dict.fromkeys(texts))[:_MOST] or (f"<{name}>",)

    def _called(self, node: ast.Call, scope: ast.AST | None, depth: int) -> tuple[str, ...]:
        """Return what a call gives where that is a text: format, next_step, a function of the module or of names."""
        name = _short(node)
        if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Dict):  # {...}.get(key, other)
            return tuple(
                t for each in (*node.func.value.values, *node.args[1:]) for t in self._texts(each, scope, depth)
            )
        if name == "format" and isinstance(node.func, ast.Attribute):
            return self._texts(node.func.value, scope, depth + 1)
        if name == "next_step":
            return (*self._texts(node.args[1], scope, depth), "<what the cause says>")
        if "near" in name or name == "_one_of":
            return ("did you mean '<name>'? there is: <names>",)
        function = self._functions.get(name)
        if function is not None and depth < _DEEPEST:
            returned = [each.value for each in ast.walk(function) if isinstance(each, ast.Return) and each.value]
            texts = [text for value in returned for text in self._texts(value, function, depth + 1)]
            if texts := [text for text in dict.fromkeys(texts) if text and not re.fullmatch(r"(<\w+>)+", text)]:
                return tuple(texts[:_MOST])
        return (f"<{name}>",)

    def _joined(self, parts: Sequence[ast.expr], scope: ast.AST | None, depth: int) -> tuple[str, ...]:
        known = {*self._constants, *_written(scope)}
        variants = [self._texts(x, scope, depth) if _is_text(x, known) else (f"<{_short(x)}>",) for x in parts]
        return tuple(dict.fromkeys("".join(words) for words in itertools.islice(itertools.product(*variants), _MOST)))

    @cached_property
    def _functions(self) -> Mapping[str, ast.FunctionDef]:
        return {node.name: node for node in ast.walk(self._tree) if isinstance(node, ast.FunctionDef)}

    @cached_property
    def _constants(self) -> dict[str, list[ast.expr]]:
        """Return the values of the module's names, also of those that it imports from kit."""
        found: dict[str, list[ast.expr]] = {}
        for node in self._tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                found.setdefault(node.targets[0].id, []).append(node.value)
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(("kit.", "harness.")):
                path = self._root.parent / Path(*str(node.module).split(".")).with_suffix(".py")
                wanted = {alias.name for alias in node.names if alias.name.isupper()}
                if wanted and path.exists():
                    other = _module(path, self._root)._constants
                    found |= {name: other[name] for name in wanted if name in other}
        return found


def _spread(arguments: Sequence[ast.expr]) -> int:
    """Return how many arguments stand behind a star, less the star itself: a pair of texts of kit.build.checks."""
    return sum(isinstance(each, ast.Starred) for each in arguments)


def _own(hints: tuple[str, ...]) -> tuple[str, ...]:
    """Return the next steps without the one that another place gives, which has it in the list itself."""
    return tuple(hint for hint in hints if not re.fullmatch(r"<\w+>", hint)) or hints


def _calls(tree: ast.AST, scope: ast.AST | None = None) -> Iterator[tuple[ast.AST | None, ast.Call]]:
    """Yield every call with the function that it stands in."""
    for node in ast.iter_child_nodes(tree):
        inner = node if isinstance(node, ast.FunctionDef) else scope
        if isinstance(node, ast.Call):
            yield scope, node
        yield from _calls(node, inner)


def _code_of(kind: ast.expr) -> int:
    return KINDS[str(kind.value)].code if isinstance(kind, ast.Constant) and str(kind.value) in KINDS else 0


def _is_passed_on(node: ast.expr) -> bool:
    """Say whether a message is another error's, which is in the list where it is raised."""
    return isinstance(node, ast.Attribute) and node.attr == "message"


def _is_text(node: ast.expr, constants: Collection[str]) -> bool:
    """Say whether a part of a text is one itself: not a value that is put into it."""
    if isinstance(node, ast.Name):
        return node.id in constants
    return isinstance(node, ast.Constant | ast.IfExp | ast.BinOp | ast.JoinedStr)


def _written(scope: ast.AST | None) -> set[str]:
    """Return the names to which a function gives a text of its own, and nothing else."""
    given: dict[str, bool] = {}
    for node in ast.walk(scope) if scope is not None else ():
        if isinstance(node, ast.Assign):
            for name in (target.id for target in node.targets if isinstance(target, ast.Name)):
                given[name] = given.get(name, True) and isinstance(node.value, ast.Constant)
    return {name for name, text in given.items() if text}


def _assigned(scope: ast.AST | None, name: str) -> Iterator[ast.expr]:
    """Yield what a function assigns to a name."""
    for node in ast.walk(scope) if scope is not None else ():
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name) and target.id == name:
                    yield node.value
                elif isinstance(target, ast.Tuple):
                    for given in _tuples(scope, node.value):
                        pairs = zip(target.elts, given.elts, strict=False)
                        yield from (value for each, value in pairs if isinstance(each, ast.Name) and each.id == name)


def _tuples(scope: ast.AST | None, value: ast.expr) -> Iterator[ast.Tuple]:
    """Yield the tuples that a value may be: itself, or those of the dict that it is looked up in."""
    if isinstance(value, ast.Tuple):
        yield value
    elif isinstance(value, ast.Subscript) and isinstance(value.value, ast.Name):
        for node in ast.walk(scope) if scope is not None else ():
            if (
                isinstance(node, ast.Assign)
                and isinstance(node.value, ast.Dict)
                and _short(node.targets[0]) == (value.value.id)
            ):
                yield from (each for each in node.value.values if isinstance(each, ast.Tuple))


def _plain(node: ast.expr) -> str:
    """Return what a part is that no other stands for: its text, or a placeholder."""
    if isinstance(node, ast.Attribute) and node.attr == "hint":
        return PASSED_ON
    return str(node.value) if isinstance(node, ast.Constant) else f"<{_short(node)}>"


def _short(node: ast.expr) -> str:
    """Return a word for a value: the last name in its expression."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Call):
        joins = isinstance(node.func, ast.Attribute) and node.func.attr in {"join", "strip", "read", "get"}
        return _short(node.args[0]) if joins and node.args else _short(node.func)
    if isinstance(node, ast.Subscript):
        return _short(node.value)
    names = [each.id for each in ast.walk(node) if isinstance(each, ast.Name)]
    return names[-1] if names else "value"
