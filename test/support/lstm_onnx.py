"""Writes model.onnx, an LSTM of 2 inputs and 3 units, and prints h after one step of ONNX Runtime over [0.5, -0.25]."""

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

numbers = np.random.default_rng(0)
weights = {"W": (1, 12, 2), "R": (1, 12, 3), "B": (1, 24)}
graph = helper.make_graph(
    [helper.make_node("LSTM", ["x", "W", "R", "B"], ["", "h"], hidden_size=3)], "lstm",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 2])],
    [helper.make_tensor_value_info("h", TensorProto.FLOAT, [1, 1, 3])],
    [numpy_helper.from_array(numbers.normal(size=shape).astype(np.float32), name) for name, shape in weights.items()])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
onnx.save(model, "model.onnx")

session = onnxruntime.InferenceSession("model.onnx")
print(session.run(["h"], {"x": np.array([[[0.5, -0.25]]], np.float32)})[0].tolist())
