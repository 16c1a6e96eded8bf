"""Kotlin from a bundle's signature: names that compile, literals, golden.bin, and text that is the same twice."""

from __future__ import annotations

import random
import re
import unicodedata
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile_signature import NASTY, app_model, hostile_signature, image, signed, tensor

from kit.android.codegen.app_model import AppModel
from kit.android.codegen.kotlin_names import (
    WORDS,
    Scope,
    camel,
    comment,
    literal,
    package_name,
    upper_camel,
    upper_snake,
)
from kit.android.codegen.kotlin_tensor import float_literal
from kit.android.codegen.read_signature import MOST_CONSTANTS, class_name, read_bindings
from kit.android.codegen.runtime_api import APIS, Api, api_for, api_of, check_api, coordinate_of, runtime_for
from kit.android.codegen.write_sources import render_bindings, write_android
from kit.android.proof.kotlin_compiler import compile_kotlin, desktop_classpath
from kit.bundle.golden_bin import golden_bytes, golden_sections, read_golden
from kit.errors import KitError, ModelError, RecipeError
from kit.shared.npz import save_npz

IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
SIMPLE = {"signature": "serve", "inputs": [tensor("x")], "outputs": [tensor("y")]}


def nasty_texts() -> list[str]:
    """Give the hand-made traps, and texts of letters that mean something to Kotlin, drawn with a fixed seed."""
    rng = random.Random(5)  # noqa: S311
    letters = "aZ09_$\"'`\\/*{}[]@\n\r\t\0 .-éßΣЖ漢😀\u202e\ud800\u0301"
    drawn = ["".join(rng.choices(letters, k=rng.randrange(12))) for _ in range(2000)]
    return [*NASTY, *sorted(WORDS), *drawn]


def unescaped(text: str) -> str:
    """Return what Kotlin's compiler reads in a string literal, by its own grammar."""
    assert text[0] == text[-1] == '"'
    out, inner = "", text[1:-1]
    escape = re.compile(r'\\(?:u([0-9a-f]{4})|([tbnr\'"\\$]))|([^"\\$\n\r])')
    plain = {"t": "\t", "b": "\b", "n": "\n", "r": "\r"}
    place = 0
    while place < len(inner):
        match = escape.match(inner, place)
        assert match, f"{text!r} is no literal from {place} on"
        out += chr(int(match[1], 16)) if match[1] else plain.get(match[2], match[2]) if match[2] else match[3]
        place = match.end()
    return out.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


# ---------------------------------------------------------------- runtimes


@pytest.mark.parametrize(
    ("runtime", "api", "coordinate"),
    [
        ("litert:2.3.0", "compiled-model", "com.google.ai.edge.litert:litert:2.3.0"),
        ("litert:1.4.0", "interpreter", "com.google.ai.edge.litert:litert:1.4.0"),
        ("tflite:2.14.0", "interpreter", "org.tensorflow:tensorflow-lite:2.14.0"),
        ("litert:10.0.0", "compiled-model", "com.google.ai.edge.litert:litert:10.0.0"),
        ("play:16.5.0", "play-services", "com.google.android.gms:play-services-tflite-java:16.5.0"),
    ],
)
def test_a_runtime_says_its_api_and_its_coordinate(runtime: str, api: str, coordinate: str) -> None:
    assert (api_of(runtime), coordinate_of(runtime)) == (api, coordinate)


@pytest.mark.parametrize("runtime", ["litert", "litert:", "onnx:1.0", "litert:²", "play:new", ""])
def test_what_is_no_runtime_is_refused_with_those_there_are(runtime: str) -> None:
    with pytest.raises(RecipeError, match="is no runtime") as error:
        api_of(runtime)
    named = re.fullmatch(r"name one as (.*) or (\S+): `kit toolchains` lists them", error.value.hint)
    assert named
    for known in (*named[1].split(", "), named[2]):
        assert api_of(known) in APIS


