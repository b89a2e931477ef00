"""
The same /v2/models/{model}/infer on MLServer and torch.nn.LSTMCell, in one process, without access log, metrics and compression:
MODELS UNITS...
"""

import asyncio
import sys

import cells
import torch
from mlserver import MLModel, MLServer, ModelSettings, Settings
from mlserver.codecs import NumpyCodec
from mlserver.settings import ModelParameters
from mlserver.types import InferenceRequest, InferenceResponse
from mlserver.utils import install_uvloop_event_loop


class Step(MLModel):
    async def load(self) -> bool:
        self.cell = cells.load(self.settings.parameters.uri, int(self.name))
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        inputs = {one.name: torch.from_numpy(NumpyCodec.decode_input(one)) for one in payload.inputs}
        h_out, c_out = self.cell(inputs["x"], (inputs["h_in"], inputs["c_in"]))
        outputs = [NumpyCodec.encode_output(name, state.numpy()) for name, state in (("h_out", h_out), ("c_out", c_out))]
        return InferenceResponse(model_name=self.name, outputs=outputs)


models, *units = sys.argv[1:]
port = cells.free_port()
settings = Settings(
    debug=False,
    parallel_workers=0,
    host="127.0.0.1",
    http_port=port,
    grpc_port=cells.free_port(),
    metrics_endpoint=None,
    gzip_enabled=False,
)
install_uvloop_event_loop()
cells.announce(port, f"/v2/models/{units[-1]}/ready")


async def main() -> None:
    await MLServer(settings).start(
        [ModelSettings(name=n, implementation=Step, parameters=ModelParameters(uri=models)) for n in units]
    )


asyncio.run(main())
