import { batch, signal } from '@preact/signals'
import { Problem, type Connection, type SequenceRequest, type SequenceStep } from '../../../clients/typescript/src/client.ts'
import { messageOf } from '../app/message.ts'
import type { Model } from '../app/model.ts'
import { address, client } from '../app/service.ts'
import { requestOf, showFaults, type Form } from '../input/form.ts'
import { record } from './record.ts'
import { rowOf, type Row } from './row.ts'
import { createRun, type Run } from './run.ts'

/** The work in progress: a request whose answer streams in, or a connection that computes steps on demand. */
export type Activity = 'none' | 'streaming' | 'connecting' | 'stepping'
export const activity = signal<Activity>('none')

/** The run that is shown. */
export const shown = signal<Run | undefined>(undefined)
/** This visit's runs, the newest first. */
export const runs = signal<readonly Run[]>([])
/** A status message for the user. */
export const news = signal('')

/** Milliseconds of reading lines between two redraws. */
const MOMENT = 40

/** How many runs are kept: each holds all its numbers. */
const KEPT = 8

let controller = new AbortController()

/** Runs the request of a form; the answer is shown as it arrives. */
export async function start (form: Form): Promise<void> {
  const request = requestOf(form)
  if (request === undefined) {
    news.value = 'The request cannot be sent yet: see the fields.'
    return
  }
  await work('streaming', form, request, async (run, signal) => {
    // Lines can arrive much faster than the page can be drawn, so those of a short period are processed together before a redraw.
    let lines: SequenceStep[] = []
    let until = 0
    try {
      for await (const line of client.value.model(form.model.name).stream(asRequest(request), { signal })) {
        if (line.t !== undefined) lines.push(line)
        if (performance.now() < until) continue
        take(run, form.model, lines)
        lines = []
        await new Promise((resolve) => { setTimeout(resolve) })
        until = performance.now() + MOMENT
      }
    } finally {
      take(run, form.model, lines)
    }
  })
}

interface Stepping {
  readonly connection: Connection
  readonly row: Row
  readonly run: Run
  /** How many steps to take before the next pause. */
  left: number
  wake: () => void
}
let stepping: Stepping | undefined

/** Runs steps one by one over a WebSocket, which stays open between them. */
export async function step (form: Form, count: number): Promise<void> {
  if (stepping !== undefined) {
    stepping.left += count
    stepping.wake()
    return
  }
  const request = requestOf(form)
  if (request === undefined) {
    news.value = 'The request cannot be sent yet: see the fields.'
    return
  }
  await work('connecting', form, request, async (run, signal) => {
    const row = rowOf(request)
    const connection = await client.value.model(form.model.name).connect({ signal, ahead: 1 })
    try {
      await connection.begin(row.start)
      activity.value = 'stepping'
      const state: Stepping = stepping = { connection, row, run, left: count, wake: () => {} }
      for (const step of row.steps) {
        if (state.left === 0) await new Promise<void>((resolve) => { state.wake = resolve })
        signal.throwIfAborted()
        state.left--
        take(run, form.model, [await connection.step(step, { signal })])
        news.value = `Step ${connection.t} of ${row.steps.length}.`
      }
    } finally {
      if (stepping?.run === run) stepping = undefined
      connection.close()
    }
  })
}

/** Stops the work in progress; the answer so far is kept. */
export function stop (): void {
  controller.abort(new DOMException('stopped', 'AbortError'))
  stepping?.wake()
}

/** Creates a run for some work, and reports how it ends. */
async function work (kind: Activity, form: Form, request: object, go: (run: Run, signal: AbortSignal) => Promise<void>): Promise<void> {
  stop()
  const { signal } = controller = new AbortController()
  const run = createRun({ model: form.model.name, request, url: address })
  activity.value = kind
  news.value = 'Request sent; no answer yet.'
  const began = performance.now()
  const finish = (state: Run['state'], text: string): void => {
    run.state = state
    // Another run may have started already.
    if (controller.signal === signal) news.value = text
  }
  try {
    await go(run, signal)
    finish('done', `${stepsOf(run)} steps in ${Math.round(performance.now() - began)} ms.`)
  } catch (error) {
    if (signal.aborted) {
      finish('done', `Stopped after ${stepsOf(run)} steps.`)
    } else {
      if (error instanceof Problem && error.errors.length > 0) showFaults(form, error.errors)
      else form.fault.value = tell(error)
      finish('failed', 'The service has rejected the request: see the fields.')
    }
  } finally {
    if (controller.signal === signal) activity.value = 'none'
  }
}

/** Adds steps to a run, and shows it from the first one on. */
function take (run: Run, model: Model, lines: ReadonlyArray<Parameters<typeof record>[2]>): void {
  batch(() => {
    const first = run.series.size === 0
    for (const line of lines) record(run, model, line)
    if (!first || lines.length === 0) return
    shown.value = run
    runs.value = [run, ...runs.value].slice(0, KEPT)
    news.value = 'The answer is streaming in.'
  })
}

function stepsOf ({ series }: Run): number {
  return Math.max(0, ...[...series.values()].map(({ steps }) => steps))
}

function tell (error: unknown): string {
  if (error instanceof Problem) return error.retryAfter === undefined ? error.detail : `${error.detail} (try again in ${error.retryAfter} s)`
  return `The service cannot be reached, or has stopped answering: ${messageOf(error)}`
}

/** Not validated here: the service checks the request. */
function asRequest (request: object): SequenceRequest {
  return request
}