def test_a_client_of_play_services_without_signatures_is_refused() -> None:
    assert api_of("play:16.5.0") == "play-services"
    with pytest.raises(RecipeError, match=r"play:16\.4\.0 cannot run a model by its names") as error:
        api_of("play:16.4.0")
    taken = re.search(r'take a newer one: \[android\] runtime = "(\S+)" is the first that can', error.value.hint)
    assert taken and api_of(taken[1]) == "play-services"


def test_play_services_have_no_tensorflow_operators() -> None:
    with pytest.raises(RecipeError, match="no TensorFlow operators, and the model needs FlexErf") as error:
        api_for("play:16.5.0", signed(SIMPLE | {"flex": ["FlexErf"]}))
    assert error.value.hint.startswith('[android] runtime = "tflite:2.14.0" can link them; or build the model without')
    assert api_for("tflite:2.14.0", signed(SIMPLE | {"flex": ["FlexErf"]})) == "interpreter"
    assert api_for("play:16.5.0", signed(SIMPLE)) == "play-services"


def test_play_services_have_no_way_to_reset_state() -> None:
    with pytest.raises(RecipeError, match=r"play:16\.5\.0 has no way to reset an operator's state") as error:
        api_for("play:16.5.0", signed(SIMPLE | {"resets": True}))
    assert 'leave fused_lstm out; or [android] runtime = "litert:2.3.0", whose Interpreter' in error.value.hint
    assert api_for("litert:2.3.0", signed(SIMPLE | {"resets": True})) == "interpreter"
    assert api_for("play:16.5.0", signed(SIMPLE)) == "play-services"


@pytest.mark.parametrize(
    ("api", "own", "linked"),
    [
        ("compiled-model", "litert:2.3.0", "litert:2.3.0"),
        ("interpreter", "litert:2.3.0", "litert:2.3.0"),
        ("compiled-model", "litert:1.4.0", "litert:2.3.0"),
        ("interpreter", "play:16.6.0", "litert:2.3.0"),
        ("play-services", "play:16.6.0", "play:16.6.0"),
        ("play-services", "litert:1.4.0", "play:16.5.0"),
    ],
)
def test_bindings_of_another_api_links_a_library_that_has_it(api: Api, own: str, linked: str) -> None:
    assert runtime_for(api, own, api_of(own)) == linked


def test_an_unknown_api_is_refused() -> None:
    with pytest.raises(RecipeError, match="--api 'both'") as error:
        check_api("both")
    named = error.value.hint.removeprefix("give one of ").split(", ")
    assert [check_api(name) for name in named] == list(APIS)


# ---------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("image", "image"),
        ("my input é", "myInputE"),
        ("digit/kernel", "digitKernel"),
        ("RGBImage2", "rgbImage2"),
        ("class", "classValue"),
        ("getClass", "getClassValue"),
        ("0digit", "input0digit"),
        ("", "input"),
        ("😀", "u1f600"),
        ("$x", "x"),
    ],
)
def test_a_tensor_has_a_readable_name_in_camel_case(text: str, name: str) -> None:
    assert camel(text, "input") == name


@pytest.mark.parametrize(
    ("text", "name"), [("7", "DIGIT_7"), ("golden retriever", "GOLDEN_RETRIEVER"), ("zwölf", "ZWOLF"), ("!", "DIGIT")]
)
def test_a_label_is_an_upper_case_constant(text: str, name: str) -> None:
    assert upper_snake(text, "DIGIT") == name


@pytest.mark.parametrize(
    ("bundle", "name"),
    [("digits", "Digits"), ("face_mood2", "FaceMood2"), ("string", "StringModel"), ("context", "ContextModel")],
)
def test_a_class_is_named_after_the_bundle_but_never_as_one_of_kotlins(bundle: str, name: str) -> None:
    assert class_name(bundle) == name


def test_every_text_becomes_an_identifier_that_needs_no_backticks() -> None:
    for text in nasty_texts():
        for name in (camel(text, "input"), upper_camel(text, "Output"), upper_snake(text, "LABEL")):
            assert IDENTIFIER.fullmatch(name) and len(name) < 70, (text, name)
        assert camel(text, "input") not in WORDS


