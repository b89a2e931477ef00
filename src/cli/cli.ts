/** A command other than the service itself: `cellserve NAME ...`. */
export interface Command {
  /** Its arguments, as the help text shows them. */
  readonly usage: string
  /** Its line in `cellserve --help`. */
  readonly summary: string
  /**
   * Loads and runs the command, which prints to standard output.
   *
   * @returns the exit code.
   * @throws Error whose message is one line that says why the command failed.
   */
  readonly run: (args: readonly string[], env: NodeJS.ProcessEnv) => Promise<number>
}

const COMMANDS: Readonly<Record<string, Command>> = {
  import: {
    usage: 'FILE [--name NAME] [--models DIR] [--layer NAME]',
    summary: 'Write a model folder from a Keras, TensorFlow.js or ONNX file',
    run: async (args, env) => await (await import('./import/import.ts')).runImport(args, env)
  },
  check: {
    usage: 'FOLDER [--flag value ...]',
    summary: 'Load a folder of models as the service would, and report what is wrong with them',
    run: async (args, env) => await (await import('./check.ts')).runCheck(args, env)
  },
  encode: {
    usage: 'MODEL --in FILE --out FILE [--flag value ...]',
    summary: 'Run every sequence in a file through a model, without HTTP, and write the answers to another file',
    run: async (args, env) => await (await import('./encode/encode.ts')).runEncode(args, env)
  }
}

/** The command with that name, if it exists. */
export function findCommand (name: string | undefined): Command | undefined {
  return name !== undefined && Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
}

/** The commands' part of `cellserve --help`. */
export function commandsText (): string {
  const rows = Object.entries(COMMANDS).map(([name, { usage, summary }]) => [`cellserve ${name} ${usage}`, summary])
  const width = Math.max(...rows.map(([call]) => call.length))
  return ['', 'Other commands:', '', ...rows.map(([call, summary]) => `  ${call.padEnd(width)}  ${summary}`), ''].join('\n')
}
