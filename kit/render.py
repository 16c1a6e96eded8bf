"""Templates to files. Knows Jinja and how each target language escapes; nothing of what the values mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import jinja2

Filters = Mapping[str, Callable[..., str]]


def render_tree(name: str, values: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the files of templates/<name>/ by relative path: a .j2 rendered, without that ending; any other as it is.

    Raises jinja2.UndefinedError where a template wants a value that is not there.
    """
    root = templates() / name
    files = {}
    for source in sorted(path for path in root.rglob("*") if path.is_file()):
        place = source.relative_to(root)
        # Python leaves its cache beside what it imports or installs.
        if "__pycache__" in place.parts:
            continue
        if source.suffix == ".j2":
            template = _environment(frozenset()).get_template(source.relative_to(templates()).as_posix())
            files[place.with_suffix("").as_posix()] = template.render(values).encode()
        else:
            files[place.as_posix()] = source.read_bytes()
    return files


def render_text(name: str, values: Mapping[str, Any], filters: Filters | None = None) -> str:
    """Return the text of templates/<name>. In a .html.j2 or .svg.j2 every value is escaped.

    filters are a target language's own; with them, a line that holds a tag alone leaves no line behind.
    Raises jinja2.UndefinedError where the template wants a value that is not there.
    """
    return _environment(frozenset((filters or {}).items())).get_template(name).render(values)


def compile_ahead(names: Sequence[str], filters: Filters | None = None) -> None:
    """Begin to compile templates that render_text will want with the same filters, while something else runs."""

    def compile_each() -> None:
        """Compile them; what is wrong with one, render_text says."""
        with suppress(Exception):
            for name in names:
                _environment(frozenset((filters or {}).items())).get_template(name)

    Thread(target=compile_each, daemon=True).start()


def templates() -> Path:
    """Return the folder of templates: inside the installed package, or beside it in a checkout."""
    inside = Path(__file__).parent / "templates"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "templates"


@cache
def _environment(filters: frozenset[tuple[str, Callable[..., str]]]) -> jinja2.Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates()),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=bool(filters),
        lstrip_blocks=bool(filters),
        autoescape=jinja2.select_autoescape(enabled_extensions=("html.j2", "svg.j2"), default=False),
    )
    environment.filters |= {"py": repr} | dict(filters)
    return environment
