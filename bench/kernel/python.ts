import { spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Side } from './sides.ts'

const PEERS = ['CustomLSTM', 'LSTMCell', 'LSTM', 'ONNX Runtime', 'OpenVINO', 'PyTorch']
const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

export interface PythonSides {
  readonly sides: readonly Side[]
  readonly versions: Readonly<Record<string, string>>
  readonly stop: () => void
}

/**
 * Starts PyTorch, ONNX Runtime and OpenVINO in a separate process with this many threads, in the interpreter that `TEST_PYTHON` names,
 * otherwise in a virtual environment that this creates. Without Python, prints a line that says so and returns no sides.
 */
export async function pythonSides (threads: number): Promise<PythonSides> {
  const interpreter = process.env.TEST_PYTHON ?? makeEnvironment()
  const none = { sides: [], versions: {}, stop () {} }
  if (interpreter === undefined) return none

  // Whichever library multiplies PyTorch's matrices reads one of these variables.
  const env = Object.fromEntries(['OMP', 'OPENBLAS', 'MKL'].map((library) => [`${library}_NUM_THREADS`, String(threads)]))
  const child = spawn(interpreter, [path('peers.py'), String(threads)], { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, ...env } })
  child.on('error', () => {}) // the process then prints no lines
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const answer = async (): Promise<Record<string, unknown> | undefined> => {
    const { value, done } = await lines.next()
    if (done === true) return undefined
    const parsed: unknown = JSON.parse(value)
    return typeof parsed === 'object' && parsed !== null ? { ...parsed } : undefined
  }
  const versions = await answer()
  if (versions === undefined) {
    console.log('The Python peers are left out: they do not start')
    return none
  }
  const ask = async (request: object): Promise<number | undefined> => {
    child.stdin.write(JSON.stringify(request) + '\n')
    const us = (await answer())?.us
    return typeof us === 'number' ? us : undefined
  }
  const sides = PEERS.map((name): Side => ({
    name: threads === 1 ? name : `${name}, ${threads} threads`,
    measure: async (shape, ms) => await ask({ peer: name, ...shape, ms })
  }))
  return {
    sides,
    versions: Object.fromEntries(Object.entries(versions).map(([name, version]) => [name, String(version)])),
    stop: () => child.stdin.end()
  }
}

function makeEnvironment (): string | undefined {
  const folder = path('../.venv')
  const interpreter = `${folder}/bin/python`
  if (existsSync(`${folder}/complete`)) return interpreter
  console.log('Making a virtual environment for the Python peers (once, some minutes)')
  const requirements = ['torch', 'onnxruntime', 'onnx', 'openvino', 'numpy']
  const steps: Array<[string, string[]]> = [
    ['python3', ['-m', 'venv', folder]],
    [interpreter, ['-m', 'pip', 'install', '--quiet', '--retries', '1', ...requirements]],
    ['touch', [`${folder}/complete`]]
  ]
  for (const [command, args] of steps) {
    const { status, error } = spawnSync(command, args, { stdio: 'inherit' })
    if (status === 0) continue
    console.log(`The Python peers are left out: ${command} ${args.join(' ')}: ${error?.message ?? `exit ${status}`}`)
    return undefined
  }
  return interpreter
}
