"""The harness that a bundle carries: a user runs it as a command, in a Python with its requirements only.

Each test works on a copy of a bundle that was really built, damages it where it must, and reads what the
command printed and its exit code.
"""

import contextlib
import json
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from desk import Desk, assert_one_clear_line, clean_environment
from PIL import Image
from worlds import DIGITS, on, run_kit, write_recipe

from kit.shared.preprocess import load_image
from kit.toolchains.toolchain import find_runtime, runtimes

PACKAGES = "import sysconfig; print(sysconfig.get_paths()['purelib'])"


@pytest.fixture
def desk(tmp_path: Path, digits_bundle: Path, runtime_python: Path) -> Desk:
    inputs = tmp_path / "inputs"
    inputs.mkdir()
    return Desk(runtime_python, shutil.copytree(digits_bundle, tmp_path / "bundle"), inputs)


def classes_of_golden(desk: Desk) -> list[int]:
    return [int(row.argmax()) for row in desk.golden["output/digit"]]


def without(desk: Desk, *packages: str) -> Path:
    """Return a folder of links to all of the runtime's packages but these."""
    found = subprocess.run([desk.python, "-c", PACKAGES], capture_output=True, text=True, check=True)
    folder = desk.inputs / "packages"
    folder.mkdir()
    for path in Path(found.stdout.strip()).iterdir():
        if not path.name.lower().startswith(packages):
            (folder / path.name).symlink_to(path)
    return folder


# ---------------------------------------------------------------- golden vectors


def test_without_input_the_golden_vectors_pass_as_built(desk: Desk) -> None:
    done = desk.run()
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(
        r"output digit: max difference \S+ steps \(\d allowed\); as built \S+ steps from float: ok", done.stdout
    )
    assert "pixels image: pre-processing gives the same input: ok" in done.stdout
    assert f"golden: pass, {len(desk.golden['input/image'])} vectors" in done.stdout


def test_the_golden_report_is_one_json_document(desk: Desk) -> None:
    report = desk.report("--golden")
    assert report["verdict"] == "pass"
    assert report["runtime"]["name"] == "ai-edge-litert"
    assert report["runtime"]["version"]
    digit = report["outputs"]["digit"]
    assert digit["worst_steps"] <= digit["allowed"] == float(desk.golden["tolerance/digit"])
    assert digit["from_float_as_built"] == float(desk.golden["drift/digit"])
    assert report["pixels"]["image"]["different"] == 0


def test_one_flipped_golden_byte_fails_and_names_its_vector(desk: Desk) -> None:
    output = desk.golden["output/digit"]
    output[2, 5] ^= 0x80
    desk.change_golden(output_digit=output)
    done = desk.run("--json")
    assert (done.returncode, done.stderr) == (4, "")
    report = json.loads(done.stdout)
    assert report["verdict"] == "fail"
    assert abs(report["outputs"]["digit"]["worst_steps"] - 128) <= 2
    assert report["outputs"]["digit"]["worst_vector"] == 2
    printed = desk.run().stdout
    assert re.search(
        r"max difference 1[23]\d steps \(\d allowed, 1 of 8 vectors are off, worst vector 2\).*FAIL", printed
    )
    assert "the bundle was built with this runtime: model.tflite is not the file that these vectors are of" in printed


def test_a_wrong_mean_fails_at_the_pixels_and_not_at_the_outputs(desk: Desk) -> None:
    desk.change_signature(lambda signature: signature["inputs"][0].update(mean=[10.0]))
    done = desk.run()
    assert (done.returncode, done.stderr) == (4, "")
    assert re.search(r"output digit: .*: ok", done.stdout)
    assert re.search(r"pixels image: pre-processing gives \d+ of \d+ values otherwise: FAIL", done.stdout)
    assert "signature.json prepares inputs otherwise than the build did (mean, std" in done.stdout
    assert "golden: fail" in done.stdout


def test_a_bundle_runs_from_a_folder_with_spaces_and_letters_of_any_alphabet(desk: Desk) -> None:
    moved = desk.bundle.rename(desk.bundle.with_name("ein Ordner für 数字"))
    assert Desk(desk.python, moved, desk.inputs).report()["verdict"] == "pass"


