"""A few lines of Kotlin that call the generated class: to copy into an app."""

from __future__ import annotations

from collections.abc import Iterator

from kit.android.codegen.app_model import AppModel
from kit.android.codegen.kotlin_model import BindingsModel, Call, Output
from kit.android.codegen.read_signature import read_bindings
from kit.android.codegen.runtime_api import api_for


def bindings_of(app: AppModel) -> BindingsModel:
    """Return the class that is generated for a model, but for what its golden vectors allow."""
    return read_bindings(app, api_for(app.runtime, app.signature), {})


def usage(bindings: BindingsModel) -> str:
    """Return the lines: create it once, call it, read each output."""
    call = bindings.main
    lines = [
        f"import {bindings.package}.{bindings.name}",
        "",
        "// Once: creating it is slow. Calls are for a thread that may wait.",
        f"val model = {bindings.name}.create(context)",
        f"val outputs = model.{call.verb}({', '.join(_arguments(call))})",
        *(f"val {output.tensor.ident} = outputs.{_read(output)}" for output in call.outputs),
        "model.close()",
    ]
    return "\n".join(lines) + "\n"


def _arguments(call: Call) -> Iterator[str]:
    """Yield what the function is given: images, texts and sounds, or arrays."""
    if call.many:
        yield "listOf(bitmap)"
        return
    for tensor in call.inputs:
        yield tensor.arguments
    yield from (f"{sound.given_rate} = {sound.rate}" for sound in call.sounds)


def _read(output: Output) -> str:
    if output.decoder is not None:
        return f"{output.decoder.function}()"
    ident = output.tensor.ident
    return {
        "scores": f"{ident}Top(k = 3)",
        "yes": f"{ident}Yes()",
        "quantized": f"{ident}Real()",
    }.get(output.form, ident)
