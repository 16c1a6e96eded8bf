"""`emulate --serve` without a browser: who may ask, what is refused, and that it says what `emulate` says."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from served import FILE, Reply, Served, served
from worlds import DIGITS, run_kit

import kit.emulation.resident
from kit.errors import CheckError, EngineError, RecipeError
from kit.packages.heic import heic_site
from kit.serving.models import Settings, loaded_models
from kit.serving.server import _bound
from kit.serving.uploads import MOST_BYTES, RefusedError, received

SEVEN = (DIGITS / "seven.png").read_bytes()


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder in which the page's process has its temporary files."""
    return tmp_path_factory.mktemp("scratch")


@pytest.fixture(scope="module")
def page(digits_bundle: Path, scratch: Path) -> Iterator[Served]:
    """Give the page of the digits."""
    with served(digits_bundle, env={"TMPDIR": str(scratch)}) as page:
        yield page


def files_of(scratch: Path) -> list[Path]:
    """Return the folders of what was sent that are there."""
    return list(scratch.rglob("dropkit-page-*"))


def opened(page: Served, length: int, content: bytes) -> socket.socket:
    """Return a connection that says it sends so many bytes of a file, and has sent these."""
    connection = socket.create_connection(("127.0.0.1", page.port))
    head = f"POST {urlsplit(page.address).path}run?name=seven.png HTTP/1.1\r\nHost: 127.0.0.1:{page.port}\r\n"
    connection.sendall(f"{head}Content-Type: application/octet-stream\r\nContent-Length: {length}\r\n\r\n".encode())
    connection.sendall(content)
    return connection


def children(process: int) -> list[int]:
    """Return the processes that a process has started."""
    text = Path(f"/proc/{process}/task").glob("*/children")
    return [int(word) for path in text for word in path.read_text("ascii").split()]


def error_of(reply: Reply) -> Any:
    """Return the one error of a file that was taken and could not be used."""
    ((error,),) = [model["errors"] for model in reply.json["models"]]
    return error


def test_the_page_says_of_files_what_emulate_says(tmp_path: Path, digits_bundle: Path, page: Served) -> None:
    (tmp_path / "wrong.png").write_text("no image", "utf-8")
    files = [DIGITS / "seven.png", tmp_path / "wrong.png"]
    said = run_kit("emulate", str(digits_bundle), "--json", "--", *map(str, files))
    there = json.loads(said.stdout)
    replies = [page.run(path.name, path.read_bytes()) for path in files]
    assert [reply.status for reply in replies] == [200, 200]
    (model,) = replies[0].json["models"]
    (result,) = model["results"]
    assert result["outputs"] == there["results"][0]["outputs"] and result["outputs"]["digit"]["top"][0]["label"] == "7"
    assert model["package"] == "ai-edge-litert 2.3.0" and model["errors"] == []
    assert error_of(replies[1])["error"] == there["errors"][0]["error"].replace(str(files[1]), "wrong.png")
    assert error_of(replies[1])["input"] == "wrong.png"


def test_of_many_samples_the_first_are_run_and_shown_and_the_others_counted(page: Served) -> None:
    (model,) = page.run("test.npz", (DIGITS / "test.npz").read_bytes(), "&preview=1").json["models"]
    assert len(model["results"]) == 24 and model["left"] == 360 - 24
    assert all(result["preview"].startswith("data:image/png;base64,") for result in model["results"])


def test_an_image_of_a_phone_is_read_and_shown_to_a_browser_that_cannot(
    tmp_path: Path, page: Served, runtime_python: Path
) -> None:
    site = heic_site(["a.heic"], print)
    script = (
        "import sys, pillow_heif; from PIL import Image; pillow_heif.register_heif_opener(); "
        "Image.open(sys.argv[1]).convert('RGB').resize((64, 64), 0).save('a.heic', quality=100)"
    )
    argv = [str(runtime_python), "-c", script, str(DIGITS / "seven.png")]
    subprocess.run(argv, cwd=tmp_path, check=True, env={**os.environ, "PYTHONPATH": str(site)})
    (result,) = page.run("a.HEIC", (tmp_path / "a.heic").read_bytes(), "&preview=1").json["models"][0]["results"]
    assert result["outputs"]["digit"]["top"][0]["label"] == "7"
    assert result["preview"].startswith("data:image/png;base64,")


