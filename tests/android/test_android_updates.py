"""Models from files, from buffers and over the air: what the generated class takes, what it refuses, and what stays."""

from __future__ import annotations

import json
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tflite  # type: ignore[import-untyped]
from android_world import quiet, rerun_kotlin
from hostile_signature import hostile_signature, signed
from phone import App, install
from worlds import SUPPORT, run_kit, write_recipe

from kit.android.codegen.app_model import AppModel
from kit.android.codegen.runtime_api import Api
from kit.android.codegen.write_sources import render_bindings
from kit.android.proof.kotlin_compiler import compile_kotlin, desktop_classpath
from kit.android.proof.kotlin_sources import find_bindings
from kit.build.plan import make_plan
from kit.bundle.golden_bin import golden_bytes, read_golden
from kit.bundle.layout import UPDATE_KEY, Bundle
from kit.bundle.manifest import read_manifest
from kit.errors import CheckError, RecipeError
from kit.files import json_text, tree_digests
from kit.recipe.load import load_recipe
from kit.shared.seeded import seed_of, seeded
from kit.toolchains.lockfile import read_lock
from kit.toolchains.toolchain import find_runtime
from kit.toolchains.venv import runtime_venv
from kit.updates.keys import private_key, public_key
from kit.updates.sign import sign
from kit.updates.terms import contract_digest, pem_text

MODEL = Path("src/main/assets/digits/model.tflite")
SIGNATURE = Path("src/main/assets/digits/signature.json")
LABELS = Path("src/main/assets/digits/labels.txt")


def new_key(folder: Path, name: str = "key") -> Path:
    """Make a key pair as docs/android.md says; return the private one."""
    key = folder / f"{name}.pem"
    for line in (
        f"openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {key}",
        f"openssl pkey -in {key} -pubout -out {key.with_suffix('.pub.pem')}",
    ):
        subprocess.run(line.split(), check=True, capture_output=True)
    return key


@dataclass(frozen=True)
class Publisher:
    """Who has the bundle and its key, and sends updates."""

    folder: Path
    bundle: Path
    key: Path

    def update(self, name: str, version: int, change: Callable[[Path], None], key: Path | None = None) -> Path:
        """Sign a copy of the bundle that something was changed in, as if a build had written it so."""
        copy = self.folder / "changed" / name / "digits"
        shutil.copytree(self.bundle, copy)
        change(copy)
        as_built(copy)
        return sign(copy, key or self.key, self.folder / f"{name}.zip", version).path


def as_built(bundle: Path) -> None:
    """Write the digests anew."""
    manifest = json.loads((bundle / "bundle.json").read_text("utf-8"))
    manifest["signature"] = json.loads((bundle / SIGNATURE).read_text("utf-8"))
    manifest["files"] = {name: sha for name, sha in tree_digests(bundle).items() if name != "bundle.json"}
    (bundle / "bundle.json").write_text(json_text(manifest), "utf-8")


def retrain(bundle: Path) -> None:
    """Give the model other weights: those of its last layer, each class those of the class beside it."""
    content = bytearray((bundle / MODEL).read_bytes())
    model = tflite.Model.GetRootAs(content, 0)
    graph = model.Subgraphs(0)
    tensors = [graph.Tensors(i) for i in range(graph.TensorsLength())]
    (weights,) = (t for t in tensors if t.ShapeAsNumpy()[0] == 10 and model.Buffers(t.Buffer()).DataLength() > 100)
    rows = model.Buffers(weights.Buffer()).DataAsNumpy().reshape(10, -1)
    rows[:] = np.roll(rows, 1, axis=0)  # in the bytes of content
    (bundle / MODEL).write_bytes(content)


def keep(_bundle: Path) -> None:
    """Change nothing."""


def spoil(bundle: Path) -> None:
    (bundle / MODEL).write_bytes(b"not a model, and signed all the same")


def shift(bundle: Path) -> None:
    """Another pre-processing: the mean of its pixels."""
    document = json.loads((bundle / SIGNATURE).read_text("utf-8"))
    document["inputs"][0]["mean"] = [1.0]
    (bundle / SIGNATURE).write_text(json_text(document), "utf-8")


