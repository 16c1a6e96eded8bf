"""What a Gradle build script says, in Kotlin or in Groovy, read as text: plugins, blocks, values. Runs nothing of it.

Comments do not count, and strings are no code. What a script computes cannot be seen; who asks says what follows then.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kit.bounded import read_bounded

MOST_SCRIPT = 1 << 18  # bytes
_KOTLIN = (".kt", ".kts")
_TOKEN = re.compile(
    r'"""(?:.*?)(?:"""|\Z)|\'\'\'.*?(?:\'\'\'|\Z)|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|//[^\n]*|/\*', re.S
)
_TEXT = r"""["'](?P<text>[^"'\n$]+)["']"""
_CATALOG = r"(?P<alias>[A-Za-z_]\w*\.plugins(?:\.\w+)+)"
_FOUND = r"""\w+\.findPlugin\(\s*["'](?P<found>[\w.\-]+)["']\)"""
_CONSTANT = r"(?P<constant>[A-Z]\w*(?:\.\w+)*\.[A-Za-z]\w*)"
_CLASS = r"(?:[a-z][\w.]*\.)?(?P<cls>[A-Z]\w*)"
_WHAT = rf"(?:{_TEXT}|{_FOUND}|{_CATALOG}|{_CONSTANT}|{_CLASS})"
_TAIL = r"(?P<tail>(?:[^\n;]|\n\s*(?=\.|version\b|apply\b))*)"  # of the same statement
_IN_BLOCK = re.compile(rf"\b(?P<call>id|alias|kotlin)\s*+\(?\s*+{_WHAT}{_TAIL}")
_BY_NAME = re.compile(r"^[ \t]*(?:`(?P<quoted>[\w.\-]+)`|(?P<dotted>[a-z]\w*(?:\.\w+)+))[ \t]*;?[ \t\r]*$", re.M)
_APPLY = re.compile(
    rf"\b(?:apply\s*+\(?\s*+plugin\s*[:=]|apply\s*[(<]|(?:plugins|pluginManager)\s*\.\s*apply\s|plugin\s*\()\s*{_WHAT}"
)
_SCRIPT = re.compile(r"""\bapply\s*+\(?\s*+from\s*[:=]\s*(?P<where>[^\n]{0,200}?)["'](?P<path>[^"'\n]{1,300})["']""")
_CLASSES = {
    "AppPlugin": "com.android.application",
    "LibraryPlugin": "com.android.library",
    "DynamicFeaturePlugin": "com.android.dynamic-feature",
}
_SHORT = {  # names of before plugins had long ones
    "android": "com.android.application",
    "android-library": "com.android.library",
    "kotlin-android": "org.jetbrains.kotlin.android",
}


@dataclass(frozen=True)
class Script:
    """A build script, or a class of build logic. `code` is its text with blanks for comments: places are the same."""

    path: Path
    text: str
    code: str


@dataclass(frozen=True)
class Applied:
    """What a script applies: plugins by id, by alias ("libs.plugins.android", "android" of findPlugin), and so on."""

    ids: frozenset[str]
    aliases: frozenset[str]
    classes: frozenset[str]
    constants: frozenset[str]  # "Plugins.ANDROID"
    scripts: tuple[str, ...]  # `apply from`, as the script writes the path


def read_script(path: Path) -> Script | None:
    """Return a script; None where there is none, or none that can be read."""
    try:
        text = read_bounded(path, MOST_SCRIPT).decode("utf-8", "replace")
    except OSError:
        return None
    return Script(path, text, code_of(text, nested=path.suffix in _KOTLIN))


def code_of(text: str, *, nested: bool = True) -> str:
    """Return a text with blanks for its comments; every other character stays where it is. nested: as in Kotlin."""
    parts, place = [], 0
    while found := _TOKEN.search(text, place):
        end = found.end()
        if found[0] == "/*":
            end = _comment_end(text, end, nested=nested)
        is_comment = found[0].startswith(("//", "/*"))
        parts += [text[place : found.start()], _blank(text[found.start() : end]) if is_comment else found[0]]
        place = end
    return "".join(parts) + text[place:]


def _comment_end(text: str, place: int, *, nested: bool) -> int:
    depth = 1
    for found in re.finditer(r"/\*|\*/", text[place:]):
        depth += (1 if nested else 0) if found[0] == "/*" else -1
        if depth == 0:
            return place + found.end()
    return len(text)


def _blank(text: str) -> str:
    return re.sub(r"[^\n]", " ", text)


def blocks(code: str, name: str) -> Iterator[tuple[int, int]]:
    """Yield where the body of each block `name { ... }` begins and ends; `name` is a pattern."""
    bare = _TOKEN.sub(lambda found: found[0][0] + _blank(found[0][1:]), code)
    ends = _ends(bare)
    for found in re.finditer(rf"(?<![\w.`])(?:{name})\s*+(?:\([^(){{}}\n]*\)\s*+)?\{{", bare):
        if found.end() in ends:
            yield found.end(), ends[found.end()]


def _ends(bare: str) -> dict[int, int]:
    """Return where each block ends, by where its body begins."""
    ends, opened = {}, []
    for brace in re.finditer(r"[{}]", bare):
        if brace[0] == "{":
            opened.append(brace.end())
        elif opened:
            ends[opened.pop()] = brace.start()
    return ends


def within(code: str, name: str) -> str:
    """Return the bodies of all blocks of a name."""
    return "\n".join(code[start:end] for start, end in blocks(code, name))


def without(code: str, *names: str) -> str:
    """Return a code with blanks for the bodies of such blocks."""
    for start, end in blocks(code, "|".join(names)):
        code = code[:start] + _blank(code[start:end]) + code[end:]
    return code


def applied(code: str) -> Applied:
    """Return what a script applies. `apply false` applies nothing; a condition around it is not looked at."""
    plugins = within(code, "plugins")
    names = [found[0] or found[1] for found in _BY_NAME.findall(plugins)]
    found = [(match, match["call"]) for match in _IN_BLOCK.finditer(plugins) if not _is_put_off(match["tail"])]
    found += [(match, "") for match in _APPLY.finditer(without(code, "plugins", "buildscript"))]
    ids = {_id(match["text"], call) for match, call in found if match["text"]}
    aliases = {_alias(match["alias"] or match["found"]) for match, _ in found if match["alias"] or match["found"]}
    classes = {match["cls"] for match, _ in found if match["cls"]}
    ids |= {_CLASSES[name] for name in classes & _CLASSES.keys()}
    scripts = tuple(match["where"] + match["path"] for match in _SCRIPT.finditer(code))
    constants = frozenset(match["constant"] for match, _ in found if match["constant"])
    own = frozenset(classes - _CLASSES.keys())
    return Applied(frozenset(ids | {*names}), frozenset(aliases), own, constants, scripts)


def _is_put_off(tail: str) -> bool:
    return re.search(r"\bapply\s*+\(?\s*+false", tail) is not None


def _id(text: str, call: str) -> str:
    return f"org.jetbrains.kotlin.{text}" if call == "kotlin" else _SHORT.get(text, text)


def _alias(text: str) -> str:
    """Return an alias without what reads its value: libs.plugins.x.get().pluginId."""
    return re.sub(r"\.(get|asProvider)$|\.(get|asProvider)\b.*", "", text)


def line_of(text: str, place: int) -> int:
    """Return the number of the line, from 1, at a place in a text."""
    return text.count("\n", 0, place) + 1
