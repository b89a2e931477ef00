"""Makes the demo models in this folder with PyTorch, the same bytes every time: `python models/make_models.py`."""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save as to_safetensors

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "scripts"))
from custom_lstm import CustomLSTM  # noqa: E402


def save(name, tensors, feedback, **config):
    folder = HERE / name
    folder.mkdir(exist_ok=True)
    # Not save_file: only the owner can read its files, and the container runs as another user.
    model = to_safetensors({key: value.contiguous() for key, value in tensors.items()})
    (folder / "model.safetensors").write_bytes(model)
    (folder / "config.json").write_text(json.dumps({**config, "feedback": feedback}, indent=2) + "\n")
    print(f"{name}: {len(model)} bytes, {feedback['policy']}")


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
