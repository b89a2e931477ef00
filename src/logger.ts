import { pino, type Logger } from 'pino'

/** The most bytes of lines that may wait for a slow reader. */
const MAX_WAITING = 2 ** 20

/** A log on standard output: JSON lines; pretty-printed on a terminal. */
export async function createLogger (level: string): Promise<Logger> {
  if (process.stdout.isTTY) return pino({ level }, (await import('pino-pretty')).default({ singleLine: true, sync: true }))
  return pino({ level }, createDestination(process.stdout))
}

/** Logs why a process ends: a signal, or an error. @param grace seconds. */
export function logDrain (logger: Logger, grace: number, signal: string | undefined, error: Error | undefined): void {
  if (error === undefined) logger.info({ signal, grace }, 'draining')
  else logger.fatal(error, 'draining after an uncaught error')
}

/** What lines are written to. */
interface Output {
  readonly writableLength: number
  write (line: string): unknown
  on (event: 'error', listener: () => void): unknown
}

/**
 * Writes lines as long as that is possible. With a full disk, or a reader that stalls or is gone, lines are lost, but the service
 * continues, and can still end. The next line that can be written is preceded by one that reports the loss.
 */
function createDestination (output: Output): { write (line: string): void } {
  let lost = false
  output.on('error', () => { lost = true })
  return {
    write (line) {
      if (output.writableLength > MAX_WAITING) {
        lost = true
        return
      }
      const report = lost
      lost = false
      if (report) output.write(`${JSON.stringify({ level: pino.levels.values.warn, time: Date.now(), msg: 'log lines were lost' })}\n`)
      output.write(line)
    }
  }
}
