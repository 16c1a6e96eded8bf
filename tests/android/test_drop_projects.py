"""Bundles in and out of projects as teams have them: nothing of the user's is touched, and what they lack is said."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from gradle_projects import ANDROID, APPLY, BASE, CATALOG, FLAG, LAYOUTS, Layout, everything, kts
from projects import bundle, seal
from worlds import run_kit

from kit.android.install.app_module import Dropped, How, drop, remove
from kit.android.install.find_module import find_module
from kit.android.install.gradle_script import code_of
from kit.errors import CheckError, OutputError, RecipeError
from kit.files import tree_digests

TEST = "src/androidTest/kotlin/com/example/digits/DigitsGoldenTest.kt"


def whole(folder: Path, name: str = "digits", runtime: str = "litert:2.3.0") -> Path:
    """Write a bundle with an instrumented test and labels, as a build does."""
    package = f"com.example.{name}"
    place = bundle(folder, name, package, runtime)
    for path, text in {
        TEST.replace("digits", name).replace("Digits", name.capitalize()): f"package {package}\n",
        f"src/main/assets/{name}/labels.txt": "one\ntwo\n",
    }.items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_text(text)
    (place / f"src/main/assets/{name}/model.tflite").write_bytes(b"model\0of\r\n" + name.encode())
    return seal(place, runtime, package)


def update(place: Path) -> Path:
    """Make a newer bundle of one: a file less, one more, and another model."""
    (place / "src/debug/assets/digits/golden.bin").unlink()
    (place / "src/main/assets/digits/signature.json").write_text("{}\n")
    (place / "src/main/assets/digits/model.tflite").write_bytes(b"newer\0model")
    return seal(place)


def untouched(before: dict[str, str], folder: Path) -> bool:
    """Say whether all that was there is there as it was."""
    after = everything(folder)
    return {name: after.get(name) for name in before} == before


def project(folder: Path, **files: str) -> Path:
    """Write a project of an app and what is named, `_` in a name for a slash."""
    return Layout({**BASE, **{name.replace("__", "/"): text for name, text in files.items()}}).write(folder)


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_bundle_goes_into_a_project_twice_anew_and_out_and_nothing_of_the_users_is_touched(
    tmp_path: Path, name: str
) -> None:
    layout = LAYOUTS[name]
    root = layout.write(tmp_path / "project")
    before = everything(root)
    place = whole(tmp_path)
    into = root / layout.module if layout.module != "." else root
    done = drop(place, into)
    assert untouched(before, root)
    assert len(done.needs) == len(layout.needs), done.needs
    assert [part for part, line in zip(layout.needs, done.needs, strict=True) if part not in line] == []
    gradle = (into / "dropkit.gradle").read_text()
    assert f'    {layout.rules} "dropkit/digits.pro"' in gradle
    once = everything(root)
    again = drop(place, into)
    assert (again.written, again.removed, everything(root)) == ((), (), once)
    newer = drop(update(place), into)
    assert newer.removed == ("src/debug/assets/digits/golden.bin",)
    assert untouched(before, root)
    remove("digits", into)
    assert everything(root) == before


@pytest.mark.parametrize("name", LAYOUTS)
def test_what_a_project_lacks_is_written_with_a_copy_and_then_nothing_is_lacking(tmp_path: Path, name: str) -> None:
    layout = LAYOUTS[name]
    root = layout.write(tmp_path / "project")
    into = root / layout.module if layout.module != "." else root
    before = tree_digests(root)
    place = whole(tmp_path)
    dry = drop(place, into, how=How(write=True, dry_run=True))
    assert tree_digests(root) == before
    done = drop(place, into, how=How(write=True))
    assert done == dry
    assert (done.needs, bool(done.edited)) == ((), True)
    assert done.backup is not None
    kept = {path: sha for path, sha in tree_digests(Path(done.backup)).items() if path in before}
    assert kept and {path: before[path] for path in kept} == kept
    changed = {path for path, sha in tree_digests(root).items() if before.get(path, sha) != sha}
    assert changed == kept.keys()
    again = drop(place, into, how=How(write=True))
    assert (again.needs, again.edited, again.written, again.backup) == ((), (), (), None)


def test_lines_are_written_with_the_line_ends_of_the_file(tmp_path: Path) -> None:
    root = LAYOUTS["CRLF"].write(tmp_path / "project")
    drop(whole(tmp_path), root, how=How(write=True))
    text = (root / "app/build.gradle.kts").read_bytes()
    assert text.endswith(b'\r\napply(from = "dropkit.gradle")\r\n')
    assert text.count(b"\n") == text.count(b"\r\n")


def crlf(folder: Path) -> None:
    """Do what git does on Windows at a checkout: text gets CRLF, files with a zero stay."""
    for path in folder.rglob("*"):
        if path.is_file() and b"\0" not in (data := path.read_bytes()):
            path.write_bytes(data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))


def test_a_checkout_with_other_line_ends_is_no_change_by_hand(tmp_path: Path) -> None:
    root = LAYOUTS["alias"].write(tmp_path / "project")
    place = whole(tmp_path)
    drop(place, root)
    crlf(root)
    before = everything(root)
    again = drop(place, root)
    labels = root / "app/src/main/assets/digits/labels.txt"
    assert again.written == ("src/main/assets/digits/labels.txt",)  # the class reads it by lines
    assert labels.read_bytes() == b"one\ntwo\n"
    assert f"{root}/app/.gitattributes: add: src/*/assets/digits/* -text" in again.needs[-1]
    changed = {name for name, sha in everything(root).items() if before.get(name) != sha}
    assert changed == {"app/src/main/assets/digits/labels.txt", "app/dropkit.json"}
    crlf(root)
    newer = drop(update(place), root)
    assert "src/main/assets/digits/model.tflite" in newer.written
    crlf(root)
    remove("digits", root)
    assert not [name for name in everything(root) if "digits" in name or "dropkit" in name]


def test_a_model_with_other_line_ends_was_changed(tmp_path: Path) -> None:
    root = LAYOUTS["alias"].write(tmp_path / "project")
    place = whole(tmp_path)
    drop(place, root)
    model = root / "app/src/main/assets/digits/model.tflite"
    model.write_bytes(model.read_bytes().replace(b"\r\n", b"\n"))
    before = everything(root)
    with pytest.raises(OutputError, match=r"changed by hand.*model\.tflite"):
        remove("digits", root)
    assert everything(root) == before


def test_force_writes_over_what_is_in_the_way_and_keeps_a_copy(tmp_path: Path) -> None:
    root = LAYOUTS["existing assets"].write(tmp_path / "project")
    mine = root / "app/src/main/assets/digits/labels.txt"
    mine.write_text("mine\n")
    place = whole(tmp_path)
    with pytest.raises(OutputError, match=r"labels\.txt") as refused:
        drop(place, root)
    assert "--force, which keeps a copy" in refused.value.hint
    before = everything(root)
    dry = drop(place, root, how=How(force=True, dry_run=True))
    assert everything(root) == before
    done = drop(place, root, how=How(force=True))
    assert done == dry and done.backup is not None
    assert mine.read_text() == "one\ntwo\n"
    assert (Path(done.backup) / "app/src/main/assets/digits/labels.txt").read_text() == "mine\n"
    mine.write_text("mine again\n")
    gone = remove("digits", root, How(force=True))
    assert gone.backup == done.backup.removesuffix("1") + "2"
    assert (Path(gone.backup) / "app/src/main/assets/digits/labels.txt").read_text() == "mine again\n"
    assert not mine.exists() and mine.with_name("notes.txt").exists()


def two(folder: Path, app: str, **more: str) -> Path:
    """Write a project of an app and two libraries."""
    files = {
        "settings.gradle.kts": 'include(":app", ":one", ":two", ":other")\n',
        "app__build.gradle.kts": kts("alias(libs.plugins.androidApplication)") + app,
        "one__build.gradle.kts": kts("alias(libs.plugins.androidLibrary)"),
        "two__build.gradle.kts": kts("alias(libs.plugins.androidLibrary)"),
    }
    return project(folder, **{**files, **more})


BOTH = 'dependencies {\n    implementation(project(":one"))\n    api(projects.two)\n}\n'


def test_a_bundle_is_not_twice_in_one_app(tmp_path: Path) -> None:
    root = two(tmp_path / "project", BOTH)
    place = whole(tmp_path)
    drop(place, root / "one")
    before = everything(root)
    for module in ("two", "app"):
        with pytest.raises(
            OutputError, match=r"digits is in .*one, too, and both modules are in the app :app"
        ) as error:
            drop(place, root / module)
        assert error.value.hint == (
            "leave it there, and depend on that module; or take it out there: "
            f"kit drop digits --remove --into {root}/one"
        )
    assert everything(root) == before
    remove("digits", root / "one")
    assert drop(place, root / "two").written


@pytest.mark.parametrize("other", ["tflite:2.14.0", "litert:1.4.0"])
def test_two_runtimes_in_two_modules_of_one_app_are_refused(tmp_path: Path, other: str) -> None:
    root = two(tmp_path / "project", BOTH)
    drop(whole(tmp_path), root / "one")
    with pytest.raises(CheckError, match=f"faces is built for {other}, and digits in .*one for litert:2.3.0") as error:
        drop(whole(tmp_path, "faces", other), root / "two")
    assert error.value.hint == (
        f"build both for one [android] runtime, or take digits out there: kit drop digits --remove --into {root}/one"
    )
    remove("digits", root / "one")
    assert drop(tmp_path / "faces", root / "two").written


def test_modules_are_found_where_settings_compute_their_names(tmp_path: Path) -> None:
    loop = 'listOf(":app", ":one", ":two").forEach { include(it) }\n'
    root = two(tmp_path / "project", BOTH, **{"settings.gradle.kts": loop})
    drop(whole(tmp_path), root / "one")
    with pytest.raises(OutputError, match="both modules are in the app :app"):
        drop(tmp_path / "digits", root / "two")


def test_two_apps_of_one_project_may_each_have_it(tmp_path: Path) -> None:
    other = kts("alias(libs.plugins.androidApplication)") + 'dependencies { implementation(project(":two")) }\n'
    root = two(tmp_path / "project", 'dependencies { implementation(project(":one")) }\n')
    (root / "other").mkdir()
    (root / "other/build.gradle.kts").write_text(other)
    drop(whole(tmp_path), root / "one")
    assert drop(tmp_path / "digits", root / "two").written
    with pytest.raises(OutputError, match="both modules are in the app :other"):
        drop(tmp_path / "digits", root / "other")


def test_a_feature_and_the_app_that_it_extends_are_one_app(tmp_path: Path) -> None:
    root = LAYOUTS["dynamic feature"].write(tmp_path / "project")
    drop(whole(tmp_path), root / "camera")
    with pytest.raises(OutputError, match=r"digits is in .*camera, too"):
        drop(tmp_path / "digits", root / "app")


@pytest.mark.parametrize(
    "text",
    [
        '// id("com.android.application")\nplugins { java }\n',
        '/* /* nested */ plugins { id("com.android.application") } */\nplugins { java }\n',
        'plugins {\n    id("com.android.application") version "9.4.0" apply false\n}\n',
        "plugins {\n    alias(libs.plugins.androidApplication)\n        .apply(false)\n}\n",
        'buildscript { dependencies { classpath("com.android.tools.build:gradle:9.4.0") } }\n',
        'val text = """ plugins { id("com.android.application") } """\n',
        'plugins { java }\nplugins.withId("com.android.application") { }\n',
    ],
)
def test_what_a_script_only_mentions_makes_no_android_module(tmp_path: Path, text: str) -> None:
    root = project(tmp_path / "project", **{"app__build.gradle.kts": text})
    with pytest.raises(RecipeError, match="no Android module"):
        find_module(root)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("plugins {\n    id(libs.plugins.androidLibrary.get().pluginId)\n}\n", "library"),
        ('apply(plugin = "com.android.dynamic-feature")\n', "dynamic-feature"),
        ('plugins { id("x.y") }\napply { plugin("com.android.library") }\n', "library"),
        ("apply<com.android.build.gradle.LibraryPlugin>()\n", "library"),
        ("plugins {\n    `team-library`\n}\n", "library"),
        ("plugins {\n    id(Plugins.LIBRARY)\n}\n", "library"),
        ('apply(from = "$rootDir/gradle/library.gradle")\n', "library"),
        ('plugins {\n    id("com.android.library") // apply false\n}\n', "library"),
        ('plugins { id("vendor.binary") }\nandroid { namespace = "x" }\n', "unknown"),
        ('plugins { id("vendor.android.library") }\n', "unknown"),
        ("plugins {\n    alias(theirs.plugins.android.app)\n}\n", "unknown"),
        ('if (x) apply(plugin = "com.android.library") else apply(plugin = "com.android.application")\n', "unknown"),
        ('plugins { id("team.first") }\n', "application"),
        ('plugins { id("team.second") }\n', "library"),
        ('plugins { id("team.listed") }\n', "dynamic-feature"),
    ],
)
def test_plugins_are_followed_where_they_can_be_read(tmp_path: Path, text: str, kind: str) -> None:
    root = project(
        tmp_path / "project",
        **{
            "app__build.gradle.kts": text,
            "buildSrc__src__main__groovy__team-library.gradle": "plugins {\n    id 'com.android.library'\n}\n",
            "buildSrc__src__main__kotlin__Plugins.kt": 'object Plugins { const val LIBRARY = "com.android.library" }\n',
            "gradle__library.gradle": "apply plugin: 'com.android.library'\n",
            "buildSrc__build.gradle": "gradlePlugin {\n    plugins {\n"
            "        first { id = 'team.first'; implementationClass = 'First' }\n"
            "        second { id = 'team.second'; implementationClass = 'team.Second' }\n    }\n}\n",
            "buildSrc__src__main__kotlin__Both.kt": "class First : Plugin<Project> {\n"
            '    override fun apply(target: Project) { target.pluginManager.apply("com.android.application") }\n}\n'
            "class Second : Plugin<Project> {\n"
            "    override fun apply(target: Project) { target.plugins.apply(LibraryPlugin::class.java) }\n}\n",
            "buildSrc__src__main__resources__META-INF__gradle-plugins__team.listed.properties": (
                "implementation-class=Listed\n"
            ),
            "buildSrc__src__main__kotlin__Listed.kt": "class Listed : Plugin<Project> {\n"
            '    override fun apply(target: Project) = listOf("com.android.dynamic-feature", "kotlin-parcelize")\n'
            "        .forEach(target.pluginManager::apply)\n"
            '    fun Project.x() = plugins.withId("com.android.library") {}\n}\n',
        },
    )
    assert find_module(root).kind.removeprefix("com.android.") == kind
    drop(whole(tmp_path), root)
    gradle = (root / "app/dropkit.gradle").read_text()
    assert ("consumerProguardFile" in gradle) == (kind in {"library", "unknown"})
    assert ('hasPlugin("com.android.library")' in gradle) == (kind == "unknown")


def test_what_the_root_applies_to_its_subprojects_makes_modules_of_them_and_none_of_the_root(tmp_path: Path) -> None:
    each = 'subprojects {\n    apply(plugin = "com.android.library")\n}\n'
    root = project(tmp_path / "project", **{"build.gradle.kts": each, "app__build.gradle.kts": ANDROID})
    found = find_module(root)
    assert (found.folder, found.kind) == (root / "app", "com.android.library")


def test_modules_that_are_no_place_for_a_bundle_are_refused(tmp_path: Path) -> None:
    for number, plugin in enumerate(("com.android.test", "com.android.kotlin.multiplatform.library")):
        root = project(tmp_path / str(number), **{"app__build.gradle.kts": kts(f'id("{plugin}")')})
        with pytest.raises(RecipeError, match=f"a module of the plugin {plugin}") as error:
            drop(whole(tmp_path / f"b{number}"), root / "app")
        assert error.value.hint == "name a module of com.android.application or com.android.library that it uses"
    root = project(tmp_path / "right", **{"app__build.gradle.kts": kts('id("com.android.library")')})
    assert drop(tmp_path / "b0/digits", root / "app").written


def needs(
    folder: Path, files: Mapping[str, str], runtime: str = "litert:2.3.0", how: How | None = None
) -> tuple[Path, Dropped]:
    """Drop a bundle into a project with these files."""
    root = project(folder / "project", **files)
    return root, drop(whole(folder, runtime=runtime), root, how=how)


APP = kts("alias(libs.plugins.androidApplication)", ANDROID + APPLY)


def test_a_min_sdk_is_followed_into_the_catalog_and_raised_there(tmp_path: Path) -> None:
    text = APP.replace("minSdk = 24", "minSdk = libs.versions.minSdk.get().toInt()")
    old = CATALOG.replace('minSdk = "24"', 'minSdk = "21"')
    files = {"app__build.gradle.kts": text, "gradle__libs.versions.toml": old}
    root, done = needs(tmp_path, files, how=How(write=True))
    assert done.edited == (f"{root}/gradle/libs.versions.toml",)
    assert (root / "gradle/libs.versions.toml").read_text() == CATALOG


@pytest.mark.parametrize(
    ("text", "file"),
    [
        ("minSdkVersion 19", "app/build.gradle"),
        ("minSdkVersion(19)", "app/build.gradle"),
        ("minSdk { version = release(19) }", "app/build.gradle"),
        ("minSdkVersion rootProject.ext.leastSdk", "build.gradle"),
        ("minSdk Integer.parseInt(project.property('least.sdk'.replace('.', '')))", ""),
        ("minSdk 24", ""),
    ],
)
def test_a_min_sdk_is_read_as_groovy_writes_it(tmp_path: Path, text: str, file: str) -> None:
    files = {
        "app__build.gradle": ANDROID.replace("minSdk = 24", text) + "apply from: 'dropkit.gradle'\n",
        "build.gradle": "ext {\n    leastSdk = 19\n}\n",
    }
    files["app__build.gradle"] = (
        "plugins {\n    id 'com.android.application' version '9.4.0'\n}\n" + files["app__build.gradle"]
    )
    root, done = needs(tmp_path, files)
    assert [need.partition(": ")[0] for need in done.needs] == ([f"{root}/{file}"] if file else [])
    edited = drop(tmp_path / "digits", root, how=How(write=True))
    assert edited.needs == ()
    assert not file or "24" in (root / file).read_text()


@pytest.mark.parametrize(("runtime", "least"), [("litert:1.4.0", 26), ("tflite:2.14.0", 21), ("litert:2.3.0", 24)])
def test_the_least_sdk_is_that_of_the_runtime(tmp_path: Path, runtime: str, least: int) -> None:
    _, done = needs(tmp_path, {"app__build.gradle.kts": APP}, runtime)
    assert [need.endswith(f"({runtime} has minSdk {least})") for need in done.needs] == [True] * (least > 24)


def test_the_app_of_a_library_needs_the_sdk_too(tmp_path: Path) -> None:
    layout = LAYOUTS["library"]
    old = {"app/build.gradle.kts": layout.files["app/build.gradle.kts"].replace("minSdk = 24", "minSdk = 21")}
    root = Layout({**layout.files, **old}).write(tmp_path / "project")
    done = drop(whole(tmp_path), root / "core/ml")
    assert f"{root}/app/build.gradle.kts: in line 9, for minSdk = 21 write: minSdk = 24" in "\n".join(done.needs)


@pytest.mark.parametrize(
    ("runtime", "is_said"), [("tflite:2.14.0", True), ("litert:1.2.0", True), ("litert:1.4.0", False)]
)
def test_a_library_that_is_not_aligned_to_large_pages_is_named(tmp_path: Path, runtime: str, is_said: bool) -> None:
    _, done = needs(tmp_path, {"app__build.gradle.kts": APP}, runtime)
    assert any("not aligned to pages of 16 KB" in note and "litert:2.3.0" in note for note in done.notes) == is_said


@pytest.mark.parametrize(("agp", "is_said"), [("9.0.0", True), ("8.13.0", False)])
def test_the_namespace_of_litert_is_said_for_agp_9_alone(tmp_path: Path, agp: str, is_said: bool) -> None:
    kotlin = APP.replace("androidApplication)", 'androidApplication)\n    kotlin("android")')
    files = {"gradle.properties": "", "gradle__libs.versions.toml": CATALOG.replace("9.4.0", agp)}
    _, done = needs(tmp_path, {"app__build.gradle.kts": kotlin, **files})
    assert any("LiteRT#8474" in need for need in done.needs) == is_said
    (tmp_path / "project/gradle.properties").write_text("a=b\nandroid.uniquePackageNames = true\nc=d\n")
    drop(tmp_path / "digits", tmp_path / "project", how=How(write=True))
    text = (tmp_path / "project/gradle.properties").read_text()
    assert text == f"a=b\n{FLAG}c=d\n" if is_said else "true" in text


def test_what_the_instrumented_test_lacks_is_written_into_the_build_file(tmp_path: Path) -> None:
    bare = kts("alias(libs.plugins.androidApplication)", 'android { namespace = "x" }\n' + APPLY)
    root, done = needs(tmp_path, {"app__build.gradle.kts": bare})
    file = f"{root}/app/build.gradle.kts: add at its end: "
    assert done.needs == (
        file + 'dependencies { androidTestImplementation("androidx.test.ext:junit:1.3.0"); '
        'androidTestImplementation("androidx.test:runner:1.7.0") }',
        file + 'android { defaultConfig { testInstrumentationRunner = "androidx.test.runner.AndroidJUnitRunner" } }',
    )
    drop(tmp_path / "digits", root, how=How(write=True))
    lines = (root / "app/build.gradle.kts").read_text().splitlines()
    assert lines[-2:] == [need.removeprefix(file) for need in done.needs]
    of_catalog = bare + "android { testInstrumentationRunner = x }\ndependencies {\n"
    of_catalog += "    androidTestImplementation(libs.junit.ext)\n    androidTestImplementation(libs.test.runner)\n}\n"
    _, done = needs(tmp_path / "catalog", {"app__build.gradle.kts": of_catalog})
    assert done.needs == ()


def test_a_module_of_agp_8_that_applies_plugins_in_the_old_way_gets_kotlin_in_the_old_way(tmp_path: Path) -> None:
    old = "buildscript {\n    dependencies {\n        classpath 'com.android.tools.build:gradle:8.7.3'\n    }\n}\n"
    app = "apply plugin: 'com.android.application'\n" + ANDROID.replace("=", "") + "apply from: 'dropkit.gradle'\n"
    root, done = needs(tmp_path, {"app__build.gradle": app, "build.gradle": old}, how=How(write=True))
    assert done.needs == ()
    assert (root / "app/build.gradle").read_text().splitlines()[:2] == [
        "apply plugin: 'com.android.application'",
        "apply plugin: 'org.jetbrains.kotlin.android'",
    ]
    assert (
        "        classpath 'org.jetbrains.kotlin:kotlin-gradle-plugin:2.2.21'\n" in (root / "build.gradle").read_text()
    )


def test_the_plugin_of_kotlin_is_named_as_the_catalog_has_it(tmp_path: Path) -> None:
    catalog = CATALOG.replace("9.4.0", "8.7.3") + 'kotlin-android = "org.jetbrains.kotlin.android:2.1.0"\n'
    _, done = needs(tmp_path, {"app__build.gradle.kts": APP, "gradle__libs.versions.toml": catalog})
    assert [need.partition(": ")[2] for need in done.needs] == [
        "add in plugins { }: alias(libs.plugins.kotlin.android)"
    ]


def test_java_alone_where_no_version_is_said_gets_what_older_versions_need(tmp_path: Path) -> None:
    root = tmp_path / "project"
    files = {
        "settings.gradle": "include ':app'\n",
        "gradle.properties": FLAG,
        "app/build.gradle": "plugins {\n    id 'com.android.application'\n}\n"
        + ANDROID
        + "apply from: 'dropkit.gradle'\n",
        "app/src/main/java/Main.java": "class Main {}\n",
    }
    done = drop(whole(tmp_path), Layout(files).write(root))
    plugin, sources = done.needs
    assert "add in plugins { }: id 'org.jetbrains.kotlin.android' version '2.2.21' (AGP 9 compiles" in plugin
    assert (
        "src/main/kotlin is new here. AGP 7 compiles it; for an older one add at its end: android { source" in sources
    )


def test_other_folders_of_assets_get_ours_beside_them(tmp_path: Path) -> None:
    moved = APP + 'android { sourceSets { getByName("main") { assets.setSrcDirs(listOf("assets")) } } }\n'
    root, done = needs(tmp_path, {"app__build.gradle.kts": moved})
    line = 'android { sourceSets { getByName("main").assets.srcDir("src/main/assets") } }'
    assert done.needs == (f"{root}/app/build.gradle.kts: add at its end: {line}",)


def test_no_compression_is_asked_for_our_models_alone(tmp_path: Path) -> None:
    root, _ = needs(tmp_path, {"app__build.gradle.kts": APP})
    drop(whole(tmp_path, "faces"), root)
    gradle = (root / "app/dropkit.gradle").read_text()
    assert gradle.count("noCompress") == 1
    assert 'noCompress "digits/model.tflite", "faces/model.tflite"\n' in gradle


@pytest.mark.parametrize("module", ["library", "dynamic feature"])
def test_what_an_older_app_needs_of_a_module_is_noted_each_time(tmp_path: Path, module: str) -> None:
    layout = LAYOUTS[module]
    root = layout.write(tmp_path / "project")
    place = whole(tmp_path)
    for _ in range(2):
        (note,) = drop(place, root / layout.module).notes
        assert 'the app\'s build file: android.aaptOptions { noCompress "digits/model.tflite" }' in note


def test_a_linked_assets_folder_is_refused_and_left(tmp_path: Path) -> None:
    root = LAYOUTS["alias"].write(tmp_path / "project")
    (tmp_path / "shared").mkdir()
    (root / "app/src/main/assets").symlink_to(tmp_path / "shared")
    before = everything(tmp_path)
    with pytest.raises(OutputError, match="assets: a symbolic link, and a drop follows none"):
        drop(whole(tmp_path / "built"), root, how=How(force=True, write=True))
    shutil.rmtree(tmp_path / "built")
    assert everything(tmp_path) == before


@pytest.mark.parametrize("place", ["real.kts", "project/real.kts"])
def test_a_build_file_that_is_a_link_is_not_written(tmp_path: Path, place: str) -> None:
    root = LAYOUTS["alias"].write(tmp_path / "project")
    real = tmp_path / place
    shutil.move(root / "app/build.gradle.kts", real)
    (root / "app/build.gradle.kts").symlink_to(real)
    text = real.read_text()
    done = drop(whole(tmp_path), root, how=How(write=True))
    assert [need.partition(": ")[2] for need in done.needs] == ['add at its end: apply(from = "dropkit.gradle")']
    assert (real.read_text(), done.edited, done.backup) == (text, (), None)


@pytest.mark.parametrize("folders", ['["src", "../../x"]', '["src/main/kotlin/other"]', '"src"', "[1]"])
def test_folders_that_no_drop_made_are_refused(tmp_path: Path, folders: str) -> None:
    root = LAYOUTS["alias"].write(tmp_path / "project")
    drop(whole(tmp_path), root)
    state = root / "app/dropkit.json"
    start, _, rest = state.read_text().partition('"folders": [')
    state.write_text(f'{start}"folders": {folders}{rest.partition("]")[2]}')
    before = everything(root)
    with pytest.raises(RecipeError, match="no drop wrote this"):
        remove("digits", root)
    assert everything(root) == before


def test_the_command_says_what_it_would_do_and_then_what_it_did(tmp_path: Path) -> None:
    root = LAYOUTS["flavors"].write(tmp_path / "project")
    place = whole(tmp_path)
    before = everything(root)
    dry = run_kit("drop", str(place), "--into", str(root), "--write", "--dry-run")
    assert dry.stdout.splitlines()[0] == f"digits would be in {root}/app; nothing was changed"
    assert "would write: src/main/assets/digits/model.tflite\n" in dry.stdout
    assert f"would edit: {root}/app/build.gradle.kts\n" in dry.stdout
    assert everything(root) == before
    done = run_kit("drop", str(place), "--into", str(root), "--write")
    assert f"edited: {root}/app/build.gradle.kts\n" in done.stdout
    assert f"what was there before is in {root}/app/dropkit.backup/1\n" in done.stdout
    assert "next: " not in done.stdout


def test_copies_go_through_no_link(tmp_path: Path) -> None:
    root = LAYOUTS["alias"].write(tmp_path / "project")
    (tmp_path / "elsewhere").mkdir()
    (root / "app/dropkit.backup").symlink_to(tmp_path / "elsewhere")
    before = everything(tmp_path)
    with pytest.raises(OutputError, match=r"dropkit\.backup: a symbolic link"):
        drop(whole(tmp_path / "built"), root, how=How(write=True))
    shutil.rmtree(tmp_path / "built")
    assert everything(tmp_path) == before


def test_comments_become_blanks_and_strings_stay() -> None:
    text = 'a("http://x") // b\n/* c /* d */ e */ f("""/* g */""")\n'
    assert code_of(text) == 'a("http://x")     \n                  f("""/* g */""")\n'
    assert code_of("/* a /* b */ c", nested=False) == "             c"
