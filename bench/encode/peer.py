"""PyTorch on the same file: packed batches of 64 rows of like length, and h_n to a file."""
import json
import sys
import time

import torch
from safetensors.torch import load_file, save_file
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence

weights, source, target, threads = sys.argv[1:]
torch.set_num_threads(int(threads))
start = time.perf_counter()
state = load_file(weights)
module = torch.nn.LSTM(state["weight_ih_l0"].shape[1], state["weight_hh_l0"].shape[1], batch_first=True)
module.load_state_dict(state)
data = load_file(source)
rows = data["x"].split(data["lengths"].tolist())
order = torch.argsort(data["lengths"], descending=True).tolist()
answer = torch.empty(len(rows), module.hidden_size)
with torch.no_grad():
    for at in range(0, len(rows), 64):
        some = order[at:at + 64]
        batch = [rows[i] for i in some]
        packed = pack_padded_sequence(pad_sequence(batch, batch_first=True), [len(row) for row in batch], batch_first=True)
        answer[some] = module(packed)[1][0][0]
save_file({"h_out": answer}, target)
print(json.dumps({"seconds": time.perf_counter() - start, "version": torch.__version__}))
