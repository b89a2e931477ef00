/**
 * Exits with 0 if the service takes work: the image's HEALTHCHECK.
 *
 *     node dist/cli/healthcheck.js [PID]
 *
 * The address comes from that process's flags and the environment, which both processes share. In a container, the service is
 * process 1, or process 1 is an init that starts it.
 */
import { readFileSync } from 'node:fs'
import { argv, env, exit } from 'node:process'
import { readConfig } from '../config/settings.ts'

const [, , pid = '1'] = argv
try {
  const config = readConfig(flagsOf(pid), env)
  if (typeof config === 'string') throw new Error(`the service only prints its ${config}`)
  const response = await fetch(`http://${addressOf(config.host)}:${config.port}/health/ready`)
  exit(response.ok ? 0 : 1)
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  exit(1)
}

/**
 * The arguments after the service's program in the command line, with or without an init in front; empty if the program is not in
 * it.
 */
function flagsOf (pid: string): string[] {
  const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1)
  const program = command.findIndex((part) => /(^|\/)main\.[jt]s$/.test(part))
  return program === -1 ? [] : command.slice(program + 1)
}

/** The address to connect to: the loopback address if the service listens on all addresses. */
function addressOf (host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  if (host === '::') return '[::1]'
  return host.includes(':') ? `[${host}]` : host
}
