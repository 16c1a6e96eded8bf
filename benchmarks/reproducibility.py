"""Build the same recipes under one changed circumstance after another, and say whether the bytes are the same.

Run as `inv bench --reproducibility`: it writes the table into docs/reproducibility.md. With --tensorflow V it prints
the table of another version. A circumstance that this machine cannot make says what is missing.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import arm64
from benchmarks.page_part import PagePart
from benchmarks.quantizer_bytes import SLOW, Circumstance, quantizer_rows
from kit.build.convert import Data, convert
from kit.build.plan import make_plan
from kit.build.samples import representative
from kit.build.trial import run_trial
from kit.build.write_bundle import Parts
from kit.container.client import probe
from kit.emulation.scripts import Scripts
from kit.engine import choose_engine
from kit.engine.base import WORKER, Engine, JobFolder, Limits, worker_env
from kit.engine.local import local_argv
from kit.files import cache_dir, sha256_file
from kit.process import Command, Exit, run
from kit.progress import Reporter
from kit.recipe.load import load_recipe
from kit.shared.npz import save_npz
from kit.toolchains.toolchain import Packages, find_toolchain
from kit.toolchains.venv import packages_venv, toolchain_venv

ROOT = Path(__file__).parent.parent
PART = PagePart(
    ROOT / "docs" / "reproducibility.md", "<!-- table: inv bench --reproducibility -->", "<!-- table end -->"
)
VERSION = "2.19.1"
SCHEMES = ("float32", "dynamic", "int8")
NOBODY = 65534


@dataclass(frozen=True)
class Case:
    """One model to be built in one scheme. `recipe` is in a folder that holds all that it needs."""

    model: str
    scheme: str
    recipe: Path


@dataclass(frozen=True)
class Made:
    """What a build made, as sha256."""

    model: str
    golden: str


@dataclass(frozen=True)
class Row:
    """A circumstance. `build` makes a case in a fresh folder; `missing` says why it cannot, where it cannot."""

    name: str
    build: Callable[[Case, Path], Made]
    missing: str = ""


@dataclass(frozen=True)
class Under:
    """The local engine with each worker started by another command, or with more in its environment."""

    before: Callable[[Path], list[str]] = lambda python: [str(python)]
    extra: Mapping[str, str] | None = None
    name: str = "local"
    isolated: bool = False

    def prepare(self, packages: Packages, notify: Callable[[str], None]) -> None:
        """Make the venv, once."""
        packages_venv(packages, notify)

    def run(
        self, packages: Packages, job: JobFolder, limits: Limits, on_line: Callable[[str], None], module: str = WORKER
    ) -> Exit:
        """Run one job."""
        python = packages_venv(packages, on_line)
        with TemporaryDirectory() as home:
            env = {**worker_env(str(job.inputs / "code")), "HOME": home, "TMPDIR": home, **(self.extra or {})}
            argv = [*self.before(python), *local_argv(python, job, module)[1:]]
            return run(Command(argv, env, Path(home)), log=job.log, on_line=on_line, timeout=limits.seconds)


def rows() -> list[Row]:
    """Return the circumstances, each with what this machine lacks for it."""
    return [
        Row("built a second time", by_command()),
        Row("in a container", by_command("--engine", "docker"), _no_docker()),
        Row("by another user", by_nobody, _no_other_user()),
        Row("recipe and --out in folders with a space and ö, 模", elsewhere),
        Row("on one core", by_command(before=("taskset", "-c", _core())), _without("taskset")),
        Row("four years later", as_worker(Under(extra=_later())), "" if _faketime() else "libfaketime"),
        Row("other locale, time zone, hash seed, umask", by_command(env=STRANGE, before=("sh", "-c", STRICT, "sh"))),
        *(Row(f"CPU type {cpu}", as_worker(Under(emulated(cpu))), qemu_missing()) for cpu in CPUS),
        *(Row(f"aarch64, CPU type {cpu}", as_worker(arm64.Arm64(cpu)), arm64.missing()) for cpu in arm64.CPUS),
    ]


def circumstances() -> list[Circumstance]:
    """Return those of LiteRT's quantizer, whose jobs alone are changed."""
    docker = _no_docker()
    return [
        Circumstance("made a second time", Under()),
        Circumstance("in a container", Under() if docker else choose_engine("docker", print), docker),
        Circumstance("on one core", Under(lambda python: ["taskset", "-c", _core(), str(python)]), _without("taskset")),
        Circumstance("four years later", Under(extra=_later()), "" if _faketime() else "libfaketime"),
        Circumstance(
            "other locale, time zone, hash seed, umask",
            Under(lambda python: ["sh", "-c", STRICT, "sh", str(python)], STRANGE),
        ),
        *(Circumstance(f"CPU type {cpu}", Under(emulated(cpu)), qemu_missing()) for cpu in CPUS),
        *(Circumstance(f"aarch64, CPU type {cpu}", arm64.Arm64(cpu), arm64.missing()) for cpu in arm64.CPUS),
    ]


