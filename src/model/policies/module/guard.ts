import { Worker } from 'node:worker_threads'

/** Source, not a file: on Node.js 20, a TypeScript loader does not apply in threads. */
const SOURCE = `
const { parentPort, workerData: { service, interval } } = require('node:worker_threads')
let most = Infinity
parentPort.once('message', (bytes) => { most = process.memoryUsage.rss() + bytes })
setInterval(() => {
  if (process.ppid !== service || process.memoryUsage.rss() > most) process.kill(process.pid, 'SIGKILL')
}, interval)`

/** How often the guard checks, in milliseconds. */
const INTERVAL = 25

/**
 * Starts a thread that watches this process for as long as it lives. The thread ends the process if the service has ended:
 * nothing else would end a module that loops.
 *
 * @param service the process id of the service, this one's parent.
 * @returns a function that limits the memory: the process also ends if it holds that many bytes more than at that moment. The
 *   heap's own limit does not cover typed arrays.
 */
export function startGuard (service: number): (bytes: number) => void {
  const guard = new Worker(SOURCE, { eval: true, execArgv: [], workerData: { service, interval: INTERVAL } })
  guard.unref()
  return (bytes) => guard.postMessage(bytes)
}
