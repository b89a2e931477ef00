import { access, open } from 'node:fs/promises'
import { messageOf } from '../../errors.ts'
import type { Call } from '../../model/call.ts'
import type { Model } from '../../model/model.ts'
import { checkpointPath, fingerprint, openCheckpoint, type Checkpoint } from './checkpoint.ts'
import { createEncoder } from './encoder.ts'
import { EncodeError } from './encode-error.ts'
import { openModel } from './model.ts'
import { answeredNames, readOptions, type Options } from './options.ts'
import { createProgress, timeOf } from '../progress.ts'
import { nameOf, type Answer, type BadRow } from './row.ts'
import { openSink } from './sinks/open.ts'
import type { Columns, Sink } from './sinks/sink.ts'
import { openSource } from './sources/open.ts'
import type { Source, Window } from './sources/source.ts'

/** How many bad rows are reported, one per line. */
const MAX_NAMED = 10

/** Counts of the rows processed so far. */
interface Tally {
  rows: number
  bad: number
  steps: number
}

/**
 * `cellserve encode`: runs a model on every sequence in a file, as `POST /sequence` would, and writes the answers to another file.
 *
 * @returns 0, or 1 if it stopped before the end, or 128 plus the signal's number if a signal stopped it.
 * @throws ConfigError
 */
export async function runEncode (args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const options = readOptions(args, env)
  const call = { deadline: Infinity, cancelled: false }
  let signalled = 0
  const stop = (signal: number) => () => {
    signalled = signal
    call.cancelled = true
  }
  const [interrupt, terminate] = [stop(2), stop(15)]
  process.once('SIGINT', interrupt).once('SIGTERM', terminate)
  try {
    const said = await encodeFile(options, call)
    if (!options.quiet) process.stdout.write(said)
    return 0
  } catch (error) {
    if (signalled === 0 && !(error instanceof EncodeError)) throw error
    process.stderr.write(`cellserve: ${error instanceof EncodeError ? error.message : `stopped: ${options.output} has not been started`}\n`)
    return signalled > 0 ? 128 + signalled : 1
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', terminate)
  }
}

/** @throws EncodeError */
async function encodeFile (options: Options, call: Call): Promise<string> {
  const { input, output, formats, keep, fields, parts, sequences, shard, steps, skipBad } = options
  if (skipBad && formats.output === 'safetensors') throw new EncodeError('--skip-bad: rows of a safetensors file have no names, so none can be left out')
  const model = await openModel(options)
  try {
    const source = await about(input, async () => await openSource(options, model))
    try {
      const columns: Columns = { carries: source.carries, fields: answeredNames(options), sequences }
      const identity = {
        model: model.name,
        version: model.version,
        input: await identify(input),
        formats,
        fields,
        parts,
        'return-sequences': sequences,
        steps: steps ?? null,
        keep,
        shard: `${shard.index}/${shard.count}`
      }
      const resume = await isBegun(options)
      const checkpoint = await about(output, async () => await openCheckpoint(output, identity, resume))
      try {
        const sink = await about(output, async () => await openSink(output, formats.output, resume ? checkpoint.marks.map((mark) => mark.output) : undefined, columns))
        try {
          return await encodeRows(options, model, source, sink, checkpoint, call)
        } finally {
          await sink.close()
        }
      } finally {
        await checkpoint.close().catch(() => {})
      }
    } finally {
      await source.close()
    }
  } finally {
    await model.close()
  }
}

/** Whether to resume an existing output. @throws EncodeError if an output exists that must not be touched */
async function isBegun ({ output, resume, overwrite }: Options): Promise<boolean> {
  const [there, begun] = await Promise.all([output, checkpointPath(output)].map(async (path) => await access(path).then(() => true, () => false)))
  if (begun && !there) return false
  if (resume && begun) return true
  if (!there || overwrite) return false
  throw new EncodeError(resume
    ? `${output}: exists, but ${checkpointPath(output)} does not: it is complete, or something else wrote it; --overwrite starts over`
    : `${output}: exists already; ${begun ? '--resume continues it, ' : ''}--overwrite starts over`)
}