def test_no_two_texts_meet_in_one_scope_and_their_order_decides() -> None:
    texts = nasty_texts()
    scopes = [Scope(["main"]), Scope(["main"])]
    first, second = ([scope.take(camel(text, "input"), ("Top",)) for text in texts] for scope in scopes)
    assert first == second
    taken = [name.casefold() for name in first] + [f"{name}Top".casefold() for name in first]
    assert len(set(taken)) == len(taken) and "main" not in taken


def test_a_package_with_a_word_of_kotlin_stands_between_backticks() -> None:
    assert package_name("com.example.in.object") == "com.example.`in`.`object`"


# ---------------------------------------------------------------- literals and comments


def test_a_literal_reads_back_as_the_text_and_shows_nothing_hidden() -> None:
    for text in nasty_texts():
        written = literal(text)
        assert unescaped(written) == text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
        assert not any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") for char in written), written


def test_a_literal_keeps_letters_of_any_alphabet() -> None:
    assert literal("名前 é 😀") == '"名前 é 😀"'
    assert literal('$a\n"') == '"\\$a\\n\\""'


def test_a_comment_can_neither_end_nor_begin_inside_a_comment() -> None:
    for text in nasty_texts():
        line = f" * `{comment(text)}`*/"
        assert line.count("*/") == 1 and "/*" not in line and "\n" not in line, line


def test_a_float_is_written_in_its_fewest_digits() -> None:
    assert [float_literal(value) for value in (0.003921568859368563, 255.0, 1e-7)] == [
        "0.003921569f",
        "255.0f",
        "1e-07f",
    ]
    with pytest.raises(ModelError):
        float_literal(float("inf"))


# ---------------------------------------------------------------- golden.bin


def golden_of(signature: dict[str, Any], calls: int = 2) -> dict[str, np.ndarray]:
    """Return arrays as golden.npz has them for a signature, of the right dtypes and shapes."""
    rng = np.random.default_rng(3)
    arrays: dict[str, np.ndarray] = {}
    entries = [(signature, ""), *((one, f"signature/{one['signature']}/") for one in signature.get("others", []))]
    entries += [(signature["train"], "signature/train/")] if "train" in signature else []
    for entry, prefix in entries:
        for kind, tensors in (("input", entry["inputs"]), ("output", entry["outputs"])):
            for one in tensors:
                sizes = [abs(size) for size in one["shape"]]
                shape = [calls * sizes[0], *sizes[1:]] if one.get("batched", True) else [calls, *sizes]
                arrays[f"{prefix}{kind}/{one['name']}"] = rng.integers(0, 2, shape).astype(one["dtype"])
                if kind == "output":
                    arrays[f"{prefix}tolerance/{one['name']}"] = np.array(1.0 if one["scale"] else 0.001)
    for one in signature.get("variables", {}).get("tensors", []):
        arrays[f"variable/{one['name']}"] = rng.integers(0, 2, one["shape"]).astype(one["dtype"])
    return arrays


def test_golden_bin_gives_back_every_array_by_call() -> None:
    signature = SIMPLE | {"inputs": [tensor("x", "int8", (4, 3)), tensor("gain", shape=(2,), batched=False)]}
    arrays = golden_of(signature, calls=3)
    sections = read_golden(golden_bytes(golden_sections(signed(signature), arrays)))
    assert {name: array.shape for name, array in sections.items()} == {
        "serve/input/x": (3, 4, 3),
        "serve/input/gain": (3, 2),
        "serve/output/y": (3, 1, 3),
    }
    assert sections["serve/input/x"].dtype == np.int8
    assert np.array_equal(sections["serve/input/x"].reshape(12, 3), arrays["input/x"])


def test_golden_bin_has_the_variables_as_what_their_signature_gives() -> None:
    signature, _ = hostile_signature(int16=True)
    sections = golden_sections(signed(signature), golden_of(signature))
    assert sections["read_variables/output/class"].shape == (1, 2)
    assert "train/input/x" in sections and "train/output/loss" not in sections