@pytest.mark.parametrize("runtime", on(runtimes()))
def test_the_kit_runs_a_bundle_on_every_pinned_runtime_images_included(digits_bundle: Path, runtime: str) -> None:
    if runtime.startswith("tflite:") and sys.version_info >= (3, 12):
        pytest.skip("tflite-runtime has no wheel for this Python")
    more = ("--golden", "--", str(DIGITS / "seven.png"))
    ran = run_kit("emulate", str(digits_bundle), "--runtime", runtime, "--json", *more)
    assert ran.returncode == 0, ran.stderr
    report = json.loads(ran.stdout)
    assert report["verdict"] == "pass"
    used = f"{report['runtime']['name']}=={report['runtime']['version']} "
    assert used in find_runtime(runtime).lock(images=True).text
    assert report["results"][0]["outputs"]["digit"]["top"][0]["index"] == 7


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="tflite-runtime has no wheel for this Python")
def test_a_recipe_may_name_an_older_runtime_and_the_bundle_is_run_on_it(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path)
    recipe.write_text(recipe.read_text("utf-8") + "[android]\nruntime = 'tflite:2.14.0'\n", "utf-8")
    built = run_kit("build", str(recipe), "--engine", "local", "--out", str(tmp_path / "dist"), "--json")
    assert built.returncode == 0, built.stderr
    assert json.loads(built.stdout)["emulation"]["runtime"]["name"] == "tflite-runtime"
    assert "tflite-runtime==2.14.0" in (tmp_path / "dist/digits/emulate/requirements.txt").read_text("utf-8")


# ---------------------------------------------------------------- inputs


def test_an_image_is_labelled_as_the_toolchain_did(desk: Desk) -> None:
    wanted = classes_of_golden(desk)
    images = [desk.image(index, f"{index}.png") for index in range(len(wanted))]
    assert [one["index"] for one in desk.top(*images)] == wanted


def test_a_user_reads_the_image_its_label_and_its_score(desk: Desk) -> None:
    wanted = classes_of_golden(desk)[0]
    done = desk.run(desk.image(0), "--top", 1)
    assert (done.returncode, done.stderr) == (0, "")
    _, name, output, best = done.stdout.splitlines()
    assert (name, output) == (str(desk.inputs / "digit.png"), "  digit")
    assert re.fullmatch(rf"    [01](\.\d+)? +{wanted}", best)


def test_scores_are_dequantized_sorted_and_as_many_as_asked_for(desk: Desk) -> None:
    best = desk.report(desk.image(0), "--top", "3")["results"][0]["outputs"]["digit"]["top"]
    signature = json.loads((desk.assets / "signature.json").read_text("utf-8"))["outputs"][0]
    golden = desk.golden["output/digit"][0].astype(float)
    real = np.sort((golden - signature["zero_point"]) * signature["scale"])[::-1]
    np.testing.assert_allclose([one["score"] for one in best], real[:3], atol=3 * signature["scale"])


def test_all_kinds_of_input_mean_the_same_image(desk: Desk) -> None:
    pixels = desk.golden["pixels/image"][0]
    raw = desk.inputs / "a.raw"
    raw.write_bytes(desk.golden["input/image"][0].tobytes())
    same = [
        desk.image(0),
        desk.save("a.npz", image=pixels),
        desk.save("b.npz", image=pixels[None]),
        desk.save("a.npy", image=pixels),
        desk.save("real.npy", image=pixels.astype(np.float32) / 255),
        raw,
        shutil.copy(raw, desk.inputs / "a.bin"),
    ]
    results = desk.report(*same)["results"]
    assert [one["input"] for one in results] == [str(path) for path in same]
    assert [one["index"] for one in results] == [None, None, 0, None, None, None, None]
    assert all(one["outputs"] == results[0]["outputs"] for one in results)


