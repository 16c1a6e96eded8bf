"""Choose an engine, give it a job, and turn its end into a result or an error. Knows no model and no container."""

from __future__ import annotations

import json
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

from kit.bounded import MOST_JSON, open_zip, read_bounded
from kit.container.client import probe
from kit.engine.base import Engine, JobFolder, Limits, too_large
from kit.engine.death import Trail, death
from kit.engine.docker import DockerEngine
from kit.engine.local import LocalEngine
from kit.engine.logs import keep_log
from kit.errors import KINDS, EngineError, ModelError, RecipeError
from kit.files import is_full, temporary_folder, temporary_full
from kit.process import Exit, tail
from kit.progress import Reporter
from kit.shared.job import JOB, RESULT, Job, Refusal, Result, dump, load_result
from kit.toolchains.toolchain import Toolchain

if TYPE_CHECKING:
    import numpy as np

KIT = Path(__file__).parent.parent


def choose_engine(request: str, notify: Callable[[str], None]) -> Engine:
    """Return the engine "docker", "local", or "auto": docker where one responds. Says which and why in one line."""
    if request == "local":
        return LocalEngine()
    if request not in {"auto", "docker"}:
        raise RecipeError(f"--engine {request!r} is unknown", "there is: auto, docker, local")
    found = probe()
    if not isinstance(found, str):
        notify(f"engine: docker, because {found.version().get('Version', 'one of unknown version')} responds")
        return DockerEngine(found)
    if request == "docker":
        raise EngineError(found, "start a Docker engine, or build with --engine local")
    notify(f"engine: local, because {found}")
    return LocalEngine()


@dataclass(frozen=True)
class Order:
    """A job with all that it needs, by its name in the job's folder: files and folders, and .npz files as arrays."""

    name: str
    toolchain: Toolchain
    job: Job
    files: Mapping[str, Path]
    arrays: Mapping[str, Mapping[str, np.ndarray]]


@contextmanager
def run_job(engine: Engine, order: Order, limits: Limits, reporter: Reporter) -> Iterator[tuple[Result, JobFolder]]:
    """Run the job and give its result with its folder, which is gone after the block.

    Raises the error that the worker named, or where the process died ModelError with the stage, layer and cause.
    """
    # By toolchain, too: the builds of a matrix run side by side.
    name = f"{order.name}-{order.toolchain.tensorflow}"
    with temporary_folder("dropkit-job-") as root:
        folder = JobFolder(root / "in", root / "out", root / "worker.log")
        _lay_out(folder, order)
        trail = Trail()
        try:
            ended = engine.run(order.toolchain, folder, limits, lambda line: _pass_on(line, reporter, trail))
        finally:
            if folder.log.exists():
                folder = replace(folder, log=keep_log(folder.log, name))
        try:
            result = _outcome(folder, ended, engine, trail)
        except ModelError:
            _refuse_full(folder)
            raise
        yield result, folder


def _lay_out(folder: JobFolder, order: Order) -> None:
    lay_out(folder, order.files, order.arrays, {JOB: dump(order.job)})


def lay_out(
    folder: JobFolder,
    files: Mapping[str, Path],
    arrays: Mapping[str, Mapping[str, np.ndarray]],
    texts: Mapping[str, str],
    code: Sequence[str] = ("shared", "trust", "worker"),
) -> None:
    """Write a job's folder: its code, and by their names files, .npz files and texts.

    arrays: [N, ...] of any dtype; code: the packages of kit that it runs.
    """
    from kit.shared.npz import save_npz

    folder.out.mkdir()
    place = folder.inputs / "code" / "kit"
    for name in code:
        shutil.copytree(KIT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(KIT / "__init__.py", place / "__init__.py")
    for name, path in files.items():
        copy = shutil.copytree if path.is_dir() else shutil.copyfile
        copy(path, folder.inputs / name)
    for name, content in arrays.items():
        save_npz(folder.inputs / name, content)
    for name, text in texts.items():
        (folder.inputs / name).write_text(text, "utf-8")
    for path in (folder.inputs, *folder.inputs.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)  # another user reads it in the container, whatever our umask


def _pass_on(line: str, reporter: Reporter, trail: Trail) -> None:
    """Give a line of the worker's progress to the reporter and the trail. A line that is none of it is no harm."""
    with suppress(ValueError, AttributeError, KeyError, TypeError):
        event = json.loads(line)
        trail.note(event)
        if "stage" in event:
            reporter.stage(event["stage"])
        elif "done" in event:
            reporter.advance(event["done"], event["total"])


def _outcome(folder: JobFolder, ended: Exit, engine: Engine, trail: Trail) -> Result:
    refuse_links(folder.out)
    if ended.too_large or too_large(folder.out):
        raise death(folder.log, replace(ended, too_large=True), engine.name, trail)
    try:
        result = load_result(read_bounded(folder.out / RESULT, MOST_JSON).decode("utf-8"))
        for archive in folder.out.glob("*.npz"):
            open_zip(archive).close()
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, BadZipFile):
        raise death(folder.log, ended, engine.name, trail) from None
    if ended.status != 0:
        raise death(folder.log, ended, engine.name, trail)
    if isinstance(result, Refusal):
        raise KINDS.get(str(result.kind), ModelError)(str(result.message), str(result.hint))
    return result


def _refuse_full(folder: JobFolder) -> None:
    """Blame the disk and not the model, where a job had no room for its files."""
    if is_full(folder.out) or "No space left on device" in tail(folder.log, 30):
        raise temporary_full("the disk is full")


def refuse_links(out: Path) -> None:
    """Refuse a job folder with anything but plain files: code in a model could make us read what a link points at."""
    strange = [path.name for path in out.iterdir() if not stat.S_ISREG(path.lstat().st_mode)]
    if strange:
        raise ModelError(
            f"the conversion left something other than plain files: {strange[0]}",
            "the model carries code that tries to reach out of its folder: do not use it",
        )
