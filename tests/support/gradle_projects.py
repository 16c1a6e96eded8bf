"""Android projects as teams have them: of each the files that Gradle reads, short, and files of the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kit.files import tree_digests

ANDROID = """
android {
    namespace = "com.example.app"
    compileSdk = 36
    defaultConfig {
        minSdk = 24
        testInstrumentationRunner = "androidx.test.runner.AndroidJUnitRunner"
    }
}

dependencies {
    androidTestImplementation("androidx.test.ext:junit:1.3.0")
    androidTestImplementation("androidx.test:runner:1.7.0")
}
"""
APPLY = 'apply(from = "dropkit.gradle")\n'
FLAG = "android.uniquePackageNames=false\n"
CATALOG = """[versions]
agp = "9.4.0"
minSdk = "24"
[libraries]
junit-ext = { module = "androidx.test.ext:junit", version = "1.3.0" }
test-runner = { group = "androidx.test", name = "runner", version = "1.7.0" }
agp = { module = "com.android.tools.build:gradle", version.ref = "agp" }
[plugins]
androidApplication = { id = "com.android.application", version.ref = "agp" }
androidLibrary = { id = "com.android.library", version.ref = "agp" }
feature = "com.android.dynamic-feature:9.4.0"
team-app = { id = "com.team.app" }
"""


def kts(plugin: str, more: str = ANDROID) -> str:
    return f"plugins {{\n    {plugin}\n}}\n{more}"


@dataclass(frozen=True)
class Layout:
    """A project: its files, where a bundle goes, and what that is."""

    files: Mapping[str, str]
    module: str = "app"
    rules: str = "proguardFile"  # of dropkit.gradle
    needs: tuple[str, ...] = ("dropkit.gradle",)  # a part of each line that is said
    empty: tuple[str, ...] = field(default=())  # folders without a file

    def write(self, folder: Path) -> Path:
        """Write the project, and return its folder."""
        for name, text in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(text.encode())
        for name in self.empty:
            (folder / name).mkdir(parents=True)
        return folder


def everything(folder: Path) -> dict[str, str]:
    """Return every path below a folder: the SHA-256 of a file, and what else it is."""
    files = tree_digests(folder)
    others = (path for path in folder.rglob("*") if path.is_dir() or path.is_symlink())
    return {
        **files,
        **{path.relative_to(folder).as_posix(): "link" if path.is_symlink() else "folder" for path in others},
    }


BASE = {"settings.gradle.kts": 'include(":app")\n', "gradle.properties": FLAG, "gradle/libs.versions.toml": CATALOG}
OWN = {"app/src/main/kotlin/com/example/app/Main.kt": "package com.example.app\n"}

LAYOUTS: dict[str, Layout] = {
    "alias": Layout({**BASE, **OWN, "app/build.gradle.kts": kts("alias(libs.plugins.androidApplication)")}),
    "version catalog of another name": Layout(
        {
            **OWN,
            "settings.gradle.kts": 'dependencyResolutionManagement {\n    versionCatalogs {\n        create("deps") {\n'
            '            from(files("versions/all.toml"))\n        }\n    }\n}\ninclude(":app")\n',
            "gradle.properties": FLAG,
            "versions/all.toml": CATALOG,
            "app/build.gradle.kts": kts("alias(deps.plugins.androidLibrary)"),
        },
        rules="consumerProguardFile",
    ),
    "convention plugin as a script": Layout(
        {
            **BASE,
            **OWN,
            "buildSrc/build.gradle.kts": "plugins { `kotlin-dsl` }\n",
            "buildSrc/src/main/kotlin/com/team/app-conventions.gradle.kts": "package com.team\n\n"
            + kts('id("com.android.application")'),
            "app/build.gradle.kts": kts('id("com.team.app-conventions")', ""),
        }
    ),
    "convention plugin as a class": Layout(
        {
            **BASE,
            **OWN,
            "settings.gradle.kts": 'pluginManagement { includeBuild("build-logic") }\ninclude(":app")\n',
            "build-logic/convention/build.gradle.kts": 'gradlePlugin {\n    plugins {\n        register("lib") {\n'
            '            id = "com.team.lib"\n            implementationClass = "LibPlugin"\n        }\n'
            '        register("app") {\n            id = libs.plugins.team.app.get().pluginId\n'
            '            implementationClass = "com.team.AppPlugins"\n        }\n    }\n}\n',
            "build-logic/convention/src/main/kotlin/LibPlugin.kt": "class LibPlugin : Plugin<Project> {\n"
            '    override fun apply(target: Project) = target.pluginManager.apply("com.android.library")\n}\n',
            "build-logic/convention/src/main/kotlin/com/team/AppPlugins.kt": "package com.team\n"
            "class AppPlugins : Plugin<Project> {\n    override fun apply(target: Project) = with(target) {\n"
            "        with(pluginManager) {\n"
            '            apply(libs.findPlugin("androidApplication").get().get().pluginId)\n        }\n'
            "        configureInstrumentedTests()\n    }\n}\n",
            "build-logic/convention/src/main/kotlin/com/team/Tests.kt": "package com.team\n"
            "fun Project.configureInstrumentedTests() {\n"
            '    testInstrumentationRunner = "androidx.test.runner.AndroidJUnitRunner"\n    dependencies {\n'
            '        add("androidTestImplementation", libs.findLibrary("junit-ext").get())\n'
            '        add("androidTestImplementation", libs.findLibrary("test-runner").get())\n    }\n}\n',
            "app/build.gradle.kts": kts("alias(libs.plugins.team.app)", 'android { namespace = "com.example.app" }\n'),
        }
    ),
    "Groovy": Layout(
        {
            **OWN,
            "settings.gradle": "include ':app', ':pure'\n",
            "gradle.properties": FLAG,
            "build.gradle": "buildscript {\n    ext.agp = '9.4.0'\n    dependencies {\n"
            '        classpath "com.android.tools.build:gradle:$agp"\n    }\n}\n',
            "pure/build.gradle": "// apply plugin: 'com.android.library'\napply plugin: 'java-library'\n",
            "app/build.gradle": "apply plugin: 'com.android.application'\n" + ANDROID.replace("=", ""),
        }
    ),
    "flavors": Layout(
        {
            **BASE,
            **OWN,
            "app/build.gradle.kts": kts("alias(libs.plugins.androidApplication)")
            + 'android {\n    flavorDimensions += "tier"\n    productFlavors {\n        create("old") {\n'
            '            minSdk = 19\n        }\n        create("new") { minSdk = 28 }\n    }\n}\n',
            "app/src/old/assets/digits/theirs.txt": "of a flavor\n",
        },
        needs=("dropkit.gradle", "for minSdk = 19 write: minSdk = 24 (litert:2.3.0 has minSdk 24)"),
    ),
    "library": Layout(
        {
            **BASE,
            "settings.gradle.kts": 'include(":app")\ninclude(":core:ml")\n',
            "app/build.gradle.kts": kts("alias(libs.plugins.androidApplication)")
            + "dependencies { implementation(projects.core.ml) }\n",
            "core/ml/build.gradle.kts": kts("alias(libs.plugins.androidLibrary)"),
        },
        module="core/ml",
        rules="consumerProguardFile",
    ),
    "dynamic feature": Layout(
        {
            **BASE,
            "settings.gradle.kts": 'include(":app", ":camera")\n',
            "app/build.gradle.kts": kts("alias(libs.plugins.androidApplication)")
            + 'android { dynamicFeatures += setOf(":camera") }\n',
            "camera/build.gradle.kts": kts("alias(libs.plugins.feature)")
            + 'dependencies { implementation(project(":app")) }\n',
        },
        module="camera",
    ),
    "CRLF": Layout(
        {
            name: text.replace("\n", "\r\n")
            for name, text in {
                **BASE,
                **OWN,
                "app/build.gradle.kts": kts("alias(libs.plugins.androidApplication)"),
            }.items()
        }
    ),
    "Java only, AGP 8": Layout(
        {
            "settings.gradle.kts": 'include(":app")\n',
            "build.gradle.kts": 'plugins { id("com.android.application") version "8.7.3" apply false }\n',
            "app/build.gradle.kts": kts('id("com.android.application")'),
            "app/src/main/java/com/example/app/Main.java": "package com.example.app;\nclass Main {}\n",
        },
        needs=("dropkit.gradle", 'add in plugins { }: id("org.jetbrains.kotlin.android") version "2.2.21"'),
    ),
    "AGP 9": Layout(
        {
            **BASE,
            **OWN,
            "gradle.properties": "org.gradle.jvmargs=-Xmx2g\n",
            "app/build.gradle.kts": kts("alias(libs.plugins.androidApplication)"),
        },
        needs=("dropkit.gradle", "gradle.properties: add: android.uniquePackageNames=false"),
    ),
    "existing assets": Layout(
        {
            **BASE,
            "app/build.gradle.kts": kts("alias(libs.plugins.androidApplication)"),
            "app/src/main/assets/other.tflite": "of the user",
            "app/src/main/assets/digits/notes.txt": "beside the model\n",
            "app/proguard-rules.pro": "-keep class mine\n",
        },
        empty=("app/src/main/kotlin/com/example", "app/src/debug/assets/empty"),
    ),
    "a root that is the app": Layout(
        {
            "settings.gradle.kts": 'rootProject.name = "one"\n',
            "gradle.properties": FLAG,
            "build.gradle.kts": kts('id("com.android.application") version "9.4.0"'),
        },
        module=".",
    ),
}
