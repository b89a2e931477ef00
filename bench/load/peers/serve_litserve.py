"""
The same /models/{model}/step on LitServe: MODELS UNITS [BATCH]. BATCH is the most requests that LitServe computes together, 1 by
default, which is LitServe's own. One process has the HTTP server, one the cell, and one the queues between them.
"""

import sys

import cells
import litserve
import orjson
import torch
from fastapi import Response


class Step(litserve.LitAPI):
    def __init__(self, models: str, units: str, **options):
        super().__init__(api_path=f"/models/{units}/step", **options)
        self.models, self.units = models, int(units)

    def setup(self, device):
        self.cell = cells.load(self.models, self.units)

    def decode_request(self, request):
        return torch.tensor([request[name][0] for name in ("x", "h_in", "c_in")])

    def predict(self, rows):
        x, h, c = rows.reshape(-1, 3, self.units).unbind(1)
        return torch.stack(self.cell(x, (h, c)), 1)

    def encode_response(self, states):
        h_out, c_out = states.reshape(2, 1, self.units).numpy()
        answer = orjson.dumps({"h_out": h_out, "c_out": c_out}, option=orjson.OPT_SERIALIZE_NUMPY)
        return Response(answer, media_type="application/json")


# The process of the cell imports this file again.
if __name__ == "__main__":
    models, units, *batch = sys.argv[1:]
    port = cells.free_port()
    cells.announce(port, "/health")
    step = Step(models, units, max_batch_size=int(batch[0]), batch_timeout=0.001) if batch else Step(models, units)
    # fast_queue is LitServe's advice for more than 100 requests a second; 0.2.19 takes it, but keeps to the slower queue.
    litserve.LitServer(step, accelerator="cpu", fast_queue=True).run(
        host="127.0.0.1", port=port, log_level="warning", generate_client_file=False
    )
