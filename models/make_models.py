"""Makes the demo models in this folder with PyTorch, the same bytes every time: `python models/make_models.py`.

What PyTorch computes with them is in test/fixtures/demo, which test/fixtures/make_demo_fixtures.py makes.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save as to_safetensors
from torch import nn

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "scripts"))
from custom_lstm import CustomLSTM  # noqa: E402


def save(name, tensors, feedback=None, **config):
    folder = HERE / name
    folder.mkdir(exist_ok=True)
    # Not save_file: only the owner can read its files, and the container runs as another user.
    model = to_safetensors({key: value.contiguous() for key, value in tensors.items()})
    (folder / "model.safetensors").write_bytes(model)
    if feedback is not None:
        config["feedback"] = feedback
    if config:
        (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    print(f"{name}: {len(model)} bytes")


torch.manual_seed(1606)

# Reads 6 and writes 3, which PyTorch's own LSTMCell cannot do.
save("custom-lstm", CustomLSTM(2, 6, 3).state_dict(), {"policy": "repeat"}, default=True)

save("symmetric", CustomLSTM(2, 4, 4).state_dict(), {"policy": "identity"})

# Matching Networks' attLSTM: the query's embedding at every step, fed back [h, r]. Named as torch.nn.LSTMCell names them, under
# which Hi = Ho unless the kind is said.
att = CustomLSTM(4, 8, 4)
save("matching-networks", {
    "lstm.weight_ih": att.input_linear.weight.detach(),
    "lstm.weight_hh": att.hidden_linear.weight.detach(),
    "lstm.bias_ih": att.input_linear.bias.detach(),
    "lstm.bias_hh": att.hidden_linear.bias.detach(),
}, {"policy": "attention", "combine": "concat", "residual": True}, cell={"kind": "lstm"})

# torch.nn.LSTM and torch.nn.GRU as they are saved: layers, directions and kind are read off the tensors' names and shapes.
save("bidirectional-lstm", nn.LSTM(3, 4, num_layers=2, bidirectional=True).state_dict())

save("gru", nn.GRU(3, 4).state_dict())

# A decoder with additive attention (Bahdanau et al.): each step reads its input and what it attends to, [x, r], with the read
# made of the last h. Sources of 5 numbers, a hidden state of 4, scores made of 6.
query, key, v = nn.Linear(4, 6), nn.Linear(5, 6, bias=False), nn.Linear(6, 1, bias=False)
save("attention-decoder", {
    **{f"cell.{name}": tensor for name, tensor in nn.LSTMCell(3 + 5, 4).state_dict().items()},
    "attention.query.weight": query.weight.detach(),
    "attention.query.bias": query.bias.detach(),
    "attention.key.weight": key.weight.detach(),
    "attention.v.weight": v.weight.detach(),
}, {
    "policy": "wiring",
    "read": {
        "score": "additive",
        "query": {"weight": "attention.query.weight", "bias": "attention.query.bias"},
        "key": {"weight": "attention.key.weight"},
        "v": "attention.v.weight",
    },
    "x": ["x", "read"],
})
