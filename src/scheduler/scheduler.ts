import { callPeek, callStart, callSteps, finishPeek, finishStart, finishSteps, limitOf, reachOf } from './batching.ts'
import { reasonToStop } from './cancellation.ts'
import type { SchedulerEvents } from './events.ts'
import { hInSlice, LivePass, selectRows, type Line, type LiveTask, type Phase, type StageQueue } from './stage-queue.ts'
import type { Task } from './task.ts'

/** Takes the rows of any number of requests through the stages of any number of networks. */
export interface Scheduler {
  /**
   * Takes every row of a task through its passes.
   *
   * @throws InputError if the arithmetic overflows, a feed fails, or the caller has gone or waited too long; other tasks are
   *   not affected.
   */
  run (task: Task): Promise<void>
}

/** How much of the usual work a call may do while others wait. */
const SHARE_IN_A_CROWD = 1 / 16
/** How long the event loop may be kept from its other work, in milliseconds. */
const TURN = 0.5

/**
 * Cellular batching, after Gao et al., EuroSys 2018: each call of the engine has its own batch of rows that wait for the same
 * stage, so rows join and leave between steps. While nobody else waits, one call takes many steps.
 */
export function createScheduler (events: SchedulerEvents): Scheduler {
  /** Lines that have rows, in no order. */
  const active: Line[] = []
  let calls = 0
  let scheduled = false

  /** Requests that arrive in the same turn of the event loop share the first batch; one that arrives alone waits for nobody. */
  function schedule (): void {
    if (scheduled) return
    scheduled = true
    setImmediate(takeTurn)
  }

  function takeTurn (): void {
    scheduled = false
    const start = performance.now()
    do {
      const line = nextLine()
      if (line === undefined) return
      advance(line)
    } while (performance.now() - start < TURN)
    schedule()
  }

  /** The line whose first rows have waited longest, among the stages that are not busy. */
  function nextLine (): Line | undefined {
    let chosen: Line | undefined
    let since = Infinity
    for (const line of active) {
      if (line.stage.busy) continue
      const [first] = line.passes
      if (first.since[line.phase] < since) {
        chosen = line
        since = first.since[line.phase]
      }
    }
    return chosen
  }

  function advance (line: Line): void {
    calls++
    const now = performance.now()
    try {
      if (line.phase === 'prepare') prepare(line, now)
      else if (line.phase === 'host') askHost(line, now)
      else call(line, now)
    } catch (error) {
      // A failure of some tasks must not keep the others from their turns.
      for (const live of line.passes) {
        live.since[line.phase] = -1
        settle(live.task, error)
      }
      line.passes.length = 0
      rest(line)
    }
  }

  /** One call of the engine. */
  function call (line: Line, start: number): void {
    const { stage, phase } = line
    const { selection, budget } = stage
    selectRows(line, selection, budget * (active.length > 1 ? SHARE_IN_A_CROWD : 1), (pass) => isWanted(pass, start), calls)
    rest(line)
    if (selection.length === 0) return
    if (phase === 'step') events.queued(stage.name, waitingRows(line))
    const steps = phase === 'step' ? reachOf(stage, selection, active.length > 0 ? SHARE_IN_A_CROWD : 1) : 0
    try {
      const pending = begin(stage, phase, steps)
      if (pending === undefined) {
        finish(stage, phase, steps, start)
        return
      }
      stage.busy = true
      void pending.then(() => finish(stage, phase, steps, start)).catch((error: unknown) => fail(stage, error)).finally(() => {
        stage.busy = false
        schedule()
      })
    } catch (error) {
      fail(stage, error)
    }
  }

  function begin (stage: StageQueue, phase: Phase, steps: number): void | Promise<void> {
    const { selection } = stage
    if (phase === 'step') return callSteps(stage, selection, steps)
    return phase === 'peek' ? callPeek(stage, selection) : callStart(stage, selection)
  }

  function finish (stage: StageQueue, phase: Phase, steps: number, start: number): void {
    const { name, selection } = stage
    if (phase === 'step') events.computed(name, selection.length, steps, (performance.now() - start) / 1000)
    for (let i = 0; i < selection.length; i++) finishRow(stage, phase, i, steps)
  }

  function fail ({ selection }: StageQueue, error: unknown): void {
    for (const { task } of selection.passes) settle(task, error)
  }

  function finishRow (stage: StageQueue, phase: Phase, i: number, steps: number): void {
    const { selection } = stage
    const live = selection.passes[i]
    const row = selection.rows[i]
    const { task, pass, t } = live
    if (task.settled) return
    try {
      if (phase === 'step') {
        try {
          finishSteps(stage, selection, i, steps)
        } finally {
          if (live.index === task.passes.length - 1) task.task.window?.reached(row, t[row])
        }
        if (pass.host !== undefined) enter(live, row, 'host')
        else if (t[row] < task.task.lengths[row]) enter(live, row, 'step')
        else if (pass.peek) enter(live, row, 'peek')
        else leave(live, row)
      } else if (phase === 'start') {
        finishStart(stage, selection, i)
        enter(live, row, pass.host?.first === true ? 'host' : 'step')
      } else {
        finishPeek(stage, hInSlice(stage.program), selection, i)
        leave(live, row)
      }
    } catch (error) {
      settle(task, error)
    }
  }

  function takeFirst (line: Line): LivePass {
    const [live] = line.passes.splice(0, 1)
    live.since[line.phase] = -1
    rest(line)
    return live
  }

  /** A line without rows gets no turn. */
  function rest (line: Line): void {
    if (line.passes.length > 0) return
    const at = active.indexOf(line)
    if (at >= 0) active.splice(at, 1)
  }

  /** Prepares some more of the first task's memory; its rows start when all is prepared. */
  function prepare (line: Line, start: number): void {
    const live = takeFirst(line)
    const { task, pass: { memory } } = live
    if (!isWanted(live, start)) return
    const proceed = (done: boolean): void => {
      if (task.settled) return
      if (!done) join(line, live)
      else for (const ready = live.ready('prepare'); ready.length > 0;) enter(live, ready.shift(), firstPhase(live))
    }
    const fail = (error: unknown): void => settle(task, error)
    try {
      const done = memory?.prepare(line.stage.budget * (active.length > 0 ? SHARE_IN_A_CROWD : 1)) ?? true
      if (typeof done === 'boolean') proceed(done)
      else done.then(proceed).catch(fail)
    } catch (error) {
      fail(error)
    }
  }

  /** Asks the first task's host for what feeds all of its rows that wait for it. */
  function askHost (line: Line, start: number): void {
    const live = takeFirst(line)
    const { task, pass, t } = live
    if (!isWanted(live, start)) return
    const rows: number[] = []
    for (const ready = live.ready('host'); ready.length > 0;) rows.push(ready.shift())
    const proceed = (): void => {
      if (task.settled) return
      for (const row of rows) {
        if (t[row] < task.task.lengths[row]) enter(live, row, 'step')
        else leave(live, row)
      }
    }
    const fail = (error: unknown): void => settle(task, error)
    try {
      const pending = pass.host?.feed(rows, rows.map((row) => t[row]))
      if (pending === undefined) proceed()
      else pending.then(proceed).catch(fail)
    } catch (error) {
      fail(error)
    }
  }

  /** Makes a row wait for a phase of its pass, or for the reader of its output. */
  function enter (live: LivePass, row: number, phase: Phase): void {
    if (phase === 'step' && live.t[row] >= limitOf(live)) {
      live.parked.push(row)
      return
    }
    live.ready(phase).push(row)
    join(live.pass.queue.lines[phase], live)
  }

  function join (line: Line, live: LivePass): void {
    if (live.since[line.phase] < 0) {
      live.since[line.phase] = calls
      if (line.passes.push(live) === 1) active.push(line)
    }
    schedule()
  }

  /** Takes a row that has finished a pass to the next one, or counts it as done. */
  function leave (live: LivePass, row: number): void {
    const { task, index } = live
    const next = task.passes.at(index + 1)
    if (next !== undefined) enter(next, row, firstPhase(next))
    else if (--task.rowsLeft === 0) settle(task)
  }

  /** Rows that nobody waits for are dropped here, before anything is computed for them. */
  function isWanted ({ task, pass }: LivePass, now: number): boolean {
    const { task: { call } } = task
    if (task.settled) return false
    const reason = reasonToStop(call, now)
    if (reason !== undefined) settle(task, reason)
    else if (!task.begun) {
      task.begun = true
      events.began(pass.queue.name, (now - task.accepted) / 1000)
    }
    return !task.settled
  }

  function settle (task: LiveTask, ...failure: [reason?: unknown]): void {
    if (task.settled) return
    task.settled = true
    if (failure.length === 0) task.resolve()
    else task.reject(failure[0])
  }

  return {
    run (task) {
      return new Promise<void>((resolve, reject) => {
        const live: LiveTask = { task, accepted: performance.now(), passes: [], begun: false, rowsLeft: task.rows, settled: false, resolve, reject }
        task.passes.forEach((pass, i) => live.passes.push(new LivePass(live, pass, i)))
        const [first] = live.passes
        const last = live.passes[live.passes.length - 1]
        task.window?.onMove(() => {
          if (!isWanted(last, performance.now())) return
          for (let left = last.parked.length; left > 0; left--) enter(last, last.parked.shift(), 'step')
        })
        const phase = first.pass.memory === undefined ? firstPhase(first) : 'prepare'
        for (let row = 0; row < task.rows; row++) enter(first, row, phase)
      })
    }
  }
}

/** What the rows of a pass wait for first, once its memory is prepared. */
function firstPhase ({ pass: { start, host } }: LivePass): Phase {
  if (start !== undefined) return 'start'
  return host?.first === true ? 'host' : 'step'
}

function waitingRows ({ passes, phase }: Line): number {
  let rows = 0
  for (const pass of passes) rows += pass.ready(phase).length
  return rows
}