def test_one_flipped_byte_of_golden_bin_is_seen() -> None:
    content = bytearray(golden_bytes(golden_sections(signed(SIMPLE), golden_of(SIMPLE))))
    for place in range(len(content)):
        content[place] ^= 1
        with pytest.raises(ValueError, match=r"golden\.bin|checksum"):
            read_golden(bytes(content))
        content[place] ^= 1
    assert int.from_bytes(content[8:12], "little") == zlib.crc32(content[12:])


def test_a_missing_variable_is_an_error_with_the_next_step() -> None:
    signature = SIMPLE | {"variables": {"read": "r", "assign": "a", "tensors": [tensor("w", shape=(2,))]}}
    with pytest.raises(ModelError, match=r"no variable 'w'(.|\n)*build the bundle again"):
        golden_sections(signed(signature), golden_of(SIMPLE))
    assert golden_sections(signed(signature), golden_of(signature))


def test_two_tensors_that_would_be_one_section_are_set_apart_by_another_name() -> None:
    """The prefix of a second signature may be what a tensor of the first is called."""
    twins = SIMPLE | {"inputs": [tensor("x"), tensor("x")]}
    with pytest.raises(ModelError, match=r"two tensors are both 'serve/input/x'(.|\n)*give one of them another name"):
        golden_sections(signed(twins), golden_of(twins))
    apart = SIMPLE | {"inputs": [tensor("x"), tensor("z")]}
    assert len(golden_sections(signed(apart), golden_of(apart))) == 3


# ---------------------------------------------------------------- what the templates say


def bindings_of(
    signature: dict[str, Any], api: Api = "compiled-model", labels: dict[str, Sequence[str]] | None = None
) -> Any:
    return read_bindings(app_model(signature, labels), api, allowed={})


def test_outputs_are_what_the_recipe_says_of_them() -> None:
    outputs = [
        tensor("scores", "uint8", (1, 3), kind="classes", labels=None, activation="softmax", scale=0.5, zero_point=1),
        tensor("sure", shape=(1, 1), kind="classes", labels=None, activation="sigmoid"),
        tensor("rows", shape=(1, 7, 3), kind="classes", labels=None, activation="none"),
        tensor("box", "int8", scale=0.5, zero_point=1),
    ]
    call = bindings_of(SIMPLE | {"outputs": outputs}).main
    assert [output.form for output in call.outputs] == ["scores", "yes", "plain", "quantized"]
    assert call.verb == "classify" and bindings_of(SIMPLE).main.verb == "run"


def test_labels_beyond_what_an_enum_can_hold_are_read_from_their_asset() -> None:
    def labels(count: int) -> Any:
        output = tensor("y", shape=(1, count), kind="classes", labels="labels.txt", activation="none")
        return bindings_of(SIMPLE | {"outputs": [output]}, labels={"y": [f"l{i}" for i in range(count)]}).labels[0]

    assert labels(MOST_CONSTANTS).enum and not labels(MOST_CONSTANTS + 1).enum


def test_labels_that_are_not_as_many_as_classes_are_refused() -> None:
    output = tensor("y", shape=(1, 3), kind="classes", labels="labels.txt", activation="none")
    with pytest.raises(ModelError, match=r"3 classes and 2 labels(.|\n)*give the model's own labels, one a line"):
        bindings_of(SIMPLE | {"outputs": [output]}, labels={"y": ["a", "b"]})
    assert bindings_of(SIMPLE | {"outputs": [output]}, labels={"y": ["a", "b", "c"]}).labels


MIB = 2**20