def test_a_batch_gives_one_result_for_each_sample_and_its_true_classes_are_no_input(desk: Desk) -> None:
    pixels, wanted = desk.golden["pixels/image"], classes_of_golden(desk)
    path = desk.save("test.npz", image=pixels, y=np.array(wanted))
    results = desk.report(path)["results"]
    assert [one["index"] for one in results] == list(range(len(pixels)))
    assert [one["outputs"]["digit"]["top"][0]["index"] for one in results] == wanted
    assert "test.npz[1]" in desk.run(path).stdout


def test_an_input_that_is_no_image_takes_its_own_integers_or_real_values(desk: Desk) -> None:
    def no_image(signature: dict[str, Any]) -> None:
        old = signature["inputs"][0]
        kept = ("name", "shape", "dtype", "scale", "zero_point")
        signature["inputs"][0] = {key: old[key] for key in kept} | {"kind": "tensor"}

    scale = json.loads((desk.assets / "signature.json").read_text("utf-8"))["inputs"][0]["scale"]
    desk.change_signature(no_image)
    q = desk.golden["input/image"]
    as_it_is = desk.top(desk.save("q.npy", image=q))
    assert [one["index"] for one in as_it_is] == classes_of_golden(desk)
    assert desk.top(desk.save("real.npy", image=(q * scale).astype(np.float64))) == as_it_is
    assert_one_clear_line(desk.run(desk.save("i.npy", image=q.astype(np.int32))), 2, "image is int32: give uint8")
    bright = Image.new("L", (8, 8), 255)
    bright.save(desk.inputs / "a.png")
    assert_one_clear_line(desk.run(desk.inputs / "a.png"), 2, "the input image takes no image")


def test_an_image_file_is_turned_and_letterboxed_as_for_calibration(desk: Desk) -> None:
    desk.change_signature(lambda signature: signature["inputs"][0].update(resize="letterbox", pad_color=[90]))
    exif = Image.Exif()
    exif[0x0112] = 6
    wide = np.concatenate(list(desk.golden["pixels/image"][:2, ..., 0]), axis=1)
    Image.fromarray(wide).save(desk.inputs / "a.png", exif=exif)
    pixels = load_image(desk.inputs / "a.png", (8, 8, 1), "grayscale", "letterbox", (90,))
    assert set(pixels[:, (0, 1, 6, 7)].ravel()) == {90}, "it stands upright: pad at its left and right"
    assert desk.top("a.png") == desk.top(desk.save("a.npy", image=pixels))


def test_an_output_without_classes_is_summed_up(desk: Desk) -> None:
    def no_classes(signature: dict[str, Any]) -> None:
        output = signature["outputs"][0]
        del output["labels"], output["activation"]
        output["kind"] = "tensor"

    desk.change_signature(no_classes)
    image = desk.image(0)
    digit = desk.report(image)["results"][0]["outputs"]["digit"]
    assert (digit["dtype"], digit["shape"], len(digit["values"])) == ("uint8", [1, 10], 10)
    assert digit["max"] == max(digit["values"])
    assert digit["min"] == min(digit["values"])
    assert re.search(r"digit: uint8 \[1, 10\], min \S+, max \S+: .* \.\.\.", desk.run(image).stdout)


def test_an_activation_is_applied_to_the_real_values(desk: Desk) -> None:
    before = desk.top(desk.image(0))[0]["score"]
    desk.change_signature(lambda signature: signature["outputs"][0].update(activation="sigmoid"))
    assert desk.top(desk.image(0))[0]["score"] == pytest.approx(1 / (1 + np.exp(-before)), rel=1e-5)


def test_classes_without_labels_are_numbered(desk: Desk) -> None:
    desk.change_signature(lambda signature: signature["outputs"][0].update(labels=None))
    assert f"class {classes_of_golden(desk)[0]}\n" in desk.run(desk.image(0)).stdout
    assert desk.top(desk.image(0))[0]["label"] is None