async function encodeRows (options: Options, model: Model, source: Source, sink: Sink, checkpoint: Checkpoint, call: Call): Promise<string> {
  const { input, output, shard, skipBad, quiet } = options
  const begin = performance.now()
  const last = checkpoint.marks.at(-1)
  const { first, end, from } = await about(input, async () => await boundsOf(source, shard, last?.next))
  const encode = createEncoder(model, options, call)
  const progress = createProgress(process.stderr, quiet)
  const tally: Tally = { rows: from.row - first, bad: last?.bad ?? 0, steps: 0 }

  async function write (answers: ReadonlyArray<Answer | BadRow>, next: Window['next']): Promise<void> {
    try {
      const state = await sink.write(answers)
      await checkpoint.add({ next, bad: tally.bad + answers.filter((answer) => 'fault' in answer).length, output: state })
    } catch (error) {
      throw await undo(error)
    }
    tally.rows += answers.length
    for (const answer of answers) {
      if ('fault' in answer) report(answer)
      else tally.steps += answer.length
    }
    const share = Number.isFinite(end) ? tally.rows / (end - first) : next.byte / source.size
    progress.show(share, `${tally.rows} sequences`)
  }

  /** Removes a partial write, so that the output contains complete windows only. */
  async function undo (error: unknown): Promise<EncodeError> {
    await sink.rollBack().catch(() => {})
    return error instanceof EncodeError ? error : new EncodeError(`${output}: cannot be written: ${messageOf(error)}`)
  }

  function report (row: BadRow): void {
    if (++tally.bad > MAX_NAMED) return
    progress.clear()
    process.stderr.write(`cellserve: ${input}: ${nameOf(row)}: ${row.fault}\n`)
  }

  let writing = Promise.resolve()
  try {
    const windows = source.read(from, end)
    let reading = windows.next()
    for (;;) {
      const next = await about(input, async () => await reading)
      if (next.done === true) break
      // While this window is computed, the next one is read and the previous one is written.
      reading = windows.next()
      reading.catch(() => {})
      const answers = await encode(next.value.rows)
      const bad = answers.find((answer) => 'fault' in answer)
      if (bad !== undefined && !skipBad) throw new EncodeError(`${input}: ${nameOf(bad)}: ${bad.fault}`)
      await writing
      writing = write(answers, next.value.next)
      writing.catch(() => {})
    }
    await writing
    await sink.finish().catch(async (error: unknown) => { throw await undo(error) })
    await checkpoint.remove()
    await sink.tidy()
  } catch (error) {
    progress.clear()
    // The write in progress may still complete. If it is what failed, report its error.
    const failure = await writing.then(() => error, (reason: unknown) => reason)
    const written = `${tally.rows} sequences are written, and --resume continues after them`
    if (call.cancelled) throw new EncodeError(`stopped: ${output}: ${written}`)
    throw new EncodeError(`${messageOf(failure)}; ${written}`)
  }
  progress.clear()
  const skipped = tally.bad > 0 ? `, ${tally.bad} of them without an answer` : ''
  const seconds = (performance.now() - begin) / 1000
  return `${output}: ${tally.rows} sequences${skipped}, ${tally.steps} steps in ${timeOf(seconds * 1000)} (${model.engine.name}, ${model.engine.backend})\n`
}

/**
 * The rows of this shard, and where to begin. Each shard is one contiguous piece of the file, so the shards' answers, concatenated,
 * are those of the whole file.
 */
async function boundsOf (source: Source, { index, count }: Options['shard'], before: Window['next'] | undefined) {
  if (count === 1) return { first: 0, end: source.rows ?? Infinity, from: before ?? await source.seek(0) }
  const rows = await source.count()
  const first = Math.floor(rows * index / count)
  return { first, end: Math.floor(rows * (index + 1) / count), from: before ?? await source.seek(first) }
}

async function identify (input: string): Promise<string> {
  const file = await open(input)
  try {
    return await fingerprint(file, (await file.stat()).size)
  } finally {
    await file.close()
  }
}

/** Puts the file's path in front of an error's message. */
async function about<T> (path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const message = messageOf(error)
    throw new EncodeError(message.startsWith(path) ? message : `${path}: ${message}`)
  }
}
