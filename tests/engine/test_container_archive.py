"""Layers and archives are made of pinned packages alone: the same bytes each time, and nothing out of its place."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import lzma
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from kit.container.base_image import read_image, sources
from kit.container.debian_layer import write_debian_layer
from kit.container.layers import EPOCH, Entry, file_entry, image_archive, image_config, image_id, write_layer
from kit.container.wheel_layer import write_wheel_layer
from kit.errors import EngineError
from kit.packages.debian_mirror import Deb, fetch_debs, mirrors, read_debs


def make_wheel(path: Path, files: Mapping[str, bytes], record: Mapping[str, bytes] | None = None) -> Path:
    """Write a wheel; record gives other contents than the real ones for RECORD to state."""
    rows = []
    for name, data in {**files, **(record or {})}.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        rows.append(f"{name},sha256={digest},{len(data)}\n")
    with zipfile.ZipFile(path, "w") as wheel:
        for name, data in files.items():
            wheel.writestr(name, data)
        wheel.writestr("thing-1.dist-info/RECORD", "".join(rows))
    return path


def make_deb(path: Path, members: list[tarfile.TarInfo], data: bytes = b"text") -> Path:
    """Write a Debian package with these members, each file holding data."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        for member in members:
            member.size = len(data) if member.isreg() else 0
            tar.addfile(member, io.BytesIO(data))
    parts = {"debian-binary": b"2.0\n", "control.tar.xz": b"odd", "data.tar.xz": lzma.compress(plain.getvalue())}
    raw = b"!<arch>\n"
    for name, content in parts.items():
        raw += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode()
        raw += content + b"\n" * (len(content) % 2)
    path.write_bytes(raw)
    return path


