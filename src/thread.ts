import { extname } from 'node:path'
import { parentPort, Worker } from 'node:worker_threads'

/**
 * A thread that answers one question after the other, so that none blocks the event loop. It starts with the first question, and
 * restarts with the next one if it has ended. While it has no question, it does not keep the process alive.
 */
export interface Thread<Question, Answer> {
  /**
   * Asks a question. Call it only once the previous question has been answered. Memory of typed arrays goes to the thread, and comes
   * back with the answer. Large memory is transferred, not copied, so the caller no longer has it.
   *
   * @throws what the thread threw, or an Error if it ends before it answers.
   */
  ask (question: Question): Promise<Answer>
  close (): Promise<void>
}

/** The caller that waits for an answer. */
interface Asking<Answer> {
  resolve (answer: Answer): void
  reject (error: Error): void
}

/** Smaller memory is copied: it may be part of a pool, which must not be transferred. */
const TRANSFERRED = 2 ** 17

/**
 * @param name the module that answers, next to the one that asks.
 * @param base the URL of the module that asks.
 */
export function createThread<Question, Answer> (name: string, base: string): Thread<Question, Answer> {
  const module = new URL(`./${name}${extname(base)}`, base)
  let running: Worker | undefined
  let asking: Asking<Answer> | undefined

  function start (): Worker {
    const worker = new Worker(module)
    worker.on('message', (answer: Answer) => { asking?.resolve(answer) })
    // A thread that throws emits `error` and then `exit`: the caller receives the first.
    const fail = (error: Error): void => {
      if (running !== worker) return
      running = undefined
      asking?.reject(error)
    }
    worker.on('error', fail)
    worker.on('exit', () => { fail(new Error(`the thread ${name} has ended`)) })
    return worker
  }

  return {
    async ask (question) {
      running ??= start()
      const worker = running
      worker.ref()
      try {
        return await new Promise<Answer>((resolve, reject) => {
          asking = { resolve, reject }
          worker.postMessage(question, buffersOf(question))
        })
      } finally {
        asking = undefined
        worker.unref()
      }
    },
    async close () { await running?.terminate() }
  }
}

/** In the thread: answers each question. */
export function answerQuestions<Question, Answer> (answer: (question: Question) => Answer | Promise<Answer>): void {
  async function respond (question: Question): Promise<void> {
    const answered = await answer(question)
    parentPort?.postMessage(answered, buffersOf(answered))
  }
  parentPort?.on('message', (question: Question) => { void respond(question) })
}

/** The memory of the typed arrays in a value. */
function buffersOf (value: unknown): ArrayBuffer[] {
  const found = new Set<ArrayBuffer>()
  function look (part: unknown): void {
    if (ArrayBuffer.isView(part)) {
      if (part.buffer instanceof ArrayBuffer && part.buffer.byteLength >= TRANSFERRED) found.add(part.buffer)
    } else if (part instanceof Map) {
      for (const each of part.values()) look(each)
    } else if (typeof part === 'object' && part !== null) {
      for (const each of Object.values(part)) look(each)
    }
  }
  look(value)
  return [...found]
}