def test_other_kernels_and_runtimes_are_chosen_by_name(page: Served) -> None:
    (model,) = page.run("seven.png", SEVEN, "&runtime=litert:2.3.0&kernels=reference").json["models"]
    assert model["kernels"] == "reference" and model["results"][0]["outputs"]["digit"]["top"][0]["label"] == "7"
    for more in ("&runtime=litert:9.9.9", "&kernels=fast"):
        assert page.run("seven.png", SEVEN, more).status == 400


def test_the_page_is_whole_and_may_fetch_nothing(page: Served) -> None:
    reply = page.request()
    policy = dict(rule.split(" ", 1) for rule in reply.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'" and policy["connect-src"] == "'self'"
    nonce = policy["script-src"].removeprefix("'nonce-").removesuffix("'")
    html = reply.body.decode()
    assert html.count(f'nonce="{nonce}"') == 2 and "://" not in html.replace("http://www.w3.org/2000/svg", "")
    assert (reply.headers["cache-control"], reply.headers["referrer-policy"]) == ("no-store", "no-referrer")
    assert nonce not in page.request().body.decode()


def test_only_the_page_itself_may_ask(page: Served) -> None:
    own, path = f"127.0.0.1:{page.port}", urlsplit(page.address).path
    assert page.request(headers={"Host": f"localhost:{page.port}"}).status == 200
    for host in ("evil.example", f"evil.example:{page.port}", "127.0.0.1", f"127.0.0.1:{page.port}.evil.example", ""):
        assert page.request(headers={"Host": host}).status == 403, host
    wrong = path[:-2] + ("A" if path[-2] != "A" else "B") + "/"
    for other in ("/", "/run", wrong, f"{wrong}run", path.rstrip("/"), f"/x{path}", f"{path}../", f"{path}etc/passwd"):
        assert page.request(path=other).status == 404, other
    for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        reply = page.request("run?name=seven.png", method="POST", body=SEVEN, headers={**FILE, **headers})
        assert reply.status == 403 and "models" not in reply.json, headers
    ours = {**FILE, "Origin": f"http://{own}", "Sec-Fetch-Site": "same-origin"}
    assert page.request("run?name=seven.png", method="POST", body=SEVEN, headers=ours).status == 200


def test_no_other_origin_learns_that_it_may(page: Served) -> None:
    asked = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    for headers in (asked, {}):
        reply = page.request("run", method="OPTIONS", headers=headers)
        assert reply.status in {403, 405}
        assert not [name for name in reply.headers if name.startswith("access-control-")]
    assert page.request("run").status == 405


def test_what_no_file_can_be_is_refused_with_a_sentence(page: Served) -> None:
    def sent(name: str, body: bytes = SEVEN, **headers: str) -> Reply:
        return page.request(f"run?name={name}", method="POST", body=body, headers={**FILE, **headers})

    for name in ("seven.exe", "seven", ".png", "..%2f..%2fetc%2fpasswd"):
        reply = sent(name)
        assert reply.status == 415 and "this model takes .png" in reply.json["error"], name
    assert (
        page.request("run?name=seven.png", method="POST", body=SEVEN, headers={"Content-Type": "text/plain"}).status
        == 415
    )
    assert sent("seven.png", b"").json["error"] == "seven.png: it is empty"
    reply = sent("seven.png", b"", **{"Content-Length": str(MOST_BYTES + 1)})
    assert reply.status == 413 and "this page takes 64 MiB at most" in reply.json["error"]
    reply = sent("seven.png", b"0\r\n\r\n", **{"Transfer-Encoding": "chunked"})
    assert reply.status in {400, 411}


def test_a_name_is_shown_and_is_no_path(page: Served, scratch: Path) -> None:
    long = f"{'a' * 250}.png"
    for name in ("../../../../tmp/x.png", "/etc/x.PNG", "C:\\x.png", "a\0b\x1b[31m.png", "\u202egnp.png", long):
        reply = page.run(name, SEVEN)
        assert reply.status == 200, name
        shown = reply.json["models"][0]["results"][0]["input"]
        assert shown.isprintable() and shown.lower().endswith(".png")
    assert files_of(scratch) == []


def test_a_file_that_is_cut_off_is_refused_as_one_and_not_as_a_fault_of_the_page(page: Served, scratch: Path) -> None:
    with opened(page, len(SEVEN), SEVEN[:10]) as connection:
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as file:
            head, _, body = file.read().partition(b"\r\n\r\n")
    assert b" 400 " in head.splitlines()[0]
    reason = {"error": f"seven.png: {len(SEVEN) - 10:,} bytes of it did not come", "hint": "send it again"}
    assert json.loads(body) == reason
    assert files_of(scratch) == []


def test_only_so_many_files_are_taken_in_at_once_and_none_is_left(page: Served, scratch: Path) -> None:
    with ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(opened(page, len(SEVEN), SEVEN[:10]))
        end = time.monotonic() + 60
        while (reply := page.run("seven.png", SEVEN)).status != 503:
            assert time.monotonic() < end, reply
        assert reply.json["error"] == "seven.png: 4 files are being run"
        assert len(files_of(scratch)) == 4
    while (reply := page.run("seven.png", SEVEN)).status != 200:  # cut short, they end
        assert time.monotonic() < end, reply
    while files_of(scratch):
        assert time.monotonic() < end


def test_a_zip_file_that_swells_is_refused_before_it_is_read() -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("image.npy", b"x" * 1000)
    swollen = bytearray(content.getvalue())
    at = swollen.index(b"PK\x01\x02")
    swollen[at + 24 : at + 28] = (1 << 31).to_bytes(4, "little")  # what it says that it unpacks to
    with (
        pytest.raises(RefusedError, match="unpacks to 2,147,483,648 bytes"),
        received(io.BytesIO(bytes(swollen)), len(swollen), "x.npz", ".npz"),
    ):
        pass


def test_a_process_that_ends_is_named_and_the_next_file_starts_another(page: Served) -> None:
    before = children(page.process.pid)
    assert before
    for child in before:
        os.kill(child, signal.SIGKILL)
    end = time.monotonic() + 60
    while not (model := page.run("seven.png", SEVEN).json["models"][0])["results"]:  # it may not have ended yet
        assert model["errors"][0]["error"] == "the harness gave no result on litert:2.3.0"
        assert time.monotonic() < end
    assert set(children(page.process.pid)) - set(before)


def test_a_crash_of_the_interpreter_is_named_with_its_signal(digits_bundle: Path) -> None:
    with loaded_models([digits_bundle], Settings(), lambda _: None) as models:
        resident = models.resident(0, "", "default")
        resident.ready()
        assert resident._process is not None
        resident._process.send_signal(signal.SIGSEGV)
        with pytest.raises(EngineError, match=r"the interpreter of litert:2\.3\.0 ended with SIGSEGV"):
            resident._asked("{}")
        assert resident.ask(DIGITS / "seven.png", "seven.png", preview=False).results


def test_one_that_hangs_is_ended_and_the_next_file_is_run(digits_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with loaded_models([digits_bundle], Settings(), lambda _: None) as models:
        resident = models.resident(0, "", "default")
        resident.ready()
        assert resident._process is not None
        resident._process.send_signal(signal.SIGSTOP)
        with monkeypatch.context() as patched, pytest.raises(EngineError, match=r"no outputs of seven\.png") as error:
            patched.setattr(kit.emulation.resident, "PATIENCE", 0.1)
            resident.ask(DIGITS / "seven.png", "seven.png", preview=False)
        assert error.value.hint == "give a smaller file"
        assert resident.ask(DIGITS / "seven.png", "seven.png", preview=False).results


def test_a_model_file_alone_beside_a_bundle_and_ctrl_c_ends_them_quietly(tmp_path: Path, digits_bundle: Path) -> None:
    model = Path(shutil.copy(next(digits_bundle.rglob("model.tflite")), tmp_path / "alone.tflite"))
    with served(model, "--against", digits_bundle, "--top", "2") as page:
        assert 'data-on="gpu"' not in page.request().body.decode()
        assert page.run("seven.png", SEVEN, "&on=gpu", "elsewhere").status == 400
        one, other = page.run("seven.png", SEVEN).json["models"]
        assert (one["title"], other["title"]) == ("alone.tflite", "digits 1.0.0")
        assert len(other["results"][0]["outputs"]["digit"]["top"]) == 2
        assert one["results"][0]["outputs"]["digit"]["top"] == other["results"][0]["outputs"]["digit"]["top"]
        started = children(page.process.pid)
        assert len(started) == 2
        code, out, err = page.interrupt()
    assert (code, out) == (0, "")
    assert "Traceback" not in err and err.endswith("Ctrl-C ends it\n")
    assert not [child for child in started if Path(f"/proc/{child}").exists()]


def test_a_build_that_takes_the_bundles_place_is_noticed(tmp_path: Path, digits_bundle: Path) -> None:
    bundle = Path(shutil.copytree(digits_bundle, tmp_path / "digits"))
    with loaded_models([bundle], Settings(), lambda _: None) as models:
        manifest = bundle / "bundle.json"
        document = json.loads(manifest.read_text("utf-8"))
        manifest.write_text(json.dumps({**document, "key": "0" * 64}), "utf-8")
        with pytest.raises(CheckError, match="another build has taken this bundle's place") as error:
            models.resident(0, "", "default")
    assert error.value.hint == "start the page again"
    shutil.rmtree(bundle)
    shutil.copytree(digits_bundle, bundle)
    with loaded_models([bundle], Settings(), lambda _: None) as models:
        assert models.resident(0, "", "default").ready().takes[0] == ".png"


def test_a_port_that_is_taken_is_refused_and_another_one_is_had() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        with pytest.raises(RecipeError, match=f"--port {taken}: another program listens there") as error:
            _bound(taken)
    assert error.value.hint == "give another --port, or leave it out for any"
    with pytest.raises(RecipeError, match="is no port") as error:
        _bound(70000)
    assert error.value.hint == "give one from 1 to 65535, or leave it out for any"
    with _bound(0) as listening:
        assert listening.getsockname()[0] == "127.0.0.1"


def test_options_that_do_not_go_with_a_page_are_refused_at_once() -> None:
    for words, message, hint in (
        (("--port", "8080"), "--port is for the page, and --serve is not given", "add --serve, or leave --port out"),
        (("--open",), "--open is for the page, and --serve is not given", "add --serve, or leave --open out"),
        (
            ("--serve", "--golden"),
            "--serve does not go with --golden: the page takes the files",
            "leave --golden out",
        ),
        (("--serve", "--", "a.png"), "--serve does not go with files: the page takes the files", "leave files out"),
        (("--serve", "--kernels", "fast"), "--kernels 'fast' is not known", "there is: default, reference"),
        (("--serve", "--top=-1"), "--top -1 is not a number of classes", "give 1 or more, or leave it out"),
    ):
        done = run_kit("emulate", "nowhere", *words)
        assert (done.returncode, done.stdout) == (2, ""), words
        assert done.stderr == f"recipe: {message}\n  next: {hint}\n", words
