import { register } from 'node:module'
import { Socket } from 'node:net'
import { pathToFileURL } from 'node:url'
import { createFrameReader, floatsOf, writeFrame } from './frames.ts'
import { createFunction, isFeedbackModule, isStateSize, MAX_STATE, type FeedbackFunction, type Tensor } from './function.ts'
import { startGuard } from './guard.ts'
import { CHANNEL, ENDED_IN_CALL, type LoadOrder, type Order, type Report } from './protocol.ts'

/*
 * The process in which a model's feedback.mjs runs. It carries out the service's orders, one after the other, and ends
 * when the service ends. Its argument is the service's process id.
 */

let run: FeedbackFunction | undefined
const tensors = new Map<string, Tensor>()

const boundMemory = startGuard(Number(process.argv[2]))
const channel = new Socket({ fd: CHANNEL })
channel.on('data', createFrameReader((order, body) => { if (isOrder(order)) obey(order, body) }))
channel.on('error', () => process.exit())
channel.on('close', () => process.exit())
process.on('exit', () => { if (run?.isCalled === true) process.exitCode = ENDED_IN_CALL })
// A signal to the whole group, such as Ctrl+C, is meant for the service, which finishes what it has begun.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {})

/** The service sends nothing else. */
function isOrder (order: unknown): order is Order {
  return typeof order === 'object' && order !== null && 'kind' in order
}

function obey (order: Order, body: Uint8Array): void {
  switch (order.kind) {
    case 'tensor':
      tensors.set(order.name, { shape: order.shape, data: floatsOf(body) })
      return
    case 'load':
      void load(order).then(report)
      return
    case 'context':
      run?.remember(order.request, body)
      return
    case 'run':
      run?.run(order, floatsOf(body), report)
  }
}

function report (head: Report, body?: Float32Array): void {
  channel.write(writeFrame(head, body))
}

async function load ({ path, source, sizes, memory }: LoadOrder): Promise<Report> {
  try {
    const { href } = pathToFileURL(path)
    if (source !== undefined) runInPlaceOf(href, source)
    const loaded: unknown = await import(href)
    if (!isFeedbackModule(loaded)) return { kind: 'broken', message: 'expected an exported function named feedback, and a JSON schema as context if any' }
    const { feedback, context, state = 0 } = loaded
    if (!isStateSize(state)) return { kind: 'broken', message: `expected state to be a whole number from 0 to ${MAX_STATE}, got ${String(state)}` }
    boundMemory(memory)
    run = createFunction(feedback, state, sizes, tensors)
    return { kind: 'ready', ...(context !== undefined && { context: JSON.parse(JSON.stringify(context)) }), state }
  } catch (error) {
    return { kind: 'broken', message: `cannot be loaded: ${error instanceof Error ? error.message : String(error)}` }
  }
}

/** Runs a source instead of the file at that URL. Its imports are resolved as if from that file. */
function runInPlaceOf (href: string, source: string): void {
  register(`data:text/javascript,${encodeURIComponent(`const [href, source] = ${JSON.stringify([href, source])}
export const load = (url, context, next) => url === href ? { format: 'module', source, shortCircuit: true } : next(url, context)`)}`)
}
