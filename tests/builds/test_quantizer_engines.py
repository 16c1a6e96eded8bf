"""LiteRT's quantizer in both engines: the same bytes of one float32 file, and one way to end."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from worlds import ROOT, write_recipe

from benchmarks.quantizer_bytes import REQUESTS
from kit.build.compared_layers import floating
from kit.build.convert import Data, convert
from kit.build.plan import make_plan
from kit.build.quantize import quantized as quantize_job
from kit.build.samples import representative
from kit.engine import Engine, JobFolder, Limits
from kit.engine.docker import DockerEngine
from kit.engine.local import LocalEngine
from kit.errors import ModelError
from kit.files import sha256_file
from kit.progress import Reporter
from kit.quantizer.run import QuantizedFile, QuantizerPlace, run_comparison, run_quantizer
from kit.recipe.load import load_recipe
from kit.shared.job import Result
from kit.shared.quantization import Quantization, QuantizerJob
from kit.toolchains.lockfile import Lock
from kit.toolchains.toolchain import quantizer
from kit.toolchains.venv import packages_venv

if TYPE_CHECKING:
    import docker

OFTEN = ("int4, oscar", "int8", "int8, bias correction")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Result, JobFolder]]:
    """Give the digits' job to float32, with calibration data beside it."""
    recipe = load_recipe(write_recipe(tmp_path_factory.mktemp("digits")))
    plan = make_plan(recipe, "")
    data = Data(representative(recipe, plan.sources[0], tmp_path_factory.mktemp("data")), None)
    with convert(floating(plan), LocalEngine(), data, Limits(), Reporter(quiet=True)) as job:
        yield job


def quantized(
    engine: Engine, made: tuple[Result, JobFolder], wanted: list[Quantization], folder: Path, memory: int = 8 << 30
) -> tuple[QuantizedFile, ...]:
    """Return what an engine makes of each request."""
    result, job = made
    place = QuantizerPlace(engine, quantizer(), Limits(memory=memory), lambda _: None)
    place.prepare()
    folder.mkdir()
    return run_quantizer(place, job, QuantizerJob(tuple(wanted), result.layers, 8), folder)


def digests(files: tuple[QuantizedFile, ...]) -> list[str]:
    """Return the sha256 of each file. None is missing."""
    return [sha256_file(each.path) if each.path else each.said.error for each in files]


@pytest.mark.container
@pytest.mark.parametrize(
    "names", [OFTEN, pytest.param([name for name in REQUESTS if name not in OFTEN], marks=pytest.mark.slow)]
)
def test_a_container_gives_the_bytes_and_errors_of_the_local_engine(
    docker_client: docker.DockerClient, made: tuple[Result, JobFolder], tmp_path: Path, names: list[str]
) -> None:
    wanted = [REQUESTS[name] for name in names]
    here = quantized(LocalEngine(), made, wanted, tmp_path / "here")
    there = quantized(DockerEngine(docker_client), made, wanted, tmp_path / "there")
    assert digests(here) == digests(there)
    assert all(len(sha256) == 64 for sha256 in digests(here)) and len(set(digests(here))) == len(names)
    assert [each.said for each in here] == [each.said for each in there]


@pytest.mark.container
def test_files_are_compared_in_a_container_as_here(
    docker_client: docker.DockerClient, made: tuple[Result, JobFolder], tmp_path: Path
) -> None:
    result, job = made
    (file,) = quantized(LocalEngine(), made, [REQUESTS["int4"]], tmp_path / "files")
    assert file.path is not None
    product = tmp_path / "product"
    product.mkdir()
    (product / "model.tflite").symlink_to(file.path)
    (product / "result.json").symlink_to(job.out / "result.json")
    order = QuantizerJob((), result.layers, 8)
    found = []
    for engine in (LocalEngine(), DockerEngine(docker_client)):
        place = QuantizerPlace(engine, quantizer(), Limits(), lambda _: None)
        place.prepare()
        found.append(run_comparison(place, job, product, order))
    assert found[0] == found[1] and not found[0].error
    assert {layer for each in found[0].errors for layer in each.layers} >= {"conv1", "digit"}


@pytest.mark.container
def test_too_little_memory_is_what_each_request_came_to(
    docker_client: docker.DockerClient, made: tuple[Result, JobFolder], tmp_path: Path
) -> None:
    wanted = [REQUESTS["dynamic"], REQUESTS["int4"]]
    files = quantized(DockerEngine(docker_client), made, wanted, tmp_path / "small", memory=24 << 20)
    assert [each.path for each in files] == [None, None]
    assert {each.said.error for each in files} == {"it ran out of memory and was killed"}