def member(name: str, type_: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode, info.mtime, info.uid = type_, link, mode, 1_700_000_000, 1000
    return info


def names_and_modes(layer: Path) -> dict[str, int]:
    with tarfile.open(layer) as tar:
        return {item.name: item.mode for item in tar}


def test_a_layer_is_the_same_bytes_whatever_the_order_of_its_entries(tmp_path: Path) -> None:
    entries = [file_entry("b/x", b"1", "test"), Entry("a", "test", link="b/x"), file_entry("b/a", b"2", "test", 0o755)]
    one = write_layer(tmp_path / "1.tar", entries, "note")
    two = write_layer(tmp_path / "2.tar", reversed(entries), "note")
    assert (tmp_path / "1.tar").read_bytes() == (tmp_path / "2.tar").read_bytes()
    assert one.sha256 == two.sha256 == hashlib.sha256((tmp_path / "1.tar").read_bytes()).hexdigest()


def test_a_layer_is_sorted_and_belongs_to_root_at_one_date(tmp_path: Path) -> None:
    write_layer(tmp_path / "l.tar", [file_entry("z/deep/x", b"1", "test"), file_entry("a", b"2", "test")], "note")
    with tarfile.open(tmp_path / "l.tar") as tar:
        members = tar.getmembers()
    assert [item.name for item in members] == ["a", "z", "z/deep", "z/deep/x"]
    assert {(item.uid, item.gid, item.uname, item.mtime) for item in members} == {(0, 0, "", EPOCH)}


def test_the_bytes_of_a_layer_are_those_that_recorded_images_were_built_with(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "t.whl", {"thing/__init__.py": b"x = 1\n", f"thing/{'long' * 30}.py": b""})
    # A change here means that kit.container.image.LAYOUT must be raised: old records name other layers.
    assert write_wheel_layer(tmp_path / "l.tar", [wheel]).sha256 == (
        "20842eaad06034aa251168364f4c20dc87b62846991eaf3d95440d13568b226d"
    )


def test_an_image_is_named_by_its_configuration_and_reads_back(tmp_path: Path) -> None:
    layers = [
        write_layer(tmp_path / f"{n}.tar", [file_entry(f"usr/bin/python3.1{n}", b"#!", "test")], "note") for n in (0, 1)
    ]
    twice = [layers[0], layers[1], layers[1]]
    config = image_config("arm64", twice, {"Env": ["PATH=/usr/bin"]})
    (tmp_path / "image.tar").write_bytes(b"".join(image_archive(config, twice, "kit/test:1")))
    base = read_image(tmp_path / "image.tar", "arm64")
    assert [layer.sha256 for layer in base.layers] == [layer.sha256 for layer in twice]
    assert base.find("python3.11") == "/usr/bin/python3.11"
    with tarfile.open(tmp_path / "image.tar") as tar:
        manifest = json.load(tar.extractfile("manifest.json") or io.BytesIO())
        assert hashlib.sha256((tar.extractfile(manifest[0]["Config"]) or io.BytesIO()).read()).hexdigest() == (
            image_id(config).removeprefix("sha256:")
        )


def test_a_base_whose_layer_was_changed_is_refused(tmp_path: Path) -> None:
    layer = write_layer(tmp_path / "l.tar", [file_entry("usr/bin/python3.11", b"#!good", "test")], "note")
    config = image_config("amd64", [layer], {})
    archive = b"".join(image_archive(config, [layer], "kit/test:1")).replace(b"#!good", b"#!evil")
    (tmp_path / "image.tar").write_bytes(archive)
    with pytest.raises(EngineError, match="has another content"):
        read_image(tmp_path / "image.tar", "amd64")


def test_a_base_that_the_engine_saves_compressed_has_the_same_layers(tmp_path: Path) -> None:
    layer = write_layer(tmp_path / "l.tar", [file_entry("usr/bin/python3.11", b"#!", "test")], "note")
    parts = {
        "blobs/config": image_config("amd64", [layer], {}),
        "blobs/layer": gzip.compress((tmp_path / "l.tar").read_bytes()),
        "manifest.json": json.dumps([{"Config": "blobs/config", "Layers": ["blobs/layer"]}]).encode(),
    }
    write_layer(tmp_path / "image.tar", [file_entry(name, data, "test") for name, data in parts.items()], "note")
    base = read_image(tmp_path / "image.tar", "amd64")
    assert [found.sha256 for found in base.layers] == [layer.sha256]
    assert base.layers[0].path.read_bytes() == (tmp_path / "l.tar").read_bytes()


def test_a_base_for_another_machine_is_refused(tmp_path: Path) -> None:
    layer = write_layer(tmp_path / "l.tar", [file_entry("a", b"", "test")], "note")
    archive = b"".join(image_archive(image_config("arm64", [layer], {}), [layer], "kit/test:1"))
    (tmp_path / "image.tar").write_bytes(archive)
    with pytest.raises(EngineError, match="for arm64, the engine for amd64"):
        read_image(tmp_path / "image.tar", "amd64")


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/x", "a//x", "a/./x", "a\\x", ""])
def test_a_path_out_of_its_place_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(EngineError, match="outside of its place"):
        write_layer(tmp_path / "l.tar", [file_entry(name, b"", "bad.whl")], "note")


def test_a_file_below_a_link_is_refused(tmp_path: Path) -> None:
    entries = [Entry("lib", "bad.deb", link="/etc"), file_entry("lib/passwd", b"", "bad.deb")]
    with pytest.raises(EngineError, match="below lib, which is not a folder"):
        write_layer(tmp_path / "l.tar", entries, "note")


def test_wheels_lose_their_scripts_headers_and_what_conversion_never_imports(tmp_path: Path) -> None:
    files = {
        "thing/__init__.py": b"",
        "thing/tests/test_it.py": b"",
        "thing-1.data/purelib/pure.py": b"",
        "thing-1.data/platlib/plat.so": b"",
        "thing-1.data/scripts/run": b"",
        "thing-1.data/headers/h.h": b"",
        "thing-1.data/data/share/doc": b"",
        "tensorflow/include/tf.h": b"",
        "thing/libstatic.a": b"",
        "thing-1.dist-info/METADATA": b"",
    }
    write_wheel_layer(tmp_path / "l.tar", [make_wheel(tmp_path / "t.whl", files)])
    with tarfile.open(tmp_path / "l.tar") as tar:
        found = {item.name.removeprefix("opt/toolchain/site/") for item in tar if item.isreg()}
    assert found == {"plat.so", "pure.py", "thing-1.dist-info/METADATA", "thing/__init__.py"}


def test_a_wheel_file_that_differs_from_its_record_is_refused(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "t.whl", {"thing/a.py": b"evil"}, record={"thing/a.py": b"good"})
    with pytest.raises(EngineError, match=r"t\.whl: refused: .*thing/a\.py has not the content"):
        write_wheel_layer(tmp_path / "l.tar", [wheel])


def test_a_wheel_file_that_its_record_does_not_list_is_refused(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "t.whl", {"thing/a.py": b""})
    with zipfile.ZipFile(wheel, "a") as more:
        more.writestr("thing/more.py", b"")
    with pytest.raises(EngineError, match=r"RECORD does not list thing/more\.py"):
        write_wheel_layer(tmp_path / "l.tar", [wheel])


def test_a_wheel_that_reaches_out_of_its_place_is_refused(tmp_path: Path) -> None:
    for name in ("../../etc/passwd", "thing-1.data/purelib/../../../x"):
        wheel = make_wheel(tmp_path / "t.whl", {name: b""})
        with pytest.raises(EngineError, match="outside of its place"):
            write_wheel_layer(tmp_path / "l.tar", [wheel])


def test_two_wheels_may_share_a_file_but_not_with_two_contents(tmp_path: Path) -> None:
    one = make_wheel(tmp_path / "one.whl", {"google/__init__.py": b"same"})
    two = make_wheel(tmp_path / "two.whl", {"google/__init__.py": b"same"})
    other = make_wheel(tmp_path / "other.whl", {"google/__init__.py": b"other"})
    write_wheel_layer(tmp_path / "l.tar", [one, two])
    with pytest.raises(EngineError, match=r"google/__init__\.py also comes from"):
        write_wheel_layer(tmp_path / "l.tar", [one, other])


def test_a_debian_package_is_put_in_a_merged_usr_without_its_manuals(tmp_path: Path) -> None:
    deb = make_deb(
        tmp_path / "a.deb",
        [
            member("./", tarfile.DIRTYPE),
            member("./lib/x86_64-linux-gnu/libz.so.1", mode=0o4755),
            member("./usr/share/man/man1/z.1"),
            member("./usr/share/doc/z/copyright"),
            member("./usr/share/doc/z/changelog"),
            member("./usr/bin/z", tarfile.SYMTYPE, "python3.11"),
        ],
    )
    one = write_debian_layer(tmp_path / "1.tar", [deb])
    two = write_debian_layer(tmp_path / "2.tar", [deb])
    found = names_and_modes(tmp_path / "1.tar")
    assert found["usr/lib/x86_64-linux-gnu/libz.so.1"] == 0o755
    assert found["tmp"] == 0o1777
    assert {"lib", "usr/bin/z", "usr/share/doc/z/copyright", "etc/passwd"} <= set(found)
    assert not {"usr/share/man/man1/z.1", "usr/share/doc/z/changelog"} & set(found)
    assert one.sha256 == two.sha256


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (member("./../../etc/cron.d/x"), "outside of its place"),
        (member("./dev/sda", tarfile.BLKTYPE), "a device or another special file"),
    ],
)
def test_a_debian_package_with_a_harmful_member_is_refused(tmp_path: Path, bad: tarfile.TarInfo, why: str) -> None:
    with pytest.raises(EngineError, match=why):
        write_debian_layer(tmp_path / "l.tar", [make_deb(tmp_path / "bad.deb", [bad])])


