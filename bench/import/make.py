"""Writes an LSTM of 1024 units, 33.6 MB, as `.keras`, `.h5` and `.onnx` into the folder that it is given.

Keras and onnx write the files; what is not installed is left out.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np

UNITS = 1024
folder = Path(sys.argv[1])

if find_spec("keras"):
    import keras

    model = keras.Sequential([keras.Input((None, UNITS)), keras.layers.LSTM(UNITS, return_sequences=True)])
    model.save(folder / "big.keras")
    model.save(folder / "big.h5")

if find_spec("onnx"):
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    numbers = np.random.default_rng(1)
    shapes = {"W": (1, 4 * UNITS, UNITS), "R": (1, 4 * UNITS, UNITS), "B": (1, 8 * UNITS)}
    weights = [numpy_helper.from_array(numbers.normal(scale=0.02, size=shape).astype(np.float32), name) for name, shape in shapes.items()]
    graph = helper.make_graph(
        [helper.make_node("LSTM", ["x", "W", "R", "B"], ["Y"], name="lstm", hidden_size=UNITS)], "big",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["T", "B", UNITS])],
        [helper.make_tensor_value_info("Y", TensorProto.FLOAT, ["T", 1, "B", UNITS])], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), folder / "big.onnx")
