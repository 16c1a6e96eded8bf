"""A test APK with a bundle's assets: linked, aligned, signed, verified, and its model taken out again.

Raises CheckError where the model is not what an app needs: stored, not deflated, and on a 16 KB page.
"""

from __future__ import annotations

import io
import subprocess
import zipfile
from collections.abc import Sequence
from pathlib import Path

from kit.android.proof.aar import MIN_SDK
from kit.android.proof.kotlin_compiler import DESKTOP
from kit.android.proof.kotlin_sources import Bindings
from kit.android.proof.tool_run import run_tool
from kit.android.proof.tools import find_framework, find_java, find_program
from kit.android.proof.zip_bytes import data_offset, zip_bytes
from kit.errors import CheckError, EngineError
from kit.files import write_whole

STORED = (".tflite", ".bin")  # with the dot: without it aapt2 deflates the file and says nothing
PAGE = 16 * 1024
TARGET_SDK = 29  # of Debian's framework-res
LIMIT = 120.0  # seconds of CPU for one tool
_DOCTOR = "run `kit doctor`, which tries each of these tools"
_SIGNING = DESKTOP / "signing"
_MANIFEST = """<?xml version="1.0" encoding="utf-8"?>
<manifest xmlns:android="http://schemas.android.com/apk/res/android" package="{package}.dropkittest"
    android:versionCode="1" android:versionName="1">
    <uses-sdk android:minSdkVersion="{least}" android:targetSdkVersion="{target}" />
    <application android:hasCode="false" android:label="{id}" />
</manifest>
"""


def build_apk(bindings: Bindings, target: Path, scratch: Path, *, stored: Sequence[str] = STORED) -> None:
    """Write a signed APK with the bundle's assets of a debug app. Raises MissingToolError, EngineError."""
    find_java()
    linked, aligned, signed = (scratch / f"{name}.apk" for name in ("linked", "aligned", "signed"))
    manifest = scratch / "AndroidManifest.xml"
    text = _MANIFEST.format(package=bindings.jvm_package, id=bindings.id, least=MIN_SDK, target=TARGET_SDK)
    manifest.write_text(text, "utf-8")
    _run([*_link(manifest, bindings.assets, stored), "-o", str(linked)])
    aligned.write_bytes(_aligned(linked.read_bytes()))
    _run([str(find_program("zipalign")), "-c", "-p", "4", str(aligned)])
    key, certificate = _SIGNING / "public-test.pk8", _SIGNING / "public-test.x509.pem"
    sign = ["sign", "--key", str(key), "--cert", str(certificate), "--min-sdk-version", str(MIN_SDK)]
    schemes = ["--v1-signing-enabled", "false", "--v2-signing-enabled", "true", "--v3-signing-enabled", "true"]
    apksigner = str(find_program("apksigner"))
    _run([apksigner, *sign, *schemes, "--v4-signing-enabled", "false", "--out", str(signed), str(aligned)])
    reported = _run([apksigner, "verify", "--verbose", "--min-sdk-version", str(MIN_SDK), str(signed)])
    for scheme in ("v2", "v3"):
        if not any(line.startswith(f"Verified using {scheme} scheme") and line.endswith("true") for line in reported):
            raise CheckError(
                f"{target.name}: apksigner does not find its {scheme} signature",
                _DOCTOR,
            )
    write_whole(target, signed.read_bytes())


def _link(manifest: Path, assets: Sequence[Path], stored: Sequence[str]) -> list[str]:
    folders = [word for folder in assets if folder.exists() for word in ("-A", str(folder))]
    kept = [word for ending in stored for word in ("-0", ending)]
    aapt2 = str(find_program("aapt2"))
    return [aapt2, "link", "--manifest", str(manifest), "-I", str(find_framework()), *folders, *kept]


def _aligned(content: bytes) -> bytes:
    """Return the APK with every stored entry on 4 bytes, and the stored assets on a page: zipalign knows no such."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = {info.filename: archive.read(info) for info in archive.infolist()}
        # The rest is stored: what a zlib makes of it hangs on its version.
        deflated = {
            info.filename
            for info in archive.infolist()
            if info.compress_type != zipfile.ZIP_STORED and info.filename.endswith(STORED)
        }
    return zip_bytes(
        entries,
        first=("AndroidManifest.xml",),
        deflated=deflated.__contains__,
        alignment=lambda name: PAGE if name.endswith(STORED) else 4,
    )


def check_apk(apk: Path, bindings: Bindings, scratch: Path) -> Path:
    """Take the assets out of a signed APK; return their folder. Raises CheckError where the model is not mappable."""
    content, out = apk.read_bytes(), scratch / "assets"
    wanted = f"assets/{bindings.id}/model.tflite"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for info in archive.infolist():
            if info.filename.startswith("assets/"):
                archive.extract(info, scratch)
        model = archive.getinfo(wanted)
        if model.compress_type != zipfile.ZIP_STORED:
            raise CheckError(
                f"{apk.name}: the model is deflated, and an app cannot map it",
                'androidResources { noCompress += "tflite" } in the app\'s build file; for aapt2, -0 .tflite',
            )
        offset = data_offset(content, model)
        if offset % PAGE:
            raise CheckError(
                f"{apk.name}: the model begins at byte {offset:,}, not on a page of {PAGE:,}",
                f"run `zipalign -f {PAGE} IN.apk OUT.apk` on it and sign it, or build the bundle's APK again: "
                "`kit android BUNDLE`",
            )
        if archive.read(model) != (bindings.bundle / "src/main" / wanted).read_bytes():
            raise CheckError(f"{apk.name}: its model is not the bundle's", "build the bundle again")
    return out


def _run(argv: Sequence[str]) -> list[str]:
    """Run a tool and return its lines. Raises EngineError with what it said."""
    tool = Path(argv[0]).name
    try:
        done = run_tool(argv, LIMIT)
    except subprocess.TimeoutExpired as error:
        raise EngineError(f"{tool} did not end in {LIMIT:.0f} s", "try again on a free machine") from error
    if done.returncode:
        raise EngineError(
            f"{tool} gave up:\n  {(done.stderr or done.stdout).strip()[-600:]}",
            _DOCTOR,
        )
    return done.stdout.splitlines()
