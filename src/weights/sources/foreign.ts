import { basename } from 'node:path'

const PYTORCH = 'a PyTorch file; safetensors.torch.save_file writes its state_dict as cellserve reads it (docs/models.md)'
const KERAS = 'a Keras file; `cellserve import` makes a model of it (docs/importing.md)'
const ONNX = 'an ONNX file; `cellserve import` makes a model of it (docs/importing.md)'
const TENSORFLOW_JS = 'a TensorFlow.js model; `cellserve import` makes a model of it (docs/importing.md)'

const BY_ENDING: ReadonlyArray<readonly [ending: string, what: string]> = [
  ['.pt', PYTORCH], ['.pth', PYTORCH],
  ['.keras', KERAS], ['.h5', KERAS], ['.hdf5', KERAS],
  ['.onnx', ONNX]
]

/** What a file of another format is and what to do with it, judged by its name; undefined if no such format is known. */
export function describeForeign (path: string): string | undefined {
  const name = basename(path).toLowerCase()
  if (name === 'model.json') return TENSORFLOW_JS
  return BY_ENDING.find(([ending]) => name.endsWith(ending))?.[1]
}
