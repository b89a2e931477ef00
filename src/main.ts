#!/usr/bin/env node
import { constants } from 'node:os'
import { commandsText, findCommand } from './cli/cli.ts'
import { ConfigError, helpText, readConfig, type Config } from './config/settings.ts'
import { workersOf } from './config/workers.ts'
import { usableCores } from './engine/cores.ts'
import { version } from './version.ts'
import { isErrno } from './weights/sources/file.ts'

try {
  const args = process.argv.slice(2)
  const command = findCommand(args[0])
  if (command === undefined) await start(args)
  else {
    endIfUnread()
    process.exitCode = await command.run(args.slice(1), process.env)
  }
} catch (error) {
  // The operator gets one line that says why the service cannot start, or why a command failed.
  process.stderr.write(`cellserve: ${error instanceof Error ? error.message : String(error)}\n`)
  if (error instanceof ConfigError) process.stderr.write('cellserve --help lists what can be set\n')
  process.exitCode = 1
}

/** Does what the flags ask for. The service is loaded only to serve, so that everything else answers at once. */
async function start (flags: readonly string[]): Promise<void> {
  const config = readConfig(flags, process.env)
  if (config === 'help') process.stdout.write(helpText() + commandsText())
  else if (config === 'version') process.stdout.write(`${version}\n`)
  else await serveBy(config)
}

/** Serves with as many processes as the settings say. The code for several processes is not loaded for one. */
async function serveBy (config: Config): Promise<void> {
  const workers = workersOf(config, usableCores)
  if (workers === 1) await (await import('./serve.ts')).serve(config)
  else await (await import('./workers/primary.ts')).serveTogether(config, workers)
}

/** Ends quietly, as other programs do, if whatever reads the output, such as `head`, has closed it. */
function endIfUnread (): void {
  process.stdout.on('error', (error) => {
    if (!isErrno(error, 'EPIPE')) throw error
    process.exit(128 + constants.signals.SIGPIPE)
  })
}