@pytest.mark.parametrize(
    ("bad", "api", "what", "step", "mended"),
    [
        (tensor("x", "float16"), "interpreter", "float16", "give the model another dtype there", tensor("x")),
        (
            tensor("x", "int16"),
            "compiled-model",
            "CompiledModel cannot hold",
            "take the Interpreter: leave --api",
            None,
        ),
        (tensor("x", shape=(1, -1)), "compiled-model", "one size", "or take the Interpreter: leave --api out", None),
        (
            tensor("x", shape=(1, -1)),
            "compiled-model",
            "one size",
            "give it a fixed size ([[inputs]] shape, [model] batch)",
            tensor("x", shape=(1, 7)),
        ),
        (
            tensor("x", shape=(4096, MIB)),
            "interpreter",
            "an array of the JVM ends",
            "give a smaller [model] batch",
            tensor("x", shape=(1, MIB)),
        ),
        (
            tensor("x", shape=(1, 4096, MIB)),
            "interpreter",
            "an array of the JVM ends",
            "or, where the model leaves an axis open, a smaller [[inputs]] shape",
            tensor("x", shape=(1, 16, MIB)),
        ),
    ],
)
def test_what_kotlin_cannot_hold_is_refused_by_name_and_taken_after_the_next_step(
    bad: dict[str, Any], api: Api, what: str, step: str, mended: dict[str, Any] | None
) -> None:
    with pytest.raises(KitError, match=what) as error:
        bindings_of(SIMPLE | {"inputs": [bad]}, api)
    assert "'x'" in error.value.message
    assert step in error.value.hint
    right = SIMPLE | {"inputs": [mended or bad]}
    # Without --api a bundle has what fits it: LiteRT 2 brings the Interpreter, too.
    own = api if mended else api_for("litert:2.3.0", signed(right))
    assert bindings_of(right, own).main.inputs


def test_a_build_takes_the_interpreter_for_a_variable_that_compiled_model_cannot_hold() -> None:
    variables = {"read": "r", "assign": "a", "tensors": [tensor("w", "int16", shape=(2,))]}
    kept = SIMPLE | {"variables": variables}
    with pytest.raises(RecipeError, match="'w' is int16") as error:
        bindings_of(kept, api_for("litert:2.3.0", signed(kept)))
    runtime = re.search(r'a build takes it with \[android\] runtime = "(\S+)"', error.value.hint)
    assert runtime and bindings_of(kept, api_for(runtime[1], signed(kept))).variables


def test_more_inputs_than_kotlin_takes_are_joined_in_the_model() -> None:
    many = [tensor(f"x{number}") for number in range(300)]
    with pytest.raises(ModelError, match=r"has 300 inputs(.|\n)*join inputs in the model"):
        bindings_of(SIMPLE | {"inputs": many})
    assert bindings_of(SIMPLE | {"inputs": [tensor("x", shape=(1, 300))]}).main.inputs


def test_an_open_axis_is_refused_with_the_runtime_that_takes_it_and_taken_there() -> None:
    signature = SIMPLE | {"inputs": [tensor("x", shape=(1, -1, 3))]}
    with pytest.raises(RecipeError) as error:
        bindings_of(signature)
    assert "litert:1.4.0" in error.value.hint
    (taken,) = bindings_of(signature, "interpreter").main.inputs
    assert taken.parameters == "x: FloatArray, xShape: IntArray"


def test_an_image_fills_an_input_of_one_sample_and_of_a_type_that_pixels_become() -> None:
    inputs = [
        image("a", "uint8", "rgb", "crop"),
        image("b", "uint8", "rgb", "crop") | {"shape": [4, 6, 4, 3]},
        image("c", "uint8", "rgb", "crop") | {"scale": None},
    ]
    assert [one.tensor.name for one in bindings_of(SIMPLE | {"inputs": inputs}).images] == ["a"]


# ---------------------------------------------------------------- the files


