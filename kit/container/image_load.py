"""Put an image into the engine, and run one command on it to its end. Knows nothing of toolchains."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, cast

from kit.container.client import OWNER_LABEL, owner, passing_container
from kit.container.layers import Layer, image_archive, image_config, image_id
from kit.errors import EngineError

if TYPE_CHECKING:
    import docker


def load_image(client: docker.DockerClient, config: bytes, layers: Sequence[Layer], tag: str) -> tuple[str, int]:
    """Load an image under tag; return what this engine calls it and its size in bytes.

    Raises EngineError where the engine refuses it, or has other layers under that tag afterwards.
    """
    import docker
    import requests

    try:
        # A generator goes through as a request of many chunks; the stubs know only bytes.
        client.images.load(cast("bytes", image_archive(config, layers, tag)))
        loaded = client.images.get(tag)
    except (docker.errors.DockerException, requests.RequestException) as error:
        raise EngineError(
            f"the engine cannot load an image: {error}",
            "give its disk more space: `docker system df` shows what is taken",
        ) from error
    if tuple(loaded.attrs["RootFS"]["Layers"]) != tuple(layer.diff_id for layer in layers):
        raise EngineError(f"the engine has another image as {tag}", f"remove it: docker image rm {tag}")
    # An engine with the containerd store gives it an id of its own; a tag is what every engine knows.
    return (str(loaded.id) if loaded.id == image_id(config) else tag), int(loaded.attrs["Size"])


def layers_of(client: docker.DockerClient, reference: str) -> tuple[str, ...]:
    """Return the digests of an image's layers; none where the engine does not have it."""
    import docker

    try:
        return tuple(client.images.get(reference).attrs["RootFS"]["Layers"])
    except docker.errors.NotFound:
        return ()


@contextmanager
def passing_image(client: docker.DockerClient, architecture: str, layers: Sequence[Layer]) -> Iterator[str]:
    """Have an image of these layers for as long as the block runs; give what the engine calls it."""
    import docker

    # Each process has its own: two builds do not take it from each other, and a sweep knows whose it is.
    config = image_config(architecture, layers, {"Labels": {OWNER_LABEL: owner()}})
    tag = f"dropkit/passing:{uuid.uuid4().hex[:12]}"
    try:
        yield load_image(client, config, layers, tag)[0]
    finally:
        with suppress(docker.errors.DockerException):
            client.images.remove(tag)


def run_to_end(client: docker.DockerClient, image: str, command: Sequence[str], options: Mapping[str, Any]) -> None:
    """Run a command in a container of its own, which is gone afterwards, whatever happens.

    Raises EngineError, with the last lines of its log, where it does not end with status 0.
    """
    import docker

    try:
        with passing_container(client) as name:
            container = client.containers.create(image, list(command), name=name, **options)
            container.start()
            status = container.wait()["StatusCode"]
            if status:
                log = container.logs(tail=15).decode("utf-8", errors="replace").strip()
                raise EngineError(
                    f"a step of the image's build ended with status {status}:\n{log}",
                    "see `docker info`, or build with --engine local",
                )
    except docker.errors.DockerException as error:
        raise EngineError(
            f"the engine cannot run a container: {error}", "see `docker info`, or build with --engine local"
        ) from error