CPUS = ("SandyBridge", "Haswell", "max")
STRANGE = {"LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8", "TZ": "Pacific/Kiritimati", "PYTHONHASHSEED": "12345"}
STRICT = 'umask 077; exec "$@"'
# CLOSED OPEN COMMAND...: what is in the one folder lies in the other, and that in the first one's place.
OPENED = """
set -e
closed=$1; open=$2; shift 2
mount -t tmpfs -o mode=755 tmpfs "$open"
(
  cd "$closed"
  for name in .[!.]* *; do
    [ -e "$name" ] || continue
    if [ -d "$name" ]; then mkdir "$open/$name"; else : > "$open/$name"; fi
    mount --rbind "$name" "$open/$name"
  done
)
mount --rbind "$open" "$closed"
exec "$@"
"""


def by_command(
    *arguments: str, before: tuple[str, ...] = (), env: Mapping[str, str] | None = None
) -> Callable[[Case, Path], Made]:
    """Return a build by the command line, in the local engine unless the arguments name one."""

    def build(case: Case, folder: Path) -> Made:
        engine = arguments or ("--engine", "local")
        argv = [*before, sys.executable, "-m", "kit", "build", str(case.recipe), *engine, "--out", str(folder)]
        done = subprocess.run(argv, cwd=ROOT, env={**os.environ, **(env or {})}, capture_output=True, check=False)
        if done.returncode:
            raise SystemExit(f"{' '.join(argv)}\n{done.stderr.decode(errors='replace')}")
        bundle = folder / case.model
        return _made(bundle / "src" / "main" / "assets" / case.model / "model.tflite", bundle / "emulate")

    return build


def elsewhere(case: Case, folder: Path) -> Made:
    """Build a copy of the recipe's folder, both ends at a path that a careless program trips over."""
    place = folder / "mein größtes 模型"
    shutil.copytree(case.recipe.parent, place / "quelle ö")
    return by_command()(Case(case.model, case.scheme, place / "quelle ö" / "recipe.toml"), place / "ziel ß")


def by_nobody(case: Case, folder: Path) -> Made:
    """Build as a user who sees our home folder, and writes nothing of ours.

    The home, with the Pythons and the cache in it, is closed to others: in mounts of the build's own it is open. To
    lift that by a capability is not enough: the walls around the worker take it away.
    """
    cache, home = folder / "cache", folder / "home"
    for path in (cache, home):
        path.mkdir()
    (cache / "venvs").symlink_to(cache_dir() / "venvs")
    for path in (folder, cache):
        os.chown(path, NOBODY, NOBODY)
    before = ["unshare", "--mount", "sh", "-c", OPENED, "sh", str(Path.home()), str(home)]
    before += ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    return by_command(before=tuple(before), env={"DROPKIT_CACHE": str(cache), "HOME": str(folder)})(
        case, folder / "out"
    )


def as_worker(engine: Engine) -> Callable[[Case, Path], Made]:
    """Return a build that gives the worker alone to an engine of ours: what is changed reaches it, too."""

    def build(case: Case, folder: Path) -> Made:
        recipe = load_recipe(case.recipe)
        plan = make_plan(recipe, "")
        data = Data(representative(recipe, plan.sources[0], folder), None)
        with convert(plan, engine, data, SLOW, Reporter(quiet=True)) as (result, job):
            # As a bundle has both, which the other rows compare: run on the app's runtime, here as everywhere.
            parts = Parts.of(plan, result, job, {})
            judged, _predictions = run_trial(parts, print, Scripts())
        (folder / "model.tflite").write_bytes(parts.model)
        save_npz(folder / "golden.npz", judged.golden)
        return _made(folder / "model.tflite", folder)

    return build


def _made(model: Path, golden: Path) -> Made:
    return Made(sha256_file(model), sha256_file(golden / "golden.npz"))


def _no_other_user() -> str:
    root = os.geteuid() == 0 and shutil.which("setpriv") and shutil.which("unshare")
    return "" if root else "root, setpriv and unshare"


def _core() -> str:
    return str(min(os.sched_getaffinity(0)))


def _without(program: str) -> str:
    return "" if shutil.which(program) else program


def _no_docker() -> str:
    found = probe()
    return found if isinstance(found, str) else ""


def _faketime() -> str:
    return next((str(path) for path in sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), "")


def _later() -> dict[str, str]:
    return {"LD_PRELOAD": _faketime(), "FAKETIME": "+1461d", "DONT_FAKE_MONOTONIC": "1"}


def qemu() -> str:
    """Return the emulator's path, "" where there is none."""
    return os.environ.get("DROPKIT_QEMU") or shutil.which("qemu-x86_64") or ""


