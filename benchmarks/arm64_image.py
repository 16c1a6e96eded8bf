"""The pinned images for arm64, each unpacked and run under emulation: the worker's files beside those of x86-64.

Run as python -m benchmarks.arm64_image [VERSION...] [SCHEME...]: a row of docs/containers.md for each toolchain, of all
where none is named, and so of the schemes. Needs a Docker engine, which assembles the images, and 4 GB of disk.
"""

from __future__ import annotations

import json
import sys
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import reproducibility as circumstances
from kit.arm64.machine import DEFAULT_CPU, EMPTY, PYTHON, find_machine
from kit.arm64.site import MACHINE
from kit.container.base_image import ARCHITECTURES, read_saved
from kit.container.client import connect
from kit.container.image_transfer import export_image
from kit.container.wheel_layer import SITE
from kit.engine.base import WORKER, JobFolder, Limits, worker_env
from kit.errors import KitError
from kit.process import Command, Exit, run
from kit.toolchains.toolchain import Packages, find_toolchain, toolchains


@dataclass(frozen=True)
class Arm64Image:
    """Runs worker jobs in an unpacked image's own root, with the command and environment of a container: no walls."""

    root: Path
    python: str  # as a path in the image
    environment: dict[str, str]  # the image's own
    cpu: str = DEFAULT_CPU
    name: str = "arm64 image"
    isolated: bool = False

    def prepare(self, packages: Packages, notify: Callable[[str], None]) -> None:  # noqa: ARG002
        """Fetch and unpack the emulator, once. Raises EngineError."""
        find_machine(notify)

    def run(
        self,
        packages: Packages,  # noqa: ARG002
        job: JobFolder,
        limits: Limits,
        on_line: Callable[[str], None],
        module: str = WORKER,
    ) -> Exit:
        """Run one job."""
        with TemporaryDirectory() as home:
            env = {**self.environment, **worker_env(f"{job.inputs / 'code'}:/{SITE}"), "HOME": home, "TMPDIR": home}
            arguments = ["-S", "-s", "-m", module, str(job.inputs), str(job.out)]
            command = Command(self.argv(*arguments), env, Path(home))
            return run(command, log=job.log, on_line=on_line, timeout=limits.seconds)

    def argv(self, *arguments: str) -> list[str]:
        """Return the command that runs its Python: by its name in the image, or it would not find its byte-code."""
        emulator = find_machine(print).emulator
        place = ["-0", self.python, "-cpu", self.cpu, "-L", str(self.root), f"{self.root}{self.python}"]
        return [str(emulator), *place, *arguments]


def unpacked(archive: Path, folder: Path, cpu: str = DEFAULT_CPU) -> Arm64Image:
    """Unpack an exported image for arm64, each layer held against its digest. Raises what read_saved raises."""
    raw, layers = read_saved(archive, ARCHITECTURES[MACHINE])
    for layer in layers:
        with archive.open("rb") as file:
            file.seek(layer.offset)
            with tarfile.open(fileobj=file, mode="r:") as tar:
                # "tar": as kit.packages.cached_folder has it, for the Debian's own links.
                tar.extractall(folder, filter="tar")
    for name in EMPTY:
        (folder / name).rmdir()
    environment = dict(item.split("=", 1) for item in json.loads(raw)["config"]["Env"])
    return Arm64Image(folder, f"/usr/bin/python{PYTHON}", environment, cpu)


def row(version: str, schemes: Sequence[str], folder: Path) -> str:
    """Return a toolchain's row: of each scheme, whether both architectures gave the same model.tflite."""
    toolchain, archive = find_toolchain(version), folder / "image.tar"
    client = connect()
    image = export_image(client, toolchain, archive, print, MACHINE)
    client.images.remove(image.reference, force=True)  # this engine cannot run it
    engine = unpacked(archive, folder / "root")
    archive.unlink()
    cells = []
    cases = circumstances.digits_cases(folder / "cases", version, "digits_keras2.h5")
    for case in [each for each in cases if each.scheme in schemes]:
        here = circumstances.as_worker(circumstances.Under())(case, made(folder))
        there = circumstances.as_worker(engine)(case, made(folder))
        cells.append(f"`{there.model[:16]}`" if there.model == here.model else "**differs**")
        print(version, case.scheme, cells[-1], flush=True)
    return f"| {version} | `{image.id[7:19]}` | {' | '.join(cells)} |"


def made(folder: Path) -> Path:
    """Return a new folder for what a build makes."""
    results = folder / "made"
    results.mkdir(exist_ok=True)
    return circumstances.fresh(results)


def main(words: list[str]) -> None:
    """Print a row for each toolchain as it comes; one that does not run is a row, too."""
    schemes = [scheme for scheme in circumstances.SCHEMES if scheme in words] or circumstances.SCHEMES
    versions = [word for word in words if word not in schemes]
    print(f"| TensorFlow | image for arm64 | {' | '.join(schemes)} |\n|---|---|{'---|' * len(schemes)}")
    for version in versions or list(toolchains()):
        with TemporaryDirectory(prefix="dropkit-arm64-") as folder:
            try:
                print(row(version, schemes, Path(folder)), flush=True)
            except KitError as error:
                print(f"| {version} | {error.message} |{' |' * len(schemes)}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
