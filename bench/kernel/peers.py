"""The Python peers of bench/kernel: reads one request per line and answers each with one line.

    {"peer": "lstm", "rows": 8, "I": 64, "Hi": 64, "Ho": 64, "steps": 64, "ms": 100}  ->  {"us": 12.3}

    {"peer": "PyTorch", "rows": 8, "supports": 64, "width": 512, "own": true, "ms": 100}    ->  {"us": 12.3}

    {"peer": "PyTorch", "network": "gru", "rows": 8, "steps": 64, "ms": 100}                ->  {"us": 12.3}

`us` is the time per step, or per attention read, the best of a few stretches that take `ms` in total. The first line of output
names the versions. The argument says how many threads each may use.
"""
import json
import sys
import time

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper

try:
    import openvino
except ImportError:  # it is no reason to leave out the others
    openvino = None

THREADS = int(sys.argv[1])
torch.set_num_threads(THREADS)
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


def values(*shape):
    return (np.random.standard_normal(shape) / np.sqrt(shape[-1])).astype(np.float32)


def onnx_rnn(kind, rows, steps, I, H, layers=1, directions=1):
    """Layers of ONNX's LSTM or GRU as exporters write them, and what they read."""

    def info(name, shape):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    gates = {"LSTM": 4, "GRU": 3}[kind]
    names = ["h", "c"][: 2 if kind == "LSTM" else 1]
    state = [directions * layers, rows, H]
    single = layers == directions == 1  # one node is the whole graph
    constants, nodes, x = {}, [], "x"
    for name in [] if single else names:
        nodes.append(helper.make_node("Split", [name, "split"], [f"{name}_{l}" for l in range(layers)], axis=0))
    for l in range(layers):
        width = I if l == 0 else directions * H
        constants[f"W{l}"] = values(directions, gates * H, width)
        constants[f"R{l}"] = values(directions, gates * H, H)
        constants[f"B{l}"] = values(directions, 2 * gates * H)
        options = {"direction": "bidirectional"} if directions == 2 else {}
        if kind == "GRU":
            options["linear_before_reset"] = 1  # as PyTorch
        inputs = [x, f"W{l}", f"R{l}", f"B{l}", "", *(name if single else f"{name}_{l}" for name in names)]
        outputs = [f"y{l}", *(f"{name}_n" if single else f"{name}_n_{l}" for name in names)]
        nodes.append(helper.make_node(kind, inputs, outputs, hidden_size=H, **options))
        if single:
            break
        nodes.append(helper.make_node("Transpose", [f"y{l}"], [f"t{l}"], perm=[0, 2, 1, 3]))
        nodes.append(helper.make_node("Reshape", [f"t{l}", "flat"], [f"x{l}"]))
        x = f"x{l}"
    if not single:
        constants["split"] = np.full(layers, directions, np.int64)
        constants["flat"] = np.array([0, 0, -1], np.int64)
        nodes += [helper.make_node("Concat", [f"{name}_n_{l}" for l in range(layers)], [f"{name}_n"], axis=0) for name in names]
    graph = helper.make_graph(
        nodes,
        kind,
        [info("x", [steps, rows, I]), *(info(name, state) for name in names)],
        [info("y0", [steps, 1, rows, H]) if single else info(x, [steps, rows, directions * H]), *(info(f"{name}_n", state) for name in names)],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return model.SerializeToString(), {"x": values(steps, rows, I), **{name: values(*state) for name in names}}


def by_onnxruntime(model, feeds):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, feeds)


