/**
 * Exits with 0 if the service takes work: the image's HEALTHCHECK.
 *
 *     node dist/cli/healthcheck.js [PID]
 *
 * It asks where the flags of that process and the environment, which both share, say that the service listens. In a container the
 * process is the first, or started by it.
 */
import { readFileSync } from 'node:fs'
import { argv, env, exit } from 'node:process'
import { readConfig } from '../config/settings.ts'

const [, , pid = '1'] = argv
try {
  const config = readConfig(flagsOf(pid), env)
  if (typeof config === 'string') throw new Error(`the service only says its ${config}`)
  const response = await fetch(`http://${addressOf(config.host)}:${config.port}/health/ready`)
  exit(response.ok ? 0 : 1)
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  exit(1)
}

/** What follows the service's program in the command line, be it run as it is or by an init; nothing if there is no such program. */
function flagsOf (pid: string): string[] {
  const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1)
  const program = command.findIndex((part) => /(^|\/)main\.[jt]s$/.test(part))
  return program === -1 ? [] : command.slice(program + 1)
}

/** A service that listens on all addresses is asked at the loopback one. */
function addressOf (host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  if (host === '::') return '[::1]'
  return host.includes(':') ? `[${host}]` : host
}
