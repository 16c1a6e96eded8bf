"""The docker engine: locked packages as an image, each job in a hardened container that is gone afterwards."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kit.bounded import MOST_LINE, MOST_LOG
from kit.container import client as engine
from kit.container.image import Image, ensure_image
from kit.container.sandbox import OUT, hardened
from kit.container.wheel_layer import SITE
from kit.engine.base import WORKER, JobFolder, Limits, too_large, worker_env
from kit.errors import EngineError
from kit.files import refuse_odd_path
from kit.lifetime.scratch import temporary_base
from kit.process import Exit
from kit.toolchains.toolchain import Packages

if TYPE_CHECKING:
    import docker
    from docker.models.containers import Container

IN = "/in"
Notify = Callable[[str], None]


@dataclass
class DockerEngine:
    """Runs jobs in containers of the engine that `client` talks to."""

    client: docker.DockerClient
    name: str = "docker"
    isolated: bool = True
    _images: dict[str, Image] = field(default_factory=dict)

    def prepare(self, packages: Packages, notify: Notify) -> None:
        """Make the image, once, and clear away containers that a killed process left."""
        refuse_odd_path(temporary_base(), "", "TMPDIR")
        engine.sweep(self.client)
        self._images[packages.id] = ensure_image(self.client, packages, notify)

    def run(self, packages: Packages, job: JobFolder, limits: Limits, on_line: Notify, module: str = WORKER) -> Exit:
        """Run one job. The container is removed whatever happens, also on Ctrl-C."""
        import docker

        image = self._images[packages.id]
        # The container's user is nobody on this machine: it may write this one folder, inside a private one.
        job.out.chmod(0o777)
        try:
            with engine.passing_container(self.client) as name:
                options = docker_options(job, limits)
                container = self.client.containers.create(
                    image.reference, docker_command(image, module), name=name, **options
                )
                return _follow(container, job, limits, on_line)
        except docker.errors.DockerException as error:
            raise _failed(error, job) from error


def _failed(error: Exception, job: JobFolder) -> EngineError:
    """Return what an engine's error means."""
    if "bind source path does not exist" in str(error):
        return EngineError(
            f"the container engine sees no {job.inputs.parent}: its virtual machine does not share that folder",
            "set TMPDIR to a folder that it shares, such as ~/tmp below your home (docs/containers.md, On a Mac)",
        )
    return EngineError(f"the container engine failed: {error}", "see `docker info`, or build with --engine local")


def docker_command(image: Image, module: str = WORKER) -> list[str]:
    """Return the command of one job."""
    return [image.python, "-s", "-m", module, IN, OUT]


def docker_options(job: JobFolder, limits: Limits) -> dict[str, Any]:
    """Return the keyword arguments for `client.containers.create`."""
    return hardened(
        memory=limits.memory,
        read_only={IN: job.inputs},
        out=job.out,
        environment=worker_env(f"{IN}/code:/{SITE}"),
        labels={engine.OWNER_LABEL: engine.owner()},
    )


def _follow(container: Container, job: JobFolder, limits: Limits, on_line: Notify) -> Exit:
    """Start the container, pass its stdout on line by line and its stderr to the log, and say how it ended."""
    expired, large, ended = threading.Event(), threading.Event(), threading.Event()

    def expire() -> None:
        expired.set()
        with suppress(Exception):  # it may end by itself at the same moment
            container.kill()

    def look() -> None:
        while not ended.wait(0.5):
            if too_large(job.out):
                large.set()
                with suppress(Exception):
                    container.kill()

    stream = container.attach(stdout=True, stderr=True, stream=True, demux=True, logs=True)
    timer = threading.Timer(limits.seconds, expire)
    try:
        timer.start()
        threading.Thread(target=look, daemon=True).start()
        container.start()
        with job.log.open("wb") as log:
            for line in _lines(stream, log):
                on_line(line)
        status = int(container.wait()["StatusCode"])
    finally:
        timer.cancel()
        ended.set()
    container.reload()
    return Exit(
        status,
        timed_out=expired.is_set(),
        too_large=large.is_set(),
        out_of_memory=bool(container.attrs["State"]["OOMKilled"]) and status != 0,
    )


def _lines(stream: Any, log: Any) -> Iterator[str]:
    """Yield whole lines of stdout; write stderr to log. The engine cuts its chunks anywhere."""
    pending, left = b"", MOST_LOG
    for out, err in stream:
        if err:
            log.write(err[:left])
            left = max(0, left - len(err))
        *lines, pending = (pending + (out or b"")).split(b"\n")
        pending = pending[:MOST_LINE]
        for line in lines:
            yield line.decode("utf-8", errors="replace")
