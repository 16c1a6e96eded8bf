"""A dozen models in four schemes on every type of CPU that can be emulated: `python -m benchmarks.cpu_types [CPU ...]`.

Writes the second table of docs/reproducibility.md: each cell counts the schemes whose model.tflite is byte for byte the
native one. What was found is kept in benchmarks/results, by the sha256 of the native file, so that a run that was ended
goes on, also on another machine; without CPUs: all.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import arm64, reproducibility
from benchmarks.models import runner
from benchmarks.models.architecture import SCHEMES, architectures
from benchmarks.page_part import PagePart
from benchmarks.reproducibility import Under, emulated, qemu_missing
from kit.arm64.machine import find_machine
from kit.build.convert import Data, convert
from kit.build.plan import make_plan
from kit.build.samples import representative
from kit.engine.base import JobFolder, Limits, worker_env
from kit.errors import KitError
from kit.files import sha256_file, write_whole
from kit.progress import Reporter
from kit.recipe.load import load_recipe
from kit.shared.job import JOB, MODEL, Result, load_job
from kit.toolchains.toolchain import find_toolchain
from kit.toolchains.venv import toolchain_venv

ROOT = Path(__file__).parent.parent
PLACE = ROOT / "build" / "cpu-types"
RESULTS = Path(__file__).with_name("results") / "cpu-types"  # <cpu>.json: by case its native sha256 and that of the CPU
PART = PagePart(
    ROOT / "docs" / "reproducibility.md",
    "<!-- models and CPU types: python -m benchmarks.cpu_types -->",
    "<!-- end of CPU types -->",
)
VERSION = reproducibility.VERSION
SEEDED = ("digits", "mobilenet", "attention")  # benchmarks/seeded.py, and the example
PRACTICE = {  # of docs/models.md
    "unet_k2": "U-Net", "yolo_k3": "YOLO head", "lstm_k3": "LSTM", "two_towers_k3": "two towers", "vit_k3": "ViT",
    "kws_melspectrogram_k3": "keyword spotting", "tabular_k3": "tabular", "ssd_k3": "detector, SSD head",
    "deeplab_k3": "segmenter, DeepLab-like",
}  # fmt: skip
TITLES = {"digits": "digits", "mobilenet": "MobileNetV2, 96x96", "attention": "attention", **PRACTICE}
SAMPLES = 8  # of calibration
# TensorFlow computes constants of theirs while they are frozen; a child of an emulated process waits for ever there.
ALONE = ("kws_melspectrogram_k3",)


@dataclass(frozen=True)
class Case:
    """One model in one scheme, built natively. inputs: its job, kept; sha256: of the worker's model.tflite.

    portable: the build says that its bytes are the same on any CPU; refused: why there is no file.
    """

    model: str
    scheme: str
    inputs: str = ""
    sha256: str = ""
    portable: bool = True
    refused: str = ""
    legacy: bool = False  # of Keras 2

    @property
    def key(self) -> str:
        """Return what it is called in files."""
        return f"{self.model}-{self.scheme}"


def main(cpus: Sequence[str]) -> None:
    """Build everything natively, run every job on each CPU, and write the table."""
    cases = list(_native())
    columns = {**dict.fromkeys(reproducibility.CPUS, "x86"), **dict.fromkeys(arm64.CPUS, "arm")}
    for cpu in cpus or columns:
        missing = qemu_missing() if columns[cpu] == "x86" else arm64.missing()
        if missing:
            raise SystemExit(f"{cpu}: needs {missing}")
        found = _found(cpu, cases)
        left = [case for case in cases if case.sha256 and case.key not in found]
        for legacy in (False, True):
            _run(cpu, [case for case in left if case.legacy is legacy and case.model not in ALONE], cases)
        for case in left:
            if case.model in ALONE:
                _run(cpu, [case], cases)
    table = "\n".join(_table(cases, list(columns)))
    print(table)
    PART.write(table)


def _native() -> Iterator[Case]:
    """Yield each case, built here; its job is kept."""
    kit = runner.kit_digest()
    for model, scheme, recipe in _recipes():
        kept = PLACE / "native" / f"{model}-{scheme}.json"
        if kept.exists() and (held := json.loads(kept.read_text("utf-8")))["kit"] == kit:
            yield Case(**held["case"])
            continue
        case = _built(model, scheme, recipe)
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_whole(kept, json.dumps({"kit": kit, "case": asdict(case)}).encode())
        print(f"{case.key}: {case.refused or case.sha256[:16]}", flush=True)
        yield case


def _recipes() -> Iterator[tuple[str, str, Path]]:
    """Yield model, scheme and recipe of each case, written into PLACE."""
    python = toolchain_venv(find_toolchain(VERSION), print)
    seeded = PLACE / "seeded"
    if not (seeded / "done").exists():
        shutil.rmtree(seeded, ignore_errors=True)
        env = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1"}
        subprocess.run([str(python), str(Path(__file__).with_name("seeded.py")), str(seeded)], env=env, check=True)
        reproducibility.digits_cases(seeded, VERSION)
        (seeded / "done").touch()
    for model in SEEDED:
        keys = "[[inputs]]\nname = 'image'\nkind = 'image'\nmean = [0.0]\nstd = [255.0]\n" if model == "digits" else ""
        yield from written(model, seeded / model, "model.keras", "samples.npz", keys)
    for model in PRACTICE:
        yield from of_practice(model, PLACE)


def of_practice(model: str, place: Path) -> Iterator[tuple[str, str, Path]]:
    """Yield model, scheme and recipe of a model of practice, made in place."""
    folder = runner.made(architectures()[model], place)
    facts = runner.about(folder)
    yield from written(model, folder, facts["stored"], "main-calibration.npz", facts["tables"], facts["keys"])


def written(
    model: str, folder: Path, file: str, samples: str, tables: str, keys: str = ""
) -> Iterator[tuple[str, str, Path]]:
    """Yield model, scheme and recipe of each scheme, written beside the model's file. tables, keys: of the recipe."""
    for scheme in SCHEMES:
        lines = ["[model]", f"path = '{file}'", f"id = '{model}'", keys]
        lines += ["[toolchain]", f"tensorflow = '{VERSION}'", "[quantize]", f"scheme = '{scheme}'"]
        if scheme == "int8":
            lines += [f"representative = '{samples}'", f"count = {SAMPLES}"]
        recipe = folder / f"cpu-{scheme}.toml"
        recipe.write_text("\n".join([*lines, tables]) + "\n", "utf-8")
        yield model, scheme, recipe


