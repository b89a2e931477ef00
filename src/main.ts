#!/usr/bin/env node
import { commandsText, findCommand } from './cli/cli.ts'
import { ConfigError, helpText, readConfig } from './config/settings.ts'
import { version } from './version.ts'

try {
  const args = process.argv.slice(2)
  const command = findCommand(args[0])
  if (command === undefined) await start(args)
  else process.exitCode = await command.run(args.slice(1), process.env)
} catch (error) {
  // The operator gets one line that says why the service cannot start, or a command cannot do its work.
  process.stderr.write(`cellserve: ${error instanceof Error ? error.message : String(error)}\n`)
  if (error instanceof ConfigError) process.stderr.write('cellserve --help lists what can be set\n')
  process.exitCode = 1
}

/** Does what the flags ask for. The service is loaded if it is to serve: the rest answers at once. */
async function start (flags: readonly string[]): Promise<void> {
  const config = readConfig(flags, process.env)
  if (config === 'help') process.stdout.write(helpText() + commandsText())
  else if (config === 'version') process.stdout.write(`${version}\n`)
  else await (await import('./serve.ts')).serve(config)
}