def qemu_missing() -> str:
    """Return what this machine lacks to emulate a type of x86-64 CPU, "" where it lacks nothing."""
    if not qemu():
        return "qemu-x86_64, 10 or newer, on the path or in $DROPKIT_QEMU"
    printed = subprocess.run([qemu(), "--version"], capture_output=True, text=True, check=True).stdout
    version = printed.split("version ")[1].split()[0]
    return "" if int(version.split(".")[0]) >= 10 else f"qemu-x86_64 10 or newer; here is {version}"


def emulated(cpu: str) -> Callable[[Path], list[str]]:
    """Return what starts a Python on a type of CPU."""
    # -0: by its own name in the venv Python finds the venv; the emulator itself follows no link of the kernel's.
    return lambda python: [qemu(), "-0", str(python), "-cpu", cpu, str(python.resolve())]


def cases(folder: Path, version: str) -> list[Case]:
    """Write the models, samples and recipes into folder."""
    python = toolchain_venv(find_toolchain(version), print)
    env = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1"}
    subprocess.run([str(python), str(Path(__file__).parent / "seeded.py"), str(folder)], env=env, check=True)
    digits = digits_cases(folder, version)
    return digits + [
        _case(folder / model, scheme, version) for model in ("mobilenet", "attention") for scheme in SCHEMES
    ]


def digits_cases(folder: Path, version: str, model: str = "digits.keras") -> list[Case]:
    """Write the example's model, samples and recipes into folder. model: its file of another Keras."""
    digits = folder / "digits"
    digits.mkdir(parents=True)
    shutil.copyfile(ROOT / "examples" / "digits" / model, digits / "model.keras")
    shutil.copyfile(ROOT / "examples" / "digits" / "samples.npz", digits / "samples.npz")
    return [_case(digits, scheme, version) for scheme in SCHEMES]


def _case(model: Path, scheme: str, version: str) -> Case:
    folder = model.with_name(f"{model.name}-{scheme}")
    shutil.copytree(model, folder)
    lines = ["[model]", "path = 'model.keras'", f"id = '{model.name}'", "[toolchain]", f"tensorflow = '{version}'"]
    lines += ["[quantize]", f"scheme = '{scheme}'"]
    if scheme == "int8":
        lines += ["representative = 'samples.npz'", "count = 16"]
    if model.name == "digits":
        lines += ["[[inputs]]", "name = 'image'", "kind = 'image'", "mean = [0.0]", "std = [255.0]"]
    (folder / "recipe.toml").write_text("\n".join(lines) + "\n", "utf-8")
    return Case(model.name, scheme, folder / "recipe.toml")


def measure(version: str) -> str:
    """Build everything and return the table, in Markdown. Says each result as it comes."""
    with TemporaryDirectory(prefix="dropkit-bench-") as root:
        folder = Path(root)
        folder.chmod(0o755)
        if not folder.parent.stat().st_mode & 0o001:  # a run's own, closed to others
            folder.parent.chmod(0o711)
        work = cases(folder / "cases", version)
        first = {case: by_command()(case, fresh(folder)) for case in work}
        names = list(dict.fromkeys(case.model for case in work))
        recipes = {case.model: case.recipe for case in work if case.scheme == "int8"}
        litert = list(quantizer_rows(recipes, Under(), circumstances(), fresh(folder)))
        lines = [f"| TensorFlow {version} | {' | '.join(names)} | golden.npz |", "|---|" + "---|" * (len(names) + 1)]
        for row in rows():
            if row.missing:
                lines.append(f"| {row.name} | not run here: needs {row.missing} |" + " |" * len(names))
                print(lines[-1], flush=True)
                continue
            again = {case: row.build(case, fresh(folder)) for case in work}
            cells = [_count([again[c].model == first[c].model for c in work if c.model == name]) for name in names]
            cells.append(_count([again[c].golden == first[c].golden for c in work]))
            lines.append(f"| {row.name} | {' | '.join(cells)} |")
            print(lines[-1], flush=True)
        lines += [
            "",
            f"sha256 of model.tflite ({platform.machine()}):",
            "",
            f"| | {' | '.join(SCHEMES)} |",
            "|---|---|---|---|",
        ]
        for name in names:
            shas = [first[case].model[:16] for case in work if case.model == name]
            lines.append(f"| {name} | {' | '.join(f'`{sha}`' for sha in shas)} |")
    lines += ["", "LiteRT's quantizer, on one float32 file of each model:", "", *litert]
    return "\n".join(lines) + "\n"


def fresh(folder: Path) -> Path:
    """Return a new, empty folder in folder."""
    made = folder / str(len(list(folder.iterdir())))
    made.mkdir()
    return made


def _count(same: list[bool]) -> str:
    return f"{sum(same)} of {len(same)}"


def main(version: str) -> None:
    """Measure, and write the page's table where it is the page's version."""
    table = measure(version)
    print(table)
    if version == VERSION:
        PART.write(table)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else VERSION)