@pytest.mark.container
def test_a_container_reads_the_job_of_a_user_whose_files_are_private(
    docker_client: docker.DockerClient, made: tuple[Result, JobFolder], tmp_path: Path
) -> None:
    umask = os.umask(0o077)
    try:
        (file,) = quantized(DockerEngine(docker_client), made, [REQUESTS["dynamic"]], tmp_path / "files")
    finally:
        os.umask(umask)
    assert file.path is not None and not file.said.error, file.said


@pytest.mark.container
def test_a_limit_that_ends_it_is_named_with_what_to_give(
    docker_client: docker.DockerClient, made: tuple[Result, JobFolder], tmp_path: Path
) -> None:
    result, job = made
    own = replace(job, out=Path(shutil.copytree(job.out, tmp_path / "out")))
    plan = make_plan(load_recipe(write_recipe(tmp_path, quantize_scheme="'int4'", quantize_io="")), "")
    place = QuantizerPlace(DockerEngine(docker_client), quantizer(), Limits(memory=24 << 20), lambda _: None)
    place.prepare()
    with pytest.raises(ModelError, match="cannot make scheme 'int4' of it: it ran out of memory") as refused:
        quantize_job(plan, result, own, place)
    assert refused.value.hint.startswith("give it more memory, as in --memory 16g; or use scheme = ")
    short = replace(place, limits=Limits(seconds=0.2))
    with pytest.raises(ModelError, match="cannot make scheme 'int4' of it: it ran out of time") as refused:
        quantize_job(plan, result, own, short)
    assert refused.value.hint.startswith("give it more time, as in --timeout 7200; or use scheme = ")
    larger = replace(place, limits=Limits(memory=16 << 30))
    assert quantize_job(plan, result, own, larger).sha256 == sha256_file(own.out / "model.tflite") != result.sha256


def test_what_was_measured_serves_the_next_order(made: tuple[Result, JobFolder], tmp_path: Path) -> None:
    first = quantized(LocalEngine(), made, [REQUESTS["int8"]], tmp_path / "first")
    measured = tmp_path / "ranges.json"
    text = measured.read_text("utf-8")
    again = quantized(LocalEngine(), made, [REQUESTS["int8"]], tmp_path / "again")
    assert digests(first) == digests(again) and measured.read_text("utf-8") == text
    measured.write_text(text.replace("0.", "1."), "utf-8")
    other = quantized(LocalEngine(), made, [REQUESTS["int8"]], tmp_path / "other")
    assert digests(other) != digests(first), "it went by what lay there"


# Runs on the quantizer's packages. A limit on files is a disk that fills up in the middle of one.
CUT_OFF = """
import resource, sys
from pathlib import Path
from kit.quantizer.inside.moments import kept_roots
from kit.quantizer.inside.ranges import kept
resource.setrlimit(resource.RLIMIT_FSIZE, (8, 8))
folder = Path(sys.argv[1])
for name, measure in (
    ("ranges.json", lambda place: kept(place, lambda: {"image": {"min": [0.25], "max": [1.0]}})),
    ("moments.json", lambda place: kept_roots(place, lambda: {"image": ([0.25], 1.0)})),
):
    try:
        measure(folder / name)
        sys.exit(f"{name} had room")
    except OSError:
        assert not (folder / name).exists(), f"half of {name} is there"
"""


@pytest.mark.skipif(os.name != "posix", reason="files have no limit there")
def test_what_was_measured_is_kept_whole_or_not_at_all(tmp_path: Path) -> None:
    python = packages_venv(quantizer(), lambda _: None)
    argv = [str(python), "-s", "-c", CUT_OFF, str(tmp_path)]
    done = subprocess.run(
        argv, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(os.name != "posix", reason="files have no user there")
def test_a_job_has_the_data_without_a_copy(made: tuple[Result, JobFolder], tmp_path: Path) -> None:
    _result, job = made
    seen: list[int] = []

    class Looking(LocalEngine):
        """The local engine, which looks at the job first."""

        def run(self, packages, job, limits, on_line, module="kit.worker"):  # type: ignore[no-untyped-def]
            seen.append((job.inputs / "calibration.npz").stat().st_nlink)
            return super().run(packages, job, limits, on_line, module)

    quantized(Looking(), made, [REQUESTS["float16"]], tmp_path / "files")
    assert seen == [2]
    assert (job.inputs / "calibration.npz").stat().st_nlink == 1, "and it is gone afterwards"


def test_the_quantizer_of_a_lock_is_named_by_the_lock() -> None:
    own = quantizer().lock
    other = Lock(own.path, own.text.replace("litert-quantizer==0.11.0", "litert-quantizer==0.10.0"))
    assert quantizer(other).id == "litert-quantizer-0.10.0" and quantizer(other).lock is other
    assert replace(quantizer(other), own=None).kit_folder != quantizer().kit_folder