@pytest.mark.parametrize("keep", [0, 8, 40, 300])
def test_a_truncated_debian_package_is_refused(tmp_path: Path, keep: int) -> None:
    deb = make_deb(tmp_path / "cut.deb", [member("./usr/bin/x")])
    deb.write_bytes(deb.read_bytes()[:keep])
    with pytest.raises(EngineError, match=r"cut\.deb: not a Debian package"):
        write_debian_layer(tmp_path / "l.tar", [deb])


def a_mirror_with(tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> Path:
    pool = tmp_path / "mirror/pool/main/z"
    pool.mkdir(parents=True)
    (pool / "z_1_all.deb").write_bytes(content)
    monkeypatch.setenv("DROPKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("DROPKIT_DEBIAN_MIRROR", (tmp_path / "mirror").as_uri())
    return pool / "z_1_all.deb"


def locked(content: bytes) -> Deb:
    return Deb("z", "1", "all", "pool/main/z/z_1_all.deb", len(content), hashlib.sha256(content).hexdigest())


def test_a_debian_package_is_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = a_mirror_with(tmp_path, b"package", monkeypatch)
    lines: list[str] = []
    (path,) = fetch_debs([locked(b"package")], lines.append)
    there.unlink()
    assert fetch_debs([locked(b"package")], lines.append) == (path,)
    assert path.read_bytes() == b"package"
    assert len(lines) == 1


def test_a_tampered_debian_package_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_mirror_with(tmp_path, b"evil!!!", monkeypatch)
    with pytest.raises(EngineError, match=r"its SHA-256 is not the locked one"):
        fetch_debs([locked(b"package")], print)
    assert not list((tmp_path / "cache").rglob("*.deb"))


def test_a_package_that_was_changed_in_the_cache_is_fetched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_mirror_with(tmp_path, b"package", monkeypatch)
    (path,) = fetch_debs([locked(b"package")], print)
    path.write_bytes(b"evil!!!")
    assert fetch_debs([locked(b"package")], print)[0].read_bytes() == b"package"


def test_no_mirror_says_which_variable_to_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DROPKIT_CACHE", str(tmp_path))
    monkeypatch.delenv("DROPKIT_DEBIAN_MIRROR", raising=False)
    monkeypatch.setattr("kit.packages.debian_mirror.APT", tmp_path)
    with pytest.raises(EngineError, match="set DROPKIT_DEBIAN_MIRROR") as caught:
        fetch_debs([locked(b"package")], print)
    assert caught.value.code == 5


def test_mirrors_come_from_both_styles_of_apt_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DROPKIT_DEBIAN_MIRROR", raising=False)
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text(
        "# deb http://commented.example/debian bookworm main\n"
        "deb-src http://source.example/debian bookworm main\n"
        "deb [arch=amd64 signed-by=/k/debian-archive-keyring.gpg] https://corp.example/deb12-remote/ bookworm main\n"
        "deb http://one.example/debian/ bookworm main\n"
        "deb http://one.example/debian-security bookworm-security main\n"
        "deb http://archive.example/ubuntu jammy main\n"
    )
    (tmp_path / "sources.list.d/debian.sources").write_text(
        "Types: deb deb-src\n# a comment\nURIs: http://two.example/debian\n http://three.example/debian\n"
        "Suites: bookworm\nSigned-By: /k/debian-archive-keyring.gpg\n\n"
        "Types: deb\nURIs: http://two.example/debian-security\nSuites: bookworm-security\n"
        "Signed-By: /k/debian-archive-keyring.gpg\n\n"
        "Enabled: no\nTypes: deb\nURIs: http://off.example/debian\nSuites: bookworm\n"
    )
    (tmp_path / "sources.list.d/other.list").write_text("deb https://packages.example/apt stable main\n")
    (tmp_path / "sources.list.d/old.list.save").write_text("deb http://saved.example/debian bookworm main\n")
    assert mirrors(tmp_path) == (
        "https://corp.example/deb12-remote",
        "http://one.example/debian",
        "http://two.example/debian",
        "http://three.example/debian",
    )


def test_a_lock_line_without_its_hash_is_refused(tmp_path: Path) -> None:
    (tmp_path / "d.lock").write_text("# comment\nzlib1g 1:1.2 amd64 pool/main/z/zlib1g.deb 86684\n")
    with pytest.raises(EngineError, match=r"zlib1g 1:1\.2"):
        read_debs(tmp_path / "d.lock")


def test_the_base_follows_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    def described(value: str) -> list[str]:
        monkeypatch.setenv("DROPKIT_BASE", value)
        return [source.description.split()[0].partition(":")[0] for source in sources("x86_64")]

    assert described("auto") == ["python", "Debian"]
    assert described("registry") == ["python"]
    assert described("debian") == ["Debian"]
    assert described(f"corp.example/py:3.11@sha256:{'1' * 64}") == ["corp.example/py"]
    with pytest.raises(EngineError, match="names no base"):
        described("python:3.11")
