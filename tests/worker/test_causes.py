"""What messages of Python, Keras, TensorFlow and TFLite become: place, cause and next step, without their own words."""

from __future__ import annotations

import pytest

from kit.worker.evaluation.kernel_errors import explained
from kit.worker.failures.causes import fault_of
from kit.worker.failures.layer_calls import failed_in, watch_calls

# As TensorFlow 2.12 to 2.21 and both Keras write them.
TEXTS = {
    "Graph execution error:\n\nDetected at node 'm/words/embedding_lookup' defined at (most recent call last):\n"
    "    File \"/in/a.py\", line 3, in run\nNode: 'm/words/embedding_lookup'\nindices[0,0] = 50 is not in [0, 10)\n"
    "\t [[{{node m/words/embedding_lookup}}]] [Op:__inference_call_1]": (
        "operation 'm/words/embedding_lookup': indices[0,0] = 50 is not in [0, 10): an id beyond the end of a table",
        "range = [lowest, highest]",
    ),
    "Graph execution error:\n\nDetected at node 'm/check' defined at (most recent call last):\nNode: 'm/check'\n"
    "the moon is full\n\t [[{{node m/check}}]] [Op:__inference_call_1]": ("operation 'm/check': the moon is full", ""),
    "Exception encountered when calling layer 'dense' (type Dense).\n\nMatrix size-incompatible: In[0]: [1,9], In[1]: "
    "[8,3] [Op:MatMul]\n\nCall arguments received by layer 'dense' (type Dense):\n  - inputs=tf.Tensor": (
        "layer 'dense' (Dense): two shapes do not go together: In[0]: [1,9], In[1]: [8,3] [Op:MatMul]",
        "[[inputs]] shape",
    ),
    'Input 0 of layer "conv" is incompatible with the layer: expected min_ndim=4, found ndim=3. Full shape received': (
        "it takes tensors of 4 axes, and gets one of 3",
        "[[inputs]] shape",
    ),
    "Input to reshape is a tensor with 8 values, but the requested shape requires a multiple of 7 [Op:Reshape]": (
        "it reshapes 8 values, which do not fill its shape: that needs 7, or a multiple of it",
        "tf.reshape(x, [-1, ...])",
    ),
    "tf.function only supports singleton tf.Variables created on the first call. Make sure the tf.Variable is only": (
        "it makes a variable in its call",
        "build()",
    ),
    "Using a symbolic `tf.Tensor` as a Python `bool` is not allowed: AutoGraph did convert this function. This might": (
        "Python's if, while or for goes by a tensor's value, which a trace does not have",
        "tf.where",
    ),
    "OOM when allocating tensor with shape[1000000,1000000] and type float": (
        "it needs more memory than the job may have",
        "--memory 16g",
    ),
}


@pytest.mark.parametrize("text", TEXTS)
def test_a_librarys_message_becomes_place_cause_and_next_step(text: str) -> None:
    fault = fault_of(ValueError(text))
    assert (str(fault), TEXTS[text][1] in fault.hint) == (TEXTS[text][0], True)


def test_the_innermost_layer_of_a_call_is_named() -> None:
    """Also where Keras raises another exception in place of the first."""

    class Layer:
        def __init__(self, name: str, inner: Layer | None = None) -> None:
            self.name, self.inner = name, inner

        def __call__(self) -> None:
            if self.inner is None:
                raise ValueError("no")
            try:
                self.inner()
            except ValueError as error:
                raise RuntimeError("Exception encountered") from error

    class keras:  # noqa: N801 - stands for the package
        class layers:  # noqa: N801
            pass

    keras.layers.Layer = Layer  # type: ignore[attr-defined]
    begun: list[str] = []
    watch_calls([keras, keras], begun.append)
    with pytest.raises(RuntimeError) as caught:
        Layer("outer", Layer("inner"))()
    assert begun == ["layer 'outer' (Layer)", "layer 'inner' (Layer)"], "each once, though the package came twice"
    assert failed_in(caught.value) == "layer 'inner' (Layer)"


class Interpreter:
    """Gives the messages of TFLite for a file of two operators."""

    @staticmethod
    def _get_ops_details() -> list[dict[str, object]]:
        return [{"outputs": [1]}, {"outputs": [2]}]

    @staticmethod
    def get_tensor_details() -> list[dict[str, object]]:
        return [{"index": 1, "name": "m/dense/MatMul"}, {"index": 2, "name": "m/dense/BiasAdd;m/flat_1/Reshape"}]


def test_an_interpreters_message_becomes_operator_layer_and_condition() -> None:
    text = (
        "tensorflow/lite/kernels/reshape.cc:92 num_input_elements != num_output_elements (8 != 7)"
        "Node number 1 (RESHAPE) failed to prepare."
    )
    layers = ("dense", "flat")
    assert explained(text, Interpreter, layers) == (
        "operator RESHAPE (layer 'flat') cannot be prepared: num_input_elements != num_output_elements (8 != 7)"
    )
    assert explained(text.replace("RESHAPE", "TfLiteXNNPackDelegate").replace("prepare", "invoke")) == (
        "a kernel of XNNPACK fails: num_input_elements != num_output_elements (8 != 7)"
    )
    assert explained("") == "it does not say why"