def test_a_label_in_any_alphabet_prints_on_a_terminal_that_knows_only_ascii(desk: Desk) -> None:
    (desk.assets / "labels.txt").write_text("".join(f"número {n}\n" for n in range(10)), "utf-8")
    done = desk.run(desk.image(0), PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "n\\xfamero" in done.stdout
    assert desk.top(desk.image(0))[0]["label"] == f"número {classes_of_golden(desk)[0]}"


def test_inputs_and_golden_vectors_and_times_share_one_document(desk: Desk) -> None:
    # RUNS may be left out even before an INPUT.
    report = desk.report("--golden", "--benchmark", desk.image(0), "--threads", "2")
    assert report["verdict"] == "pass"
    assert len(report["results"]) == 1
    times = report["benchmark"]
    assert 0 < times["median_ms"] <= times["p90_ms"]
    assert (times["runs"], times["threads"]) == (100, 2)


def test_a_benchmark_without_input_times_a_golden_vector(desk: Desk) -> None:
    done = desk.run("--benchmark", "7")
    assert done.returncode == 0
    assert re.search(r"benchmark: median \S+ ms, p90 \S+ ms a call, 7 runs, 1 thread\n", done.stdout)


# ---------------------------------------------------------------- inputs that cannot be meant


def half(path: Path) -> Path:
    """Cut a file in the middle."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def text(desk: Desk, name: str, content: str = "hello") -> Path:
    (desk.inputs / name).write_text(content, "utf-8")
    return desk.inputs / name


ZEROS = np.zeros((8, 8, 1), np.uint8)
BAD_INPUTS: dict[str, tuple[Callable[[Desk], object], str]] = {
    "missing": (lambda desk: desk.inputs / "none.png", "none.png: there is no such file"),
    "folder": (lambda desk: desk.inputs, "no file in this folder ends in .png, .*; name a folder that has such files"),
    "text": (lambda desk: text(desk, "a.png"), "a.png: is not an image that Pillow can read"),
    "half-image": (lambda desk: half(desk.image(0)), "digit.png: is not an image that Pillow can read"),
    "half-npz": (lambda desk: half(desk.save("a.npz", image=ZEROS)), "a.npz: it is no whole .npz"),
    "half-npy": (lambda desk: half(desk.save("a.npy", image=ZEROS)), "a.npy: "),
    "text-npy": (lambda desk: text(desk, "a.npy"), "a.npy: "),
    "pickle": (lambda desk: desk.save("a.npy", image=np.array([{}])), "a.npy: Object arrays"),
    "names": (lambda desk: desk.save("a.npz", images=ZEROS), r"named \['images'\], .* are \['image'\]"),
    "too-many": (lambda desk: desk.save("a.npz", image=ZEROS, mask=ZEROS), r"named \['image', 'mask'\]"),
    "shape": (
        lambda desk: desk.save("a.npy", image=np.zeros((8, 8), np.uint8)),
        r"image has the shape \[8, 8\], and \[8, 8, 1\], or \[N, 8, 8, 1\] for a batch, is needed",
    ),
    "turned": (lambda desk: desk.save("a.npy", image=np.zeros((1, 8, 8), np.uint8)), r"shape \[1, 8, 8\]"),
    "no-samples": (lambda desk: desk.save("a.npy", image=ZEROS[None][:0]), "at least 1"),
    "raw-size": (lambda desk: text(desk, "a.raw"), r"5 bytes, and image, uint8 \[1, 8, 8, 1\], has 64"),
    "int64": (lambda desk: desk.save("a.npy", image=ZEROS.astype(int)), "int64: give pixels as uint8"),
    "not-normalized": (
        lambda desk: desk.save("a.npy", image=np.full((8, 8, 1), 200.0)),
        "float values from 200 to 200, and normalized ones lie between 0 and 1: give pixels as uint8",
    ),
    "nan": (lambda desk: desk.save("a.npy", image=np.full((8, 8, 1), np.nan)), "float values from nan"),
    "strings": (lambda desk: desk.save("a.npy", image=np.full((8, 8, 1), "7")), "<U1"),
}


@pytest.mark.parametrize("fault", BAD_INPUTS)
def test_an_input_that_cannot_be_meant_is_refused_in_one_line(desk: Desk, fault: str) -> None:
    make, message = BAD_INPUTS[fault]
    assert_one_clear_line(desk.run(make(desk)), 2, message)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--fast", "unrecognized arguments: --fast"),
        ("--top=0", "--top 0 is less than 1"),
        ("--threads=two", "--threads: invalid int value: 'two'"),
        ("--benchmark=-1", "--benchmark -1 is less than 1"),
        ("--threads=257", "--threads 257 is more than 256"),
        ("--jobs=257", "--jobs 257 is more than 256"),
    ],
)
def test_an_option_that_cannot_be_meant_is_refused_in_one_line(desk: Desk, option: str, message: str) -> None:
    assert_one_clear_line(desk.run(option), 2, message)


# ---------------------------------------------------------------- bundles that were damaged


def write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def first_input(**changes: Any) -> Callable[[Desk], object]:
    return lambda desk: desk.change_signature(lambda signature: signature["inputs"][0].update(changes))


VECTORS = ("input_image", "pixels_image", "output_digit")
DAMAGES: dict[str, tuple[Callable[[Desk], object], str]] = {
    "model-missing": (lambda desk: (desk.assets / "model.tflite").unlink(), "model.tflite: it cannot be read"),
    "model-half": (lambda desk: half(desk.assets / "model.tflite"), "ai-edge-litert .* cannot run this model"),
    "model-empty": (lambda desk: write(desk.assets / "model.tflite", b""), "its 0 bytes are not a TFLite model"),
    "model-text": (lambda desk: write(desk.assets / "model.tflite", b"x" * 99), "not a TFLite model"),
    "golden-missing": (lambda desk: (desk.emulate / "golden.npz").unlink(), "golden.npz: .*No such file"),
    "golden-half": (lambda desk: half(desk.emulate / "golden.npz"), "golden.npz: it is no whole .npz"),
    "golden-without-output": (lambda desk: desk.change_golden(output_digit=None), "output/digit is missing"),
    "golden-without-bound": (lambda desk: desk.change_golden(drift_digit=None), "drift/digit is missing"),
    "golden-nan-bound": (lambda desk: desk.change_golden(tolerance_digit=np.nan), "tolerance/digit .* no number"),
    "golden-of-none": (
        lambda desk: desk.change_golden(**{key: desk.golden[key.replace("_", "/")][:0] for key in VECTORS}),
        r"its arrays hold \[0\] vectors",
    ),
    "golden-uneven": (
        lambda desk: desk.change_golden(output_digit=desk.golden["output/digit"][:1]),
        r"its arrays hold \[1, \d+\] vectors",
    ),
    "golden-of-another-shape": (
        lambda desk: desk.change_golden(input_image=np.zeros((3, 9, 9, 1), np.uint8)),
        r"input/image is uint8 \[3, 9, 9, 1\], and uint8 \[N, 8, 8, 1\] is needed",
    ),
    "signature-missing": (lambda desk: (desk.assets / "signature.json").unlink(), "signature.json: it cannot"),
    "signature-half": (lambda desk: half(desk.assets / "signature.json"), "signature.json: .*line "),
    "signature-newer": (lambda desk: desk.change_signature(lambda s: s.update(format=2)), "its format is 2"),
    "signature-without-key": (lambda desk: desk.change_signature(lambda s: s.pop("outputs")), "no 'outputs'"),
    "signature-name": (first_input(name="photo"), r"names \['photo'\], the file \['image'\]"),
    "signature-shape": (
        first_input(shape=[1, 9, 9, 1]),
        r"image is uint8 \[1, 9, 9, 1\] in signature.json, uint8 \[1, 8, 8, 1\] in the file",
    ),
    "signature-dtype": (first_input(dtype="int8"), r"image is int8 .* in signature.json, uint8"),
    "signature-scale": (first_input(scale=0.5), r"scale 0.5, zero point \d+ in signature.json, 0.0039"),
    "signature-std": (first_input(std=[0.0]), "has a zero"),
    "signature-key": (
        lambda desk: desk.change_signature(lambda s: s.update(signature="train")),
        "it has no signature 'train'",
    ),
    "labels-missing": (lambda desk: (desk.assets / "labels.txt").unlink(), "labels.txt: it cannot be read"),
    "labels-of-nine": (
        lambda desk: write(desk.assets / "labels.txt", b"a\nb\nc\nd\ne\nf\ng\nh\ni\n"),
        "labels.txt has 9 lines, and digit 10 classes",
    ),
    "preprocess-missing": (
        lambda desk: (desk.emulate / "preprocess.py").unlink(),
        "preprocess cannot be imported; copy the whole emulate folder",
    ),
}


@pytest.mark.parametrize("fault", DAMAGES)
def test_a_damaged_bundle_says_which_file_and_what_to_do(desk: Desk, fault: str) -> None:
    damage, message = DAMAGES[fault]
    damage(desk)
    assert_one_clear_line(desk.run(), 2, message)


def test_a_golden_member_whose_bytes_were_changed_is_found(desk: Desk) -> None:
    path = desk.emulate / "golden.npz"
    desk.change_golden()  # stored, not deflated
    with zipfile.ZipFile(path) as file:
        start = file.getinfo("output/digit.npy").header_offset
    content = bytearray(path.read_bytes())
    content[start + 200] ^= 1
    path.write_bytes(content)
    assert_one_clear_line(desk.run(), 2, "golden.npz: it is no whole .npz")


# ---------------------------------------------------------------- packages and interruptions


def test_a_python_without_an_interpreter_gets_the_pip_command(desk: Desk) -> None:
    packages = without(desk, "ai_edge_litert", "tflite_runtime")
    bare = subprocess.run(
        [str(desk.python), "-S", *desk.argv()[1:]],
        env=clean_environment() | {"PYTHONPATH": str(packages)},
        capture_output=True,
        text=True,
        check=False,
    )
    requirements = re.escape(str(desk.emulate / "requirements.txt"))
    assert_one_clear_line(bare, 5, rf"no LiteRT interpreter is installed; run: .* -m pip install -r {requirements}")


def test_a_python_without_numpy_gets_the_pip_command(desk: Desk) -> None:
    argv = [str(desk.python), "-S", *desk.argv()[1:]]
    bare = subprocess.run(argv, env=clean_environment(), capture_output=True, text=True, check=False)
    assert_one_clear_line(bare, 5, "numpy cannot be imported; run: .* -m pip install -r .*requirements.txt")


def test_only_images_need_pillow(desk: Desk) -> None:
    packages = without(desk, "pil", "pillow")
    array = desk.save("a.npy", image=desk.golden["pixels/image"][0])
    for path, code in ((array, 0), (desk.image(0), 5)):
        done = subprocess.run(
            [str(desk.python), "-S", *desk.argv(path)[1:]],
            env=clean_environment() | {"PYTHONPATH": str(packages)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done
    assert_one_clear_line(done, 5, "digit.png: images need Pillow; run: .* -m pip install .")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_under_the_report_is_one_line(desk: Desk) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            desk.argv(), stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=clean_environment()
        )
    assert done.returncode == 2
    assert re.fullmatch(r"emulate: stdout: .*No space left on device; .*\n", done.stderr)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a named pipe and a signal")
def test_ctrl_c_ends_it_with_130_and_no_traceback(desk: Desk) -> None:
    pipe = subprocess.PIPE
    process = subprocess.Popen(desk.argv("-"), env=clean_environment(), stdin=pipe, stdout=pipe, stderr=pipe)
    assert process.stdin is not None
    process.stdin.write(bytes(1 << 20))  # more than a pipe holds: once it is gone the harness reads
    process.stdin.flush()
    process.send_signal(signal.SIGINT)
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()
    assert process.stdout is not None
    assert process.stderr is not None
    out, err = process.stdout.read(), process.stderr.read()
    assert (process.wait(), out, err) == (130, b"", b"emulate: interrupted\n")


def test_a_traceback_shows_only_when_asked_for(desk: Desk) -> None:
    done = desk.run("none.png", "--debug")
    assert done.returncode == 2
    assert "Traceback" in done.stderr
    assert done.stderr.splitlines()[-1] == "emulate: none.png: there is no such file; check the name"