def _built(model: str, scheme: str, path: Path) -> Case:
    """Convert here, and keep the job."""
    recipe = load_recipe(path)
    plan = make_plan(recipe, "")
    with TemporaryDirectory() as folder:
        data = Data(representative(recipe, plan.sources[0], Path(folder), plan.raw_inputs), None)
        try:
            with convert(plan, Under(), data, Limits(), Reporter(quiet=True)) as (result, job):
                return _kept(model, scheme, result, job)
        except KitError as error:
            return Case(model, scheme, refused=error.message)


def _kept(model: str, scheme: str, result: Result, job: JobFolder) -> Case:
    inputs = PLACE / "jobs" / f"{model}-{scheme}"
    shutil.rmtree(inputs, ignore_errors=True)
    shutil.copytree(job.inputs, inputs)
    legacy = all(part.legacy_keras for part in load_job((inputs / JOB).read_text("utf-8")).parts)
    sha256 = sha256_file(job.out / MODEL)
    return Case(model, scheme, str(inputs), sha256, not result.unsure, legacy=legacy)


def _run(cpu: str, cases: Sequence[Case], every: Sequence[Case]) -> None:
    """Run jobs of one Keras on a CPU, and keep what each came to."""
    if not cases:
        return
    with TemporaryDirectory(prefix="dropkit-cpu-") as root:
        outs = {str(Path(root, case.key)): case for case in cases}
        for out in outs:
            Path(out).mkdir()
        order = Path(root, "list")
        order.write_text("".join(f"{case.inputs}\t{out}\n" for out, case in outs.items()), "utf-8")
        code = Path(cases[0].inputs) / "code"
        argv, env = _command(cpu, code, order)
        with (PLACE / f"{cpu}.log").open("ab") as log:
            running = subprocess.Popen(
                argv, env={**env, "HOME": root, "TMPDIR": root}, stdout=subprocess.PIPE, stderr=log, text=True, cwd=root
            )
            assert running.stdout is not None
            for line in running.stdout:
                if (case := outs.get(line.strip())) is not None:
                    made = Path(line.strip(), MODEL)
                    _keep(cpu, case, sha256_file(made) if made.exists() else "none", every)
                    shutil.rmtree(line.strip())
        if running.wait():
            raise SystemExit(f"{cpu}: exit code {running.returncode}; its log is {PLACE / cpu}.log")


