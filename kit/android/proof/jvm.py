"""Run a bundle's Kotlin and its golden test on the desktop's JVM, against the real LiteRT library.

What each output is, raw, is compared with what the bundle's own Python harness gives on the same runtime.
"""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kit.android.proof.kotlin_compiler import AS_OLDEST, DESKTOP, compile_kotlin, desktop_classpath, desktop_jar
from kit.android.proof.kotlin_sources import Bindings
from kit.android.proof.step import Notify
from kit.android.proof.tools import find_jar, find_java, kotlin
from kit.errors import CheckError, EngineError
from kit.lifetime.tied import tied
from kit.process import Command, run, tail
from kit.toolchains.toolchain import find_runtime
from kit.toolchains.venv import runtime_venv

if TYPE_CHECKING:
    import numpy as np

RUNTIME = "litert:2.3.0"  # the newest that is pinned: every API runs on it here
RUNNER = "Runner.kt"
RECORD = "Record.kt"  # how a runner writes what came
LIMIT = 600.0  # seconds for the tests of one bundle, which take a few: for a machine that is busy with much else
# Kernels are the same library's on both sides: floats may differ by what two orders of threads give, and no more.
FLOAT_TOLERANCE = 1e-6  # of the largest value of an output, at least of 1
_JVM = ["-Xshare:auto", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-CreateCoredumpOnCrash"]


# As a library of an app: what is public says so, with its type, and older compilers read the classes.
AS_LIBRARY = ("-Xexplicit-api=strict", *AS_OLDEST)


@dataclass(frozen=True)
class Compiled:
    """Folders of compiled classes: the app's, and the tests' with what runs them."""

    main: Path
    tests: Path


_PROVE = "build the bundle again on this machine, and prove it again: `kit android BUNDLE`"


def compile_bindings(bindings: Bindings, scratch: Path, notify: Notify, runners: Sequence[str] = (RUNNER,)) -> Compiled:
    """Compile a bundle's sources and its golden test with warnings as errors. Raises CheckError.

    runners: the files of kit/android/desktop/runner whose main functions are run later.
    """
    classpath = desktop_classpath(notify)
    compiled = Compiled(scratch / "main", scratch / "tests")
    compile_kotlin(bindings.sources, classpath, compiled.main, notify, module=bindings.module, options=AS_LIBRARY)
    names = {"BUNDLE_PACKAGE": bindings.package, "BUNDLE_MODEL": bindings.model, "BUNDLE_TEST": bindings.test}
    files = (RECORD, *runners)
    for runner in files:
        text = (DESKTOP / "runner" / runner).read_text("utf-8")
        for word, name in names.items():
            text = text.replace(word, name)
        (scratch / runner).write_text(text, "utf-8")
    compile_kotlin(
        [*bindings.tests, *(scratch / runner for runner in files)],
        [compiled.main, *classpath],
        compiled.tests,
        notify,
        module=bindings.module,
        options=[f"-Xfriend-paths={compiled.main}"],  # the tests see what is internal
    )
    return compiled


def runtime_properties(notify: Notify) -> list[str]:
    """Return what tells a JVM where the pinned runtime is: its C library for CompiledModel, its Python for Interpreter.

    Raises EngineError where its wheel has no libLiteRt.
    """
    runtime = find_runtime(RUNTIME)
    python = runtime_venv(runtime, runtime.lock(images=False), notify)
    library = next(iter(sorted(python.parent.parent.rglob("libLiteRt.*"))), None)
    if library is None:
        raise EngineError(f"{RUNTIME} has no libLiteRt on this machine", "run the proof on Linux")
    host = DESKTOP / "interpreter_host.py"
    return [f"-Ddropkit.litert={library}", f"-Ddropkit.python={python}", f"-Ddropkit.interpreter={host}"]


def run_golden(
    compiled: Compiled, assets: Sequence[Path], scratch: Path, notify: Notify, *, deflated: Sequence[str] = ()
) -> tuple[int, list[tuple[str, int, bytes]]]:
    """Run the golden test; return how many tests ran and every raw output as (section, vector, bytes).

    `deflated` are asset names that cannot be opened as a descriptor. Raises CheckError with the first failure.
    """
    record, log = scratch / "outputs.bin", scratch / "jvm.log"
    for old in (record, scratch / "crash.log"):
        old.unlink(missing_ok=True)
    lines: list[str] = []
    properties = [*runtime_properties(notify), f"-Ddropkit.deflated={os.pathsep.join(deflated)}"]
    argv = [*java_argv(compiled, scratch, assets, notify, properties), "dropkit.proof.RunnerKt", str(record)]
    ended = run(Command(argv, java_environment(), scratch), log=log, on_line=lines.append, timeout=LIMIT)
    reported = next((line for line in lines if line.startswith("tests ")), "")
    failed = [line.removeprefix("failure ") for line in lines if line.startswith("failure ")]
    if ended.status == 4 and failed:
        raise CheckError("\n  ".join(failed[:4]), _PROVE)
    if ended.status or not reported:
        crash = crash_of(scratch / "crash.log")
        how = f"crashed: {crash}" if crash else f"ended: {ended.cause}"
        raise CheckError(
            f"the JVM {how}\n  {tail(log, 8)}", "run `kit doctor`; where the Java is sound, build the bundle again"
        )
    count = int(reported.split()[1])
    if count == 0:
        raise CheckError("the golden test holds no test", "build the bundle again")
    return count, read_record(record)


def java_argv(
    compiled: Compiled, scratch: Path, assets: Sequence[Path], notify: Notify, properties: Sequence[str]
) -> list[str]:
    """Return the command that starts a JVM with compiled classes, up to the name of the class that it runs."""
    tool = kotlin(notify)
    jars = [desktop_jar(notify), *map(find_jar, ("junit", "hamcrest", "jna")), tool.stdlib, tool.coroutines]
    return [
        *(str(find_java()), *_JVM, f"-XX:ErrorFile={scratch / 'crash.log'}", f"-Djava.io.tmpdir={scratch}"),
        *("-cp", os.pathsep.join(map(str, [compiled.tests, compiled.main, *jars]))),
        *properties,
        f"-Ddropkit.assets={os.pathsep.join(map(str, assets))}",
    ]


def java_environment() -> dict[str, str]:
    """Return this environment without what would change how a JVM starts."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("JAVA_TOOL", "_JAVA"))}


def crash_of(report: Path) -> str:
    """Return the signal and where it came from, as the JVM's own report has them; "" where there is none."""
    text = report.read_text("utf-8", "replace") if report.exists() else ""
    signal = re.search(r"# +(SIG\w+)", text)
    frame = re.search(r"# Problematic frame:\n# (.*)", text)
    return (
        f"{signal[1] if signal else 'a fault'} in {frame[1].strip() if frame else 'an unknown place'}" if text else ""
    )


def read_record(path: Path) -> list[tuple[str, int, bytes]]:
    """Return every raw output that a runner wrote, as (section, vector, bytes)."""
    content, place, found = path.read_bytes(), 0, []
    while place < len(content):
        vector, size = struct.unpack_from(">ii", content, place)
        name = content[place + 8 : place + 8 + size].decode()
        place += 8 + size
        (size,) = struct.unpack_from(">i", content, place)
        found.append((name, vector, content[place + 4 : place + 4 + size]))
        place += 4 + size
    return found


def harness_outputs(bundle: Path, scratch: Path, notify: Notify) -> dict[str, np.ndarray]:
    """Return the outputs of the bundle's own harness by golden.bin's section names: [calls, *shape of one call], raw.

    Raises EngineError where it cannot run.
    """
    import numpy as np

    runtime = find_runtime(RUNTIME)
    python = runtime_venv(runtime, runtime.lock(images=False), notify)
    out = scratch / "harness.npz"
    # The interpreter must not leave its cache in the bundle, nor run one that came with it instead of the files there.
    cache = f"pycache_prefix={scratch / 'pycache'}"
    argv = [str(python), "-B", "-X", cache, str(DESKTOP / "harness_outputs.py"), str(bundle), str(out)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(tied(argv), capture_output=True, text=True, check=False, env=environment, timeout=LIMIT)
    if done.returncode or not out.exists():
        raise EngineError(f"the bundle's harness does not run:\n  {done.stderr.strip()[-600:]}", "run `kit doctor`")
    with np.load(out, allow_pickle=False) as arrays:
        return {str(name): arrays[f"arr_{index}"] for index, name in enumerate(arrays["names"])}


def compare_outputs(recorded: Sequence[tuple[str, int, bytes]], harness: Mapping[str, np.ndarray]) -> str:
    """Return in words how near the JVM's outputs are to the harness's. Raises CheckError where they are not.

    Integers must be equal; floats may differ by FLOAT_TOLERANCE.

    recorded: (section, number of the call, the output's raw bytes); harness: as harness_outputs has it,
    [calls, *shape of one call].
    """
    import numpy as np

    worst, missing = 0.0, {(name, index) for name, array in harness.items() for index in range(len(array))}
    for name, vector, raw in recorded:
        if name not in harness or vector >= len(harness[name]):
            continue
        wanted = harness[name][vector]
        missing.discard((name, vector))
        if len(raw) != wanted.nbytes:
            raise CheckError(
                f"{name}, vector {vector}: {len(raw)} bytes on the JVM, {wanted.nbytes} in the harness", _PROVE
            )
        given = np.frombuffer(raw, wanted.dtype).reshape(wanted.shape)
        if wanted.dtype.kind != "f":
            if not np.array_equal(given, wanted):
                off = np.abs(given.astype(np.int64) - wanted.astype(np.int64)).max()
                raise CheckError(f"{name}, vector {vector}: the JVM is {off} steps off the Python harness", _PROVE)
            continue
        scale = max(1.0, float(np.nanmax(np.abs(wanted))) if wanted.size else 1.0)
        off_by = np.where(given == wanted, 0.0, np.abs(given.astype(np.float64) - wanted)) / scale
        off_by = np.where(np.isnan(given) & np.isnan(wanted), 0.0, off_by)
        if off_by.size and not off_by.max() <= FLOAT_TOLERANCE:
            raise CheckError(f"{name}, vector {vector}: the JVM is {off_by.max():.3g} off the Python harness", _PROVE)
        worst = max(worst, float(off_by.max()) if off_by.size else 0.0)
    if missing:
        name, vector = min(missing)
        raise CheckError(
            f"{name}, vector {vector}: the self-test gave no such output on the JVM ({len(missing)} in all)", _PROVE
        )
    total = sum(len(array) for array in harness.values())
    return f"{total} outputs as in the Python harness" + (f", floats within {worst:.1g}" if worst else ", bit for bit")


def fresh(folder: Path) -> Path:
    """Return the folder, empty."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
