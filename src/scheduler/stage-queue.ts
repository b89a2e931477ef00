import type { Batch, LoadedNetwork } from '../engine/engine.ts'
import type { Program } from '../engine/program.ts'
import { findSlice } from '../network/state.ts'
import { RowQueue } from './row-queue.ts'
import type { Pass, Task } from './task.ts'

/**
 * What rows of a stage wait for: `prepare` is a task's memory, `start` what comes before a row's first step, `host` a feed
 * from outside the engine, `step` a step, `peek` what comes after the last one.
 */
export type Phase = 'prepare' | 'start' | 'host' | 'step' | 'peek'

/** A stage of a network, the rows that wait for it, and the buffers in which they are batched. */
export interface StageQueue {
  /** The model's name, for events. */
  readonly name: string
  readonly program: Program
  readonly batch: Batch
  /** How many multiply-adds the engine does in about a millisecond. */
  readonly budget: number
  readonly lines: Readonly<Record<Phase, Line>>
  /** The rows of the current call, or of the last one. */
  readonly selection: Selection
  /** Whether the engine is using the batch's buffers. */
  busy: boolean
}

/**
 * The passes whose rows wait for one phase. (They are not a Set, because one that is written for every request keeps deleted
 * entries alive: its tables form a chain.)
 */
export interface Line {
  readonly stage: StageQueue
  readonly phase: Phase
  /** In the order of their turns. */
  readonly passes: LivePass[]
}

/** A pass whose task is in progress. */
export class LivePass {
  readonly task: LiveTask
  readonly pass: Pass
  /** Its place among the passes of the task. */
  readonly index: number
  /** Bit k: output k of the program is kept. */
  readonly asked: number
  /** The step that each row takes next. */
  readonly t: number[]
  /** Rows that have no room for their output. */
  readonly parked = new RowQueue()
  /** When it joined a line, by the scheduler's count of calls; -1 if it is not in that line. */
  readonly since: Record<Phase, number> = { prepare: -1, start: -1, host: -1, step: -1, peek: -1 }
  readonly #ready: { [phase in Phase]?: RowQueue } = {}

  constructor (task: LiveTask, pass: Pass, index: number) {
    this.task = task
    this.pass = pass
    this.index = index
    this.asked = pass.sinks.reduce((bits, { output }) => bits | 1 << output, 0)
    this.t = new Array<number>(task.task.rows).fill(0)
  }

  /** The rows that are ready for a phase. Most passes use only one phase. */
  ready (phase: Phase): RowQueue {
    this.#ready[phase] ??= new RowQueue()
    return this.#ready[phase]
  }
}

export interface LiveTask {
  readonly task: Task
  readonly accepted: number
  readonly passes: LivePass[]
  begun: boolean
  rowsLeft: number
  /** Done or failed: its remaining rows go no further. */
  settled: boolean
  readonly resolve: () => void
  readonly reject: (reason: unknown) => void
}

/** Makes the queue of a stage. */
export function createStageQueue (network: LoadedNetwork, index: number, options: { readonly name: string, readonly batchRows: number, readonly budget: number }): StageQueue {
  const line = (phase: Phase): Line => ({ get stage () { return stage }, phase, passes: [] })
  const stage: StageQueue = {
    name: options.name,
    program: network.programs[index],
    batch: network.batch(index, options.batchRows),
    budget: options.budget,
    lines: { prepare: line('prepare'), start: line('start'), host: line('host'), step: line('step'), peek: line('peek') },
    selection: new Selection(),
    busy: false
  }
  return stage
}

/** The rows of one call: from any pass, at most as many as a batch has room for. */
export class Selection {
  readonly passes: LivePass[] = []
  readonly rows: number[] = []
  /** Multiply-adds of one step of all of them. */
  work = 0
  /** The largest support set among them. */
  supports = 0
  /** Bit k: output k is kept for some of them. */
  asked = 0

  get length (): number {
    return this.rows.length
  }

  clear (): void {
    this.passes.length = 0
    this.rows.length = 0
    this.work = 0
    this.supports = 0
    this.asked = 0
  }

  add (pass: LivePass, row: number, supports: number, work: number): void {
    this.passes.push(pass)
    this.rows.push(row)
    this.supports = Math.max(this.supports, supports)
    this.work += work
    this.asked |= pass.asked
  }
}

/**
 * Takes rows off a line, fairly by task: each task gets its share of the batch, and the tasks after it share what it leaves.
 * Tasks that have more rows wait at the end of the line.
 *
 * @param readBudget the most multiply-adds that reads may take; one row is always allowed.
 * @param wanted returns whether a pass continues; the rows of one that does not are dropped.
 */
export function selectRows (line: Line, selection: Selection, readBudget: number, wanted: (pass: LivePass) => boolean, now: number): void {
  const { stage: { batch: { maxRows }, program }, passes, phase } = line
  selection.clear()
  let tasks = passes.length
  let reads = 0
  let left = 0
  let next = 0
  while (next < passes.length && selection.length < maxRows) {
    const pass = passes[next++]
    let share = Math.ceil((maxRows - selection.length) / tasks--)
    if (phase === 'start' && selection.length > 0 && !startAlike(pass, selection.passes[0])) {
      passes[left++] = pass
      continue
    }
    pass.since[phase] = -1
    if (!wanted(pass)) continue
    const ready = pass.ready(phase)
    for (; ready.length > 0 && share > 0; share--) {
      const supports = supportsOf(pass, ready.peek())
      const readWork = phase === 'peek' ? 0 : supports * program.readWork
      if (reads > 0 && reads + readWork > readBudget) break
      reads += readWork
      selection.add(pass, ready.shift(), supports, readWork + (phase === 'step' ? program.work : 0))
    }
    if (ready.length > 0) {
      pass.since[phase] = now
      // It comes up again in this loop once all others have had their turn.
      passes.push(pass)
      if (share > 0) break
      tasks++
    }
  }
  while (next < passes.length) passes[left++] = passes[next++]
  passes.length = left
}

function startAlike ({ pass: { start: a } }: LivePass, { pass: { start: b } }: LivePass): boolean {
  return a?.length === b?.length && a?.every(({ from, to }, i) => from === b?.[i].from && to === b?.[i].to) === true
}

/** How many vectors a row reads. */
function supportsOf ({ pass: { memory } }: LivePass, row: number): number {
  if (memory === undefined) return 0
  return memory.counts[setOf(memory.counts, row)]
}

/** The support set of a row: its own, or the one for all. */
export function setOf (counts: readonly number[], row: number): number {
  return counts.length === 1 ? 0 : row
}

/** Where `h_in` is in the state of a stage. */
export function hInSlice ({ state }: Program): { offset: number, width: number } {
  const slice = findSlice(state, 'h_in')
  if (slice === undefined) throw new Error('the stage has no h_in')
  return slice
}
