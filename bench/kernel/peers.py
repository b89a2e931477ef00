"""The Python peers of bench/kernel: reads one request per line and answers each with one line.

    {"peer": "lstm", "rows": 8, "I": 64, "Hi": 64, "Ho": 64, "steps": 64, "ms": 100}  ->  {"us": 12.3}

    {"peer": "PyTorch", "rows": 8, "supports": 64, "width": 512, "own": true, "ms": 100}    ->  {"us": 12.3}

`us` is the time per step, or per attention read, the best of a few stretches that take `ms` in total. The first line of output
names the versions.
"""
import json
import sys
import time

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper

torch.set_num_threads(1)
torch.manual_seed(0)


class CustomLSTM(torch.nn.Module):
    """The cell as people write it in PyTorch, if the two hidden sizes differ."""

    def __init__(self, I, Hi, Ho):
        super().__init__()
        self.input_linear = torch.nn.Linear(I, 4 * Ho)
        self.hidden_linear = torch.nn.Linear(Hi, 4 * Ho)

    def forward(self, x, h, c):
        i, f, g, o = (self.input_linear(x) + self.hidden_linear(h)).chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c


def custom(rows, I, Hi, Ho, steps):
    cell = CustomLSTM(I, Hi, Ho).eval()
    x, h0, c0 = torch.randn(steps, rows, I), torch.randn(rows, Hi), torch.randn(rows, Ho)

    def call():
        h_in, c = h0, c0
        for t in range(steps):
            h, c = cell(x[t], h_in, c)
            h_in = h if Hi == Ho else torch.cat([h] * (Hi // Ho), 1)

    return call


def lstm_cell(rows, I, Hi, Ho, steps):
    cell = torch.nn.LSTMCell(I, Ho).eval()
    x, h0, c0 = torch.randn(steps, rows, I), torch.randn(rows, Ho), torch.randn(rows, Ho)

    def call():
        h, c = h0, c0
        for t in range(steps):
            h, c = cell(x[t], (h, c))

    return call


def lstm(rows, I, Hi, Ho, steps):
    model = torch.nn.LSTM(I, Ho).eval()
    x, state = torch.randn(steps, rows, I), (torch.randn(1, rows, Ho), torch.randn(1, rows, Ho))
    return lambda: model(x, state)


def onnx_lstm(rows, I, Hi, Ho, steps):
    rng = np.random.default_rng(0)

    def values(*shape):
        return (rng.standard_normal(shape) / np.sqrt(shape[-1])).astype(np.float32)

    def info(name, shape):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    weights = {"W": values(1, 4 * Ho, I), "R": values(1, 4 * Ho, Ho), "B": values(1, 8 * Ho)}
    graph = helper.make_graph(
        [helper.make_node("LSTM", ["x", "W", "R", "B", "", "h", "c"], ["y", "y_h", "y_c"], hidden_size=Ho)],
        "lstm",
        [info("x", [steps, rows, I]), info("h", [1, rows, Ho]), info("c", [1, rows, Ho])],
        [info("y", [steps, 1, rows, Ho]), info("y_h", [1, rows, Ho]), info("y_c", [1, rows, Ho])],
        [onnx.numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    feeds = {"x": values(steps, rows, I), "h": values(1, rows, Ho), "c": values(1, rows, Ho)}
    return lambda: session.run(None, feeds)


def reads(rows, supports, width, own):
    """An attention read, eagerly, in each of the ways people write it."""
    q, s = torch.randn(rows, width), torch.randn(*([rows] if own else []), supports, width)
    if not own:
        return [lambda: torch.softmax(q @ s.T, 1) @ s]

    def matmul():
        weights = torch.softmax((s @ q.unsqueeze(2)).squeeze(2), 1)
        return (weights.unsqueeze(1) @ s).squeeze(1)

    def einsum():
        weights = torch.softmax(torch.einsum("bd,bnd->bn", q, s), 1)
        return torch.einsum("bn,bnd->bd", weights, s)

    return [matmul, einsum]


PEERS = {"CustomLSTM": custom, "LSTMCell": lstm_cell, "LSTM": lstm, "ONNX Runtime": onnx_lstm}
calls = {}


def measure(call, steps, ms):
    def timed(times):
        start = time.perf_counter()
        for _ in range(times):
            call()
        return (time.perf_counter() - start) / times

    first = timed(1)
    if first > ms / 1000:
        best = min(first, timed(1))
    else:
        times = max(1, int(ms / 1000 / 3 / max(timed(3), 5e-7)))
        best = min(timed(times) for _ in range(3))
    return best * 1e6 / steps


def answer(request):
    if "supports" in request:
        return answer_read(request)
    shape = tuple(request[name] for name in ("rows", "I", "Hi", "Ho", "steps"))
    if request["peer"] not in PEERS or (request["peer"] != "CustomLSTM" and shape[2] != shape[3]):
        return {"us": None}
    key = (request["peer"], *shape)
    if key not in calls:
        calls[key] = PEERS[request["peer"]](*shape)
    return {"us": measure(calls[key], shape[4], request["ms"])}


def answer_read(request):
    if request["peer"] != "PyTorch":
        return {"us": None}
    key = tuple(request[name] for name in ("rows", "supports", "width", "own"))
    if key not in calls:
        calls[key] = reads(*key)
    return {"us": min(measure(call, 1, request["ms"] / len(calls[key])) for call in calls[key])}


print(json.dumps({"PyTorch": torch.__version__, "ONNX Runtime": onnxruntime.__version__}), flush=True)
with torch.inference_mode():
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