def swap_labels(bundle: Path) -> None:
    lines = (bundle / LABELS).read_text("utf-8").splitlines()
    (bundle / LABELS).write_text("".join(f"{line}\n" for line in [*lines[1:], lines[0]]), "utf-8")


def flip(update: Path, name: str, to: Path) -> None:
    """Copy an update with a byte flipped in the middle of one of its files; the zip itself stays right."""
    with zipfile.ZipFile(update) as archive, zipfile.ZipFile(to, "w") as other:
        for entry in archive.infolist():
            content = bytearray(archive.read(entry))
            if entry.filename == name:
                content[len(content) // 2] ^= 1
            other.writestr(entry.filename, bytes(content))


def add(update: Path, to: Path, files: dict[str, bytes]) -> None:
    """Copy an update with more files in it, or others in the place of its own."""
    with zipfile.ZipFile(update) as archive, zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as other:
        everything = {entry: archive.read(entry) for entry in archive.namelist()} | files
        for name, content in everything.items():
            other.writestr(name, content)


def leave_out(update: Path, to: Path, name: str) -> None:
    """Copy an update without one of its files."""
    with zipfile.ZipFile(update) as archive, zipfile.ZipFile(to, "w") as other:
        for entry in archive.namelist():
            if entry != name:
                other.writestr(entry, archive.read(entry))


@pytest.fixture(scope="module")
def publisher(tmp_path_factory: pytest.TempPathFactory) -> Publisher:
    """Give the digits with a key, built by `kit build`."""
    folder = tmp_path_factory.mktemp("publisher")
    key = new_key(folder)
    recipe = write_recipe(folder)
    recipe.write_text(recipe.read_text("utf-8") + "[android]\nupdate_key = 'key.pub.pem'\n", "utf-8")
    done = run_kit("build", str(recipe), "--engine", "local", "--out", str(folder / "dist"))
    assert done.returncode == 0, done.stderr
    return Publisher(folder, folder / "dist" / "digits", key)


def write_updates(publisher: Publisher) -> list[str]:
    """Write the updates of tests/support/android/Updates.kt; return their names in the order of their coming."""
    folder = publisher.folder
    thief = new_key(folder, "thief")

    def steal(bundle: Path) -> None:
        retrain(bundle)
        (bundle / UPDATE_KEY).write_text(pem_text(public_key(thief.with_suffix(".pub.pem"))), "ascii")

    good = publisher.update("good", 3, retrain)
    publisher.update("wrong-key", 9, steal, thief)
    publisher.update("other-signature", 9, shift)
    publisher.update("other-labels", 9, swap_labels)
    publisher.update("no-model", 9, spoil)
    publisher.update("old", 2, keep)
    flip(good, "update.json", folder / "changed-manifest.zip")
    flip(good, "model.tflite", folder / "changed-model.zip")
    flip(good, "expected.bin", folder / "changed-expected.zip")
    leave_out(good, folder / "no-expected.zip", "expected.bin")
    add(good, folder / "longer-model.zip", {"model.tflite": (publisher.bundle / MODEL).read_bytes() + bytes(1 << 20)})
    add(good, folder / "long-manifest.zip", {"update.json": b" " * (1 << 20)})
    (folder / "truncated.zip").write_bytes(good.read_bytes()[:-4000])
    (folder / "short").mkdir()
    later = publisher.update("later", 4, retrain)
    with zipfile.ZipFile(later) as archive:
        archive.extractall(folder / "folder")
        archive.extractall(folder / "short")
    (folder / "short/model.tflite").write_bytes((folder / "folder/model.tflite").read_bytes()[:-1])
    add(publisher.update("escape", 5, retrain), folder / "escapes.zip", {"../../../evil": b"x", "/evil": b"x"})
    refused = "wrong-key changed-manifest changed-model longer-model changed-expected no-expected long-manifest"
    first = [f"{name}.zip" for name in f"{refused} other-signature other-labels no-model truncated".split()]
    return [*first, "short", "none.zip", "good.zip", "old.zip", "good.zip", "folder", "escapes.zip"]


def model_of(publisher: Publisher) -> AppModel:
    return AppModel.of_bundle(Bundle(publisher.bundle, "digits"), read_manifest(publisher.bundle))


def compile_class(publisher: Publisher, folder: Path, api: Api, programs: Sequence[str]) -> None:
    """Compile the class for an API with programs of tests/support/android, each in its own package."""
    render_bindings(folder / "kotlin", model_of(publisher), api, publisher.bundle / "emulate/golden.npz")
    sources = find_bindings(publisher.bundle, folder / "kotlin").sources
    for name in programs:
        program = folder / name / "Program.kt"
        program.parent.mkdir()
        shutil.copyfile(SUPPORT / "android" / f"{name}.kt", program)
        sources = [*sources, program]
    # As one module: the programs look at what is internal, too.
    compile_kotlin(sources, desktop_classpath(quiet), folder / "classes", quiet)


def run_updates(publisher: Publisher, folder: Path) -> dict[str, str]:
    """Run Updates.kt, which is compiled in folder; return what came by the name of each step."""
    names = write_updates(publisher)
    (publisher.folder / "order.txt").write_text("\n".join(names), "utf-8")
    model, bindings = model_of(publisher), find_bindings(publisher.bundle)
    assert model.updates is not None
    terms = folder / "terms.properties"
    terms.write_text(
        "".join(f"{key}={getattr(model.updates, key)}\n" for key in ("key", "signature", "labels")), "utf-8"
    )
    (folder / "tmp").mkdir()
    assets = ":".join(str(path) for path in bindings.assets)
    properties = {"dropkit.assets": assets, "java.io.tmpdir": str(folder / "tmp")}
    newer = publisher.folder / "changed/good/digits" / MODEL
    printed = rerun_kotlin(folder, str(publisher.folder), str(newer), str(terms), properties=properties)
    return dict(line.split(" = ", 1) for line in printed.splitlines() if " = " in line)


@pytest.fixture(scope="module")
def compiled(publisher: Publisher, tmp_path_factory: pytest.TempPathFactory, android_tools: None) -> Path:
    """Give the folder with the class and both programs, compiled once."""
    folder = tmp_path_factory.mktemp("app")
    compile_class(publisher, folder, "compiled-model", ["Updates", "UpdatedApp"])
    return folder


@pytest.fixture(scope="module")
def came(publisher: Publisher, compiled: Path) -> dict[str, str]:
    """Give what an app with the digits says to each update, on the CPU of the real library."""
    return run_updates(publisher, compiled)


def test_a_file_and_a_buffer_run_as_the_assets_do(came: dict[str, str]) -> None:
    assert came["assets"] != came["file"]  # another model, with other outputs
    assert came["file"] == came["heap buffer"] == came["direct buffer"]
    assert came["left in the cache"] == "0"


def test_what_is_no_file_and_no_model_is_refused(came: dict[str, str]) -> None:
    assert came["no file"].startswith("FileNotFoundException: ") and "there is no model" in came["no file"]
    assert came["no model"].startswith("IllegalStateException: ")


@pytest.mark.parametrize(
    ("name", "fault", "words"),
    [
        ("wrong-key.zip", "WRONG_KEY", "not signed with the key that belongs to this app"),
        ("changed-manifest.zip", "WRONG_KEY", "or was changed since"),
        ("changed-model.zip", "DAMAGED", "its model.tflite is not the one that was signed"),
        ("longer-model.zip", "DAMAGED", "its model.tflite is not the one that was signed"),
        ("changed-expected.zip", "DAMAGED", "its expected.bin is not the one that was signed"),
        ("no-expected.zip", "UNREADABLE", "there is no expected.bin in it"),
        ("short", "DAMAGED", "its model.tflite is not the one that was signed"),
        ("long-manifest.zip", "UNREADABLE", "its update.json has more than 65536 bytes"),
        ("other-signature.zip", "OTHER_SIGNATURE", "quantization or pre-processing are not those"),
        ("other-labels.zip", "OTHER_LABELS", "its labels, vocabulary or anchors are not those"),
        ("no-model.zip", "DOES_NOT_LOAD", "this app's runtime cannot load it"),
        ("truncated.zip", "UNREADABLE", "it is no zip, or a part of one"),
        ("none.zip", "UNREADABLE", "there is no such file"),
    ],
)
def test_an_update_is_refused_with_its_reason_and_the_model_stays(
    came: dict[str, str], name: str, fault: str, words: str
) -> None:
    assert came[f"{name}: kept"].startswith(f"{fault}: the update is refused: ")
    assert words in came[f"{name}: kept"]
    assert (came[f"{name}: newest"], came[f"{name}: left"]) == ("the app's assets", "[]")
    assert came[f"{name}: running"] == came["assets"]


def test_a_good_update_is_kept_and_runs_at_the_next_create(came: dict[str, str]) -> None:
    assert came["before"] == "the app's assets, null, null"
    # The second time it is no newer than what is kept: what came last is what the step has.
    assert came["folder: kept"] == "4"
    assert (came["folder: newest"], came["folder: left"]) == ("update 4", "[4]")
    assert came["folder: running"] == came["assets"]
    assert came["updated"] == came["file"] != came["assets"]
    assert came["source of it"] == "update 5"


def test_an_older_update_is_refused_and_the_newer_one_stays(came: dict[str, str]) -> None:
    for name, version in (("old.zip", 2), ("good.zip", 3)):
        assert came[f"{name}: kept"].startswith("OLD_VERSION: ")
        assert came[f"{name}: kept"].endswith(f"its version is {version}, and the app has 3")
        assert (came[f"{name}: newest"], came[f"{name}: left"]) == ("update 3", "[3]")


def test_names_in_a_zip_are_no_paths(came: dict[str, str]) -> None:
    assert (came["escapes.zip: kept"], came["escapes.zip: left"]) == ("5", "[5]")
    assert not Path("/evil").exists()


def test_a_kept_update_that_broke_gives_way_to_the_assets(came: dict[str, str]) -> None:
    assert (came["broken: newest"], came["broken: problem"]) == ("the app's assets", "DAMAGED")
    assert (came["broken: left"], came["broken: outputs"]) == ("[]", came["assets"])


def test_an_app_with_a_newer_model_drops_the_update(came: dict[str, str]) -> None:
    assert came["kept again"] == "3"
    assert came["newer app"] == "the app's assets, null, []"


def test_what_a_killed_app_left_is_cleared_away(came: dict[str, str]) -> None:
    assert came["after a kill"] == "the app's assets, 3"
    assert came["after a kill: left"] == "[3]"
    assert came["removed"] == "the app's assets, []"


def test_golden_vectors_are_no_test_of_an_update(came: dict[str, str]) -> None:
    assert (
        "the golden vectors are of the model in the app's assets, and this is update 5"
        in came["self-test of an update"]
    )


# ---------------------------------------------------------------- accelerators


EXPECTED = MODEL.with_name("expected.bin")
ASK = """
import sys
import numpy as np
from ai_edge_litert.interpreter import Interpreter

run = Interpreter(model_path=sys.argv[1]).get_signature_runner()
((name, detail),) = run.get_input_details().items()
found = [run(**{name: drawn.reshape(detail["shape"])})["digit"].ravel() for drawn in np.load(sys.argv[2])]
np.save(sys.argv[3], np.stack(found))
"""


def expect(bundle: Path) -> None:
    """Write the expected outputs anew, of the model that is there, as its build would: LiteRT from pip runs it."""
    path = bundle / EXPECTED
    sections = read_golden(path.read_bytes())
    (low, high) = next(value[0] for name, value in sections.items() if "/range/" in name)
    name = "serving_default/expected/digit"
    drawn = [seeded("uint8", 64, low, high, seed_of(i, 0)) for i in range(len(sections[name]))]
    np.save(path.with_suffix(".in.npy"), np.stack(drawn))
    python = runtime_venv(find_runtime("litert:2.3.0"), read_lock(bundle / "emulate/requirements.txt"), quiet)
    files = [bundle / MODEL, path.with_suffix(".in.npy"), path.with_suffix(".out.npy")]
    subprocess.run([str(python), "-c", ASK, *map(str, files)], check=True, capture_output=True)
    outputs = np.load(files[2])
    assert (outputs != sections[name]).any()  # another model
    path.write_bytes(golden_bytes(sections | {name: outputs}))
    for file in files[1:]:
        file.unlink()


def drop_expected(bundle: Path) -> None:
    """Leave the bundle as an older kit built it."""
    (bundle / EXPECTED).unlink()


@pytest.fixture
def phone(publisher: Publisher, compiled: Path, tmp_path: Path) -> App:
    """Give the app on a phone with an NPU."""
    return install(publisher.bundle, compiled / "classes", tmp_path)


def started(phone: App, *updates: Path) -> dict[str, str]:
    """Start the app, which keeps these updates and runs the newest; return what it says by name."""
    done = phone.java(*map(str, updates))
    assert done.returncode == 0, done.stderr
    return dict(line.split(": ", 1) for line in done.stdout.splitlines())


def test_an_accelerator_is_verified_with_the_expected_outputs_of_the_update(publisher: Publisher, phone: App) -> None:
    def newer(bundle: Path) -> None:
        retrain(bundle)
        expect(bundle)

    assert started(phone)["NPU"] == "runs"
    own_key = phone.verdict("npu-default").read_text("utf-8").split("\n")[0]
    found = started(phone, publisher.update("verified", 3, newer))
    assert (found["kept"], found["source"], found["NPU"]) == ("3", "update 3", "runs")
    key, verdict = phone.verdict("npu-default").read_text("utf-8").split("\n")
    assert verdict == "passed" and key != own_key
    phone.verdict("npu-default").write_text(f"{key}\nplanted", "utf-8")
    kept = started(phone)
    assert kept["NPU"] == "planted (found at an earlier start)" and kept["CPU"] == "runs"


def test_an_accelerator_that_is_wrong_for_an_update_is_passed_over_for_it(publisher: Publisher, phone: App) -> None:
    # The new model, and what the old one would give: as if the accelerator still ran the old one.
    found = started(phone, publisher.update("unlike", 3, retrain))
    assert found["source"] == "update 3" and found["CPU"] == "runs"
    assert found["NPU"].startswith("its outputs are wrong: 'digit' is up to ")


def test_an_update_of_an_older_kit_runs_on_the_cpu_and_says_why(publisher: Publisher, phone: App) -> None:
    found = started(phone, publisher.update("older", 3, drop_expected))
    assert found["NPU"].startswith("it cannot be verified: update 3 has no expected outputs; ")
    assert (found["source"], found["CPU"]) == ("update 3", "runs")


def test_a_kept_update_whose_expected_outputs_broke_gives_way_to_the_assets(publisher: Publisher, phone: App) -> None:
    assert started(phone, publisher.update("broken", 3, keep))["NPU"] == "runs"
    (file,) = phone.assets.parent.rglob("3/expected.bin")
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    found = started(phone)
    assert found["source"] == "the app's assets"
    assert "its expected.bin is not the one that was signed" in found["problem"]


# ---------------------------------------------------------------- signing


def test_an_update_is_the_same_bytes_each_time(publisher: Publisher, tmp_path: Path) -> None:
    signed_twice = [sign(publisher.bundle, publisher.key, tmp_path / f"{n}.zip", 2).path.read_bytes() for n in range(2)]
    assert signed_twice[0] == signed_twice[1]


def test_the_command_writes_an_update_beside_the_bundle(publisher: Publisher) -> None:
    done = run_kit("sign", str(publisher.bundle), "--key", str(publisher.key), "--version", "2", "--json")
    assert done.returncode == 0, done.stderr
    written = publisher.bundle.with_name("digits.update.zip")
    assert json.loads(done.stdout)["path"] == str(written)
    with zipfile.ZipFile(written) as archive:
        assert archive.namelist() == ["update.json", "update.sig", "expected.bin", "model.tflite"]
        assert archive.read("model.tflite") == (publisher.bundle / MODEL).read_bytes()
        assert json.loads(archive.read("update.json"))["version"] == 2
        for name in ("update.json", "update.sig"):
            archive.extract(name, publisher.folder)
    # Another program than ours finds the signature right.
    public = publisher.key.with_suffix(".pub.pem")
    argv = ["openssl", "dgst", "-sha256", "-verify", str(public), "-signature", "update.sig", "update.json"]
    assert subprocess.run(argv, cwd=publisher.folder, check=True, capture_output=True).stdout == b"Verified OK\n"


def openssl(line: str, folder: Path) -> None:
    """Run a line of openssl in a folder."""
    subprocess.run(["openssl", *line.removeprefix("openssl ").split()], cwd=folder, check=True, capture_output=True)


def refused_key(publisher: Publisher, key: Path) -> RecipeError:
    """Return how a key is refused."""
    with pytest.raises(RecipeError) as error:
        sign(publisher.bundle, key, publisher.folder / "refused.zip", 2)
    assert not (publisher.folder / "refused.zip").exists()
    return error.value


def test_a_private_key_of_no_use_is_refused_and_the_next_step_makes_one(publisher: Publisher, tmp_path: Path) -> None:
    error = refused_key(publisher, tmp_path / "key.pem")
    assert "no key can be read there: No such file" in error.message
    openssl(error.hint.removeprefix("make a key: "), tmp_path)
    assert private_key(tmp_path / "key.pem")

    openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out p384.pem", tmp_path)
    openssl("genpkey -algorithm ED25519 -out ed.pem", tmp_path)
    for name in ("p384.pem", "ed.pem"):
        error = refused_key(publisher, tmp_path / name)
        assert "the key is not of ECDSA P-256" in error.message
        assert (
            error.hint
            == "make a key of it: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem"
        )

    error = refused_key(publisher, publisher.key.with_suffix(".pub.pem"))
    assert "no private key in PEM" in error.message
    openssl(error.hint.removeprefix("name the private key; a new one: "), tmp_path)


def test_an_encrypted_key_is_refused_and_signs_once_it_is_decrypted(publisher: Publisher, tmp_path: Path) -> None:
    openssl(f"pkey -in {publisher.key} -aes256 -passout pass:secret -out locked.pem", tmp_path)
    error = refused_key(publisher, tmp_path / "locked.pem")
    assert "the key is encrypted" in error.message
    line = error.hint.removeprefix("decrypt it for this run, and remove the copy: ")
    openssl(f"{line.replace('KEY', 'locked.pem').replace('COPY', 'open.pem')} -passin pass:secret", tmp_path)
    assert sign(publisher.bundle, tmp_path / "open.pem", tmp_path / "update.zip", 2).manifest.version == 2


def test_a_public_key_of_no_use_is_refused_before_anything_is_built(publisher: Publisher, tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path)
    text = recipe.read_text("utf-8")
    shutil.copyfile(publisher.key, tmp_path / "key.pem")
    (tmp_path / "words.pem").write_text("no key\n", "utf-8")
    for name, message, step in (
        ("key.pem", "it is a private key, which belongs into no bundle", "name its public key: "),
        ("words.pem", "no public key in PEM", "take that of a private key: "),
    ):
        recipe.write_text(f"{text}[android]\nupdate_key = '{name}'\n", "utf-8")
        with pytest.raises(RecipeError, match=message) as error:
            make_plan(load_recipe(recipe), "")
        openssl(error.value.hint.removeprefix(step), tmp_path)
    recipe.write_text(f"{text}[android]\nupdate_key = 'key.pub.pem'\n", "utf-8")
    assert make_plan(load_recipe(recipe), "").update_key == public_key(publisher.key.with_suffix(".pub.pem"))


def test_another_key_than_the_bundles_is_refused_with_exit_code_4(publisher: Publisher, tmp_path: Path) -> None:
    other = new_key(tmp_path, "other")
    with pytest.raises(CheckError, match="it does not belong to the public key in") as error:
        sign(publisher.bundle, other, tmp_path / "update.zip", 2)
    assert error.value.hint.startswith("sign with the key of [android] update_key; or name this one's public key there")
    assert sign(publisher.bundle, publisher.key, tmp_path / "update.zip", 2).path.exists()


def test_a_version_that_no_app_takes_is_refused(publisher: Publisher, tmp_path: Path) -> None:
    done = run_kit("sign", str(publisher.bundle), "--key", str(publisher.key), "--out", str(tmp_path / "update.zip"))
    assert (done.returncode, done.stdout) == (2, "")
    assert "recipe: version 1 is none that an app takes" in done.stderr
    words = done.stderr.partition("raise [android] update_version and build again, or give one: ")[2].split()
    assert sign(publisher.bundle, publisher.key, tmp_path / "update.zip", int(words[1])).manifest.version == 2


def test_without_a_key_nothing_is_signed(publisher: Publisher, tmp_path: Path) -> None:
    done = run_kit("sign", str(publisher.bundle))
    assert (done.returncode, done.stdout) == (2, "")
    assert "--key is missing: an update is signed" in done.stderr
    openssl(done.stderr.partition("next: --key key.pem; a new one: ")[2], tmp_path)


def test_a_bundle_whose_class_has_no_key_is_refused(publisher: Publisher, tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(publisher.bundle, tmp_path / "digits"))
    manifest = json.loads((bundle / "bundle.json").read_text("utf-8"))
    del manifest["recipe"]["android"]["update_key"]
    (bundle / "bundle.json").write_text(json_text(manifest), "utf-8")
    with pytest.raises(RecipeError, match="its class has no key, so apps with it take no update") as error:
        sign(bundle, publisher.key, tmp_path / "update.zip", 2)
    line, _, step = error.value.hint.partition(", and build it again; the key: ")
    assert line == '[android] update_key = "key.pub.pem"'  # as the fixture has it, and signs
    shutil.copyfile(publisher.key, tmp_path / "key.pem")
    openssl(step, tmp_path)
    assert public_key(tmp_path / "key.pub.pem")


def test_a_damaged_key_in_a_bundle_is_seen(publisher: Publisher, tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(publisher.bundle, tmp_path / "digits"))
    (bundle / UPDATE_KEY).write_text("-----BEGIN PUBLIC KEY-----\n*\n-----END PUBLIC KEY-----\n", "ascii")
    as_built(bundle)
    with pytest.raises(CheckError, match="no public key that a build writes") as error:
        sign(bundle, publisher.key, tmp_path / "update.zip", 2)
    assert error.value.hint == "build the bundle again"
    assert sign(publisher.bundle, publisher.key, tmp_path / "update.zip", 2).path.exists()  # as a build writes it


def test_the_digest_of_a_contract_stays_what_older_apps_have() -> None:
    """An app holds its digest for years: where this changes, none takes an update any more."""
    signature, _ = hostile_signature(int16=True)
    assert contract_digest(signed(signature)) == "6b1b324f6efc7e78ec32c5f0067a816c3f070b7d66de3cfb76899162ad23f068"
    renamed = signature | {"version": "9.9.9", "inputs": [one | {"origin": "other"} for one in signature["inputs"]]}
    assert contract_digest(signed(renamed)) == contract_digest(signed(signature))


def _in_words(found: dict[str, str]) -> dict[str, str]:
    """Return what came without what is a runtime's own: its kernels' numbers, and what it says of no model."""
    numbers = {found["assets"]: "outputs of the app's model", found["file"]: "outputs of the newer model"}
    assert len(numbers) == 2
    return {name: numbers.get(text, text.partition(":")[0]) for name, text in found.items()}


@pytest.mark.slow
def test_the_interpreter_takes_and_refuses_the_same(publisher: Publisher, came: dict[str, str], tmp_path: Path) -> None:
    shutil.copytree(publisher.bundle, tmp_path / "bundle")
    there = Publisher(tmp_path, tmp_path / "bundle", publisher.key)
    compile_class(there, tmp_path / "app", "interpreter", ["Updates"])
    other = run_updates(there, tmp_path / "app")
    assert _in_words(other) == _in_words(came)
