"""The same /models/{model}/step on FastAPI, uvicorn, orjson and torch.nn.LSTMCell, in one process: MODELS UNITS..."""

import socket
import sys

import cells
import orjson
import torch
import uvicorn
from fastapi import FastAPI, Request, Response

app = FastAPI()
models, *units = sys.argv[1:]
cell_of = {n: cells.load(models, int(n)) for n in units}


@app.post("/models/{model}/step")
async def step(model: str, request: Request):
    body = orjson.loads(await request.body())
    x, h, c = (torch.tensor(body[name], dtype=torch.float32) for name in ("x", "h_in", "c_in"))
    h_out, c_out = cell_of[model](x, (h, c))
    answer = {"h_out": h_out.numpy(), "c_out": c_out.numpy()}
    return Response(orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json")


# The protocol is explicit because asyncio disables Nagle's algorithm only for sockets whose protocol is TCP by name.
listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
listener.bind(("127.0.0.1", 0))
print(f"listening on {listener.getsockname()[1]}", flush=True)
uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