def _command(cpu: str, code: Path, order: Path) -> tuple[list[str], dict[str, str]]:
    """Return what runs benchmarks.many_jobs on a CPU, and its environment."""
    toolchain = find_toolchain(VERSION)
    words = ["-s", "-m", "benchmarks.many_jobs", str(order)]
    if cpu in arm64.CPUS:
        machine, site = find_machine(print), arm64.arm64_packages(toolchain, print)
        argv = [str(machine.emulator), *machine.words(cpu, words)]
        return argv, worker_env(f"{code}:{ROOT}:{site}")
    return [*emulated(cpu)(toolchain_venv(toolchain, print)), *words], worker_env(f"{code}:{ROOT}")


def _found(cpu: str, cases: Sequence[Case]) -> Mapping[str, str]:
    """Return the sha256 by case that a CPU came to, those of the cases as they are now."""
    place = RESULTS / f"{cpu}.json"
    held = json.loads(place.read_text("utf-8")) if place.exists() else {}
    native = {case.key: case.sha256 for case in cases}
    return {key: made for key, (of, made) in held.items() if native.get(key) == of}


def _keep(cpu: str, case: Case, made: str, every: Sequence[Case]) -> None:
    native = {each.key: each.sha256 for each in every}
    held = {**_found(cpu, every), case.key: made}
    pairs = {key: (native[key], one) for key, one in sorted(held.items())}
    RESULTS.mkdir(parents=True, exist_ok=True)
    write_whole(RESULTS / f"{cpu}.json", (json.dumps(pairs, indent=1) + "\n").encode())
    print(f"{cpu}: {case.key}: {'the same' if made == case.sha256 else f'OTHER: {made[:16]}'}", flush=True)


def _table(cases: Sequence[Case], cpus: Sequence[str]) -> Iterator[str]:
    """Yield the lines of the table, in Markdown."""
    names = [f"aarch64, {cpu}" if cpu in arm64.CPUS else cpu for cpu in cpus]
    yield f"| TensorFlow {VERSION} | {' | '.join(names)} | |"
    yield "|---|" + "---|" * (len(cpus) + 1)
    found = {cpu: _found(cpu, cases) for cpu in cpus}
    for model, title in TITLES.items():
        mine = [case for case in cases if case.model == model]
        cells = []
        for cpu in cpus:
            ran = [case for case in mine if case.key in found[cpu]]
            cells.append(f"{sum(found[cpu][case.key] == case.sha256 for case in ran)} of {len(ran)}" if ran else "")
        yield f"| {title} | {' | '.join(cells)} | {'; '.join(_notes(mine, found))} |"


def _notes(mine: Sequence[Case], found: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """Yield what a reader of a row has to know."""
    for case in mine:
        if case.refused:
            yield f"{case.scheme} is refused"
        others = [cpu for cpu, made in found.items() if made.get(case.key, case.sha256) != case.sha256]
        if others or not case.portable:
            where = f"other on {', '.join(others)}" if others else "the same here"
            said = "the build says that it may differ" if not case.portable else "the build does not say so"
            yield f"{case.scheme}: {said}, {where}"


if __name__ == "__main__":
    main(sys.argv[1:])
