"""Replay the golden vectors of all signatures, with training and the kept variables, and leave these as built."""

from .checks import Replay, SignatureCheck, StateCheck, TrainingCheck
from .compare import compare_edges, compare_output, compare_pixels, compare_sounds, compare_texts
from .golden import Golden, edge_outputs
from .interpreter import Runner, ask_all
from .model import Model
from .signature import Signature, Variables
from .state import assign, other_than, unlike
from .training import train


def replay(model: Model, runner: Runner, golden: Golden) -> Replay:
    """Return how far this runtime is from the outputs as built, signature by signature. Raises EmulateError.

    Begins and ends with the variables as built.
    """
    kept = model.variables
    built = golden.variables(kept)
    # First of all: any signature may change them.
    strange = () if kept is None else unlike(kept, runner, built)
    main = replay_vectors(model.main, runner, golden)
    others = []
    for signature in model.others:
        assign(kept, runner, built)
        others.append((signature.key, replay_vectors(signature, runner, golden)))
    if kept is None:
        return Replay(main, tuple(others))
    training, state = _replay_state(model, kept, runner, golden, strange)
    return Replay(main, tuple(others), training, state)


def replay_vectors(signature: Signature, runner: Runner, golden: Golden) -> SignatureCheck:
    """Return how far one signature is from its golden vectors, where golden.npz has any. Raises EmulateError."""
    if not golden.has_vectors(signature):
        return SignatureCheck()
    calls = ask_all(runner, signature, golden.inputs(signature))
    outputs = [
        (name, compare_output(signature, tensor, [call[name] for call in calls], golden))
        for name, tensor in signature.outputs.items()
    ]
    images = [tensor for tensor in signature.inputs.values() if golden.has(signature, "pixels", tensor.name)]
    pixels = [(tensor.name, compare_pixels(signature, tensor, golden)) for tensor in images]
    said = [tensor for tensor in signature.inputs.values() if golden.has(signature, "text", tensor.name)]
    texts = [(tensor.name, compare_texts(signature, tensor, golden)) for tensor in said]
    heard = [tensor for tensor in signature.inputs.values() if golden.has(signature, "audio", tensor.name)]
    sounds = [(tensor.name, compare_sounds(signature, tensor, golden)) for tensor in heard]
    edges = ask_all(runner, signature, golden.edge_inputs(signature)) if golden.has_edges(signature) else []
    edge_checks = [
        (name, compare_edges(signature, tensor, [call[name] for call in edges], golden))
        for name, tensor in (edge_outputs(signature).items() if edges else ())
    ]
    return SignatureCheck(
        vectors=len(calls),
        outputs=tuple(outputs),
        edges=len(edges),
        edge_outputs=tuple(edge_checks),
        pixels=tuple(pixels),
        texts=tuple(texts),
        sounds=tuple(sounds),
    )


def _replay_state(
    model: Model, kept: Variables, runner: Runner, golden: Golden, strange: tuple[str, ...]
) -> tuple[TrainingCheck | None, StateCheck]:
    """Change every kept variable, train, and put back what was built; return what that found. Raises EmulateError."""
    built = golden.variables(kept)
    changed = {name: other_than(values) for name, values in built.items()}
    assign(kept, runner, changed)
    assigned = unlike(kept, runner, changed)
    training = None
    if model.train is not None:
        assign(kept, runner, built)
        training = train(model.train, runner, golden)
    assign(kept, runner, built)
    restored = unlike(kept, runner, built)
    again = replay_vectors(model.main, runner, golden)
    assign(kept, runner, built)
    return training, StateCheck(strange, assigned, restored, again.passed)