def by_openvino(model, feeds):
    core = openvino.Core()
    # Without the hint it may compute in bfloat16.
    options = {"INFERENCE_NUM_THREADS": THREADS, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    request = core.compile_model(core.read_model(model), "CPU", options).create_infer_request()
    return lambda: request.infer(feeds, share_inputs=True, share_outputs=True)


def lstm_by(run):
    return lambda rows, I, Hi, Ho, steps: run(*onnx_rnn("LSTM", rows, steps, I, Ho))


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


def torch_bidirectional(rows, steps):
    model = torch.nn.LSTM(256, 256, 2, bidirectional=True).eval()
    x = torch.randn(steps, rows, 256)
    return [lambda: model(x)]


def torch_gru(rows, steps):
    model, cell = torch.nn.GRU(256, 256).eval(), torch.nn.GRUCell(256, 256).eval()
    x, h = torch.randn(steps, rows, 256), torch.randn(1, rows, 256)
    return [lambda: model(x, h), *([lambda: cell(x[0], h[0])] if steps == 1 else [])]


def torch_stack(rows, steps):
    cells = [torch.nn.LSTMCell(128, 128).eval() for _ in range(3)]
    x, states = torch.randn(rows, 128), [(torch.randn(rows, 128), torch.randn(rows, 128)) for _ in cells]

    def call():
        h = x
        for cell, state in zip(cells, states):
            h, c = cell(h, state)

    return [call]


def torch_decoder(rows, steps):
    """The loop of fairseq's LSTM decoder, with one layer: input feeding, and a read with a projected query."""
    cell = torch.nn.LSTMCell(512 + 512, 512).eval()
    query, out = torch.nn.Linear(512, 512, bias=False), torch.nn.Linear(1024, 512, bias=False)
    x, sources = torch.randn(steps, rows, 512), torch.randn(rows, 32, 512)
    h0, c0 = torch.randn(rows, 512), torch.randn(rows, 512)
    over = sources.transpose(0, 1).contiguous()  # [S][B][D], as the encoder has them

    def batched():
        h, c, fed, made = h0, c0, torch.zeros(rows, 512), []
        for t in range(steps):
            h, c = cell(torch.cat([x[t], fed], 1), (h, c))
            weights = torch.softmax((sources @ query(h).unsqueeze(2)).squeeze(2), 1)
            read = (weights.unsqueeze(1) @ sources).squeeze(1)
            fed = torch.tanh(out(torch.cat([read, h], 1)))
            made.append(fed)
        return torch.stack(made, 1)

    def published():
        h, c, fed, made = h0, c0, torch.zeros(rows, 512), []
        for t in range(steps):
            h, c = cell(torch.cat([x[t], fed], 1), (h, c))
            weights = torch.softmax((over * query(h).unsqueeze(0)).sum(2), 0)
            read = (weights.unsqueeze(2) * over).sum(0)
            fed = torch.tanh(out(torch.cat([read, h], 1)))
            made.append(fed)
        return torch.stack(made, 1)

    return [batched, published]


NETWORKS = {
    ("PyTorch", "bidirectional"): torch_bidirectional,
    ("PyTorch", "gru"): torch_gru,
    ("PyTorch", "stack"): torch_stack,
    ("PyTorch", "decoder"): torch_decoder,
}
PEERS = {"CustomLSTM": custom, "LSTMCell": lstm_cell, "LSTM": lstm}
VERSIONS = {"PyTorch": torch.__version__, "ONNX Runtime": onnxruntime.__version__}
RUNNERS = {"ONNX Runtime": by_onnxruntime}
if openvino is not None:
    VERSIONS["OpenVINO"] = openvino.__version__
    RUNNERS["OpenVINO"] = by_openvino
for name, run in RUNNERS.items():
    PEERS[name] = lstm_by(run)
    NETWORKS[name, "bidirectional"] = lambda rows, steps, run=run: [run(*onnx_rnn("LSTM", rows, steps, 256, 256, layers=2, directions=2))]
    NETWORKS[name, "gru"] = lambda rows, steps, run=run: [run(*onnx_rnn("GRU", rows, steps, 256, 256))]
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


def create(request):
    """The ways in which a peer computes what is asked for; none if it cannot."""
    peer = request["peer"]
    if "supports" in request:
        return reads(*(request[name] for name in ("rows", "supports", "width", "own"))) if peer == "PyTorch" else []
    if "network" in request:
        made = NETWORKS.get((peer, request["network"]))
        return [] if made is None else made(request["rows"], request["steps"])
    shape = tuple(request[name] for name in ("rows", "I", "Hi", "Ho", "steps"))
    return [] if peer not in PEERS or (peer != "CustomLSTM" and shape[2] != shape[3]) else [PEERS[peer](*shape)]


def answer(request):
    ms = request.pop("ms")
    key = json.dumps(request)
    if key not in calls:
        calls[key] = create(request)
    ways = calls[key]
    return {"us": min((measure(way, request.get("steps", 1), ms / len(ways)) for way in ways), default=None)}


print(json.dumps(VERSIONS), flush=True)
with torch.inference_mode():
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
