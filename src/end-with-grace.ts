import closeWithGrace from 'close-with-grace'
import type { Logger } from 'pino'

/** For how long a further signal is taken for the first one again, in milliseconds: Ctrl-C in `npm start` comes from the terminal and from npm. */
const ECHO = 500

/**
 * Closes and ends the process after a signal or an uncaught error. A second signal ends it at once.
 *
 * @param delay after how many milliseconds the process ends in any case.
 */
export function endWithGrace (delay: number, logger: Logger, close: (signal: NodeJS.Signals | undefined, error: Error | undefined) => Promise<void>): void {
  let first: NodeJS.Signals | undefined
  let since: number | undefined
  const { close: end } = closeWithGrace({ delay, logger, skip: ['SIGHUP', 'SIGINT', 'SIGTERM'] }, async ({ signal = first, err }) => {
    since = performance.now()
    await close(signal, err)
  })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (since === undefined) {
        first = signal
        end()
      } else if (performance.now() - since > ECHO) {
        logger.error(`second ${signal}, exiting`)
        process.exit(1)
      }
    })
  }
}
