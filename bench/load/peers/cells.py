"""What the Python servers share: cellserve's own weights in torch.nn.LSTMCell on one thread, and a port."""

import os
import socket
import threading
import time
import urllib.error
import urllib.request

# OpenBLAS, which multiplies the matrices of Debian's PyTorch, has threads of its own.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import torch
from safetensors.torch import load_file

torch.set_num_threads(1)
torch.set_grad_enabled(False)


def load(models: str, units: int) -> torch.nn.LSTMCell:
    cell = torch.nn.LSTMCell(units, units)
    cell.load_state_dict(load_file(f"{models}/{units}.safetensors"))
    return cell


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def announce(port: int, path: str) -> None:
    """Prints the port as soon as the path answers with a 200, for servers that do not return from their start."""

    def wait() -> None:
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}"):
                    break
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.05)
        print(f"listening on {port}", flush=True)

    threading.Thread(target=wait, daemon=True).start()