def written(folder: Path, runtime: str, *, opened: bool = False) -> dict[str, bytes]:
    signature, labels = hostile_signature(int16=api_of(runtime) != "compiled-model", opened=opened)
    folder.mkdir(parents=True, exist_ok=True)
    save_npz(folder / "golden.npz", golden_of(signature))
    model = AppModel(signed(signature, "string"), runtime, "com.example.in", labels)
    write_android(folder / "out", model, folder / "golden.npz")
    files = (path for path in (folder / "out").rglob("*") if path.is_file())
    return {path.relative_to(folder / "out").as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize("runtime", ["litert:2.3.0", "litert:1.4.0", "play:16.5.0"])
def test_a_bundle_gets_its_class_its_test_its_vectors_and_its_rules(tmp_path: Path, runtime: str) -> None:
    files = written(tmp_path, runtime)
    fixed = {name: content for name, content in files.items() if "/in/string/dropkit/" in name}
    assert sorted(files.keys() - fixed.keys()) == [
        "consumer-rules.pro",
        "src/androidTest/kotlin/com/example/in/StringModelGoldenTest.kt",
        "src/debug/assets/string/golden.bin",
        "src/main/kotlin/com/example/in/StringModel.kt",
    ]
    keeps = b"-keep class com.google.ai.edge.litert.**" in files["consumer-rules.pro"]
    assert keeps == (runtime == "litert:2.3.0")
    kotlin = files["src/main/kotlin/com/example/in/StringModel.kt"].decode()
    engine = b"".join(fixed.values()).decode()
    classes = {"com.google.ai.edge.litert.CompiledModel", *(f"org.tensorflow.lite.Interpreter{x}" for x in ("", "Api"))}
    imported = {
        "litert:2.3.0": "com.google.ai.edge.litert.CompiledModel",
        "litert:1.4.0": "org.tensorflow.lite.Interpreter",
        "play:16.5.0": "org.tensorflow.lite.InterpreterApi",
    }
    assert {one for one in classes if f"import {one}\n" in engine} == {imported[runtime]}
    assert "package com.example.`in`\n" in kotlin
    assert kotlin.endswith("}\n") and "\r" not in kotlin and not re.search(r"[ \t]$", kotlin, re.MULTILINE)


@pytest.mark.parametrize("runtime", ["litert:2.3.0", "litert:1.4.0", "play:16.5.0"])
def test_every_file_is_the_same_twice(tmp_path: Path, runtime: str) -> None:
    assert written(tmp_path / "one", runtime) == written(tmp_path / "two", runtime)


@pytest.mark.parametrize("api", APIS)
def test_the_original_names_are_constants(tmp_path: Path, api: Api) -> None:
    signature, labels = hostile_signature(int16=False)
    save_npz(tmp_path / "golden.npz", golden_of(signature))
    render_bindings(tmp_path, app_model(signature, labels), api, tmp_path / "golden.npz")
    text = (tmp_path / "src/main/kotlin/com/example/m/M.kt").read_text("utf-8")
    constants = dict(re.findall(r"^ +public const val ([A-Z0-9_]+): String = (\".*\")$", text, re.MULTILINE))
    found = {unescaped(value) for value in constants.values()}
    wanted = {one["name"] for one in (*signature["inputs"], *signature["outputs"], *signature["variables"]["tensors"])}
    assert wanted <= found
    assert len(constants) == len(re.findall(r"^ +public const val [A-Z0-9_]+: String = \"", text, re.MULTILINE))


@pytest.mark.parametrize(
    ("runtime", "opened"),
    [
        ("litert:2.3.0", False),
        *(
            pytest.param(runtime, opened, marks=pytest.mark.slow)
            for runtime in ("litert:1.4.0", "play:16.5.0")
            for opened in (False, True)
        ),
    ],
)
def test_the_hostile_signature_compiles_with_warnings_as_errors(
    tmp_path: Path, runtime: str, opened: bool, android_tools: None
) -> None:
    written(tmp_path, runtime, opened=opened)
    classpath = desktop_classpath(print)
    sources = [tmp_path / "out" / "src" / part / "kotlin" for part in ("main", "androidTest")]
    compile_kotlin(sources, classpath, tmp_path / "classes", print)
    package = tmp_path / "classes" / "com" / "example" / "in"
    assert {"StringModel.class", "StringModelGoldenTest.class"} <= {path.name for path in package.iterdir()}
