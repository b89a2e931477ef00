import { basename } from 'node:path'

const PYTORCH = 'a PyTorch file; safetensors.torch.save_file writes its state_dict in a form that cellserve reads (docs/models.md)'
const KERAS = 'a Keras file; `cellserve import` turns it into a model (docs/importing.md)'
const ZIP = 'a ZIP file; if Keras wrote it, `cellserve import` turns it into a model (docs/importing.md)'
const ONNX = 'an ONNX file; `cellserve import` turns it into a model (docs/importing.md)'
const TENSORFLOW_JS = 'a TensorFlow.js model; `cellserve import` turns it into a model (docs/importing.md)'

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

/** The same for a file whose name promises another format, judged by how it begins. */
export function describeContents (bytes: Buffer): string | undefined {
  if (bytes.indexOf('PK\x03\x04', 0, 'latin1') === 0) return bytes.subarray(0, 256).includes('data.pkl') ? PYTORCH : ZIP
  return bytes.indexOf('\x89HDF', 0, 'latin1') === 0 ? KERAS : undefined
}
