import { basename, dirname, extname, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { messageOf } from '../../errors.ts'
import { ConfigError } from '../../config/config-error.ts'
import { variable } from '../../config/environment.ts'
import { createProgress } from '../progress.ts'
import { chainOf } from './chain.ts'
import { contentsOf, refuseExisting, writeFolder } from './folder.ts'
import { ImportError } from './import-error.ts'
import { describeFile } from './readers.ts'
import { reportOf } from './report.ts'
import { verify } from './verify.ts'

/** The default folder for models. */
const MODELS = 'my-models'

/** The progress at the start of writing and of checking; reading comes before both. */
const WRITING = 0.5
const CHECKING = 0.75

/**
 * `cellserve import`: writes a model's folder from a file in another format, and reports what it found and wrote.
 *
 * @throws ConfigError
 */
export async function runImport (args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const { file, name = nameOf(file), models = env[variable('models')] ?? MODELS, layer } = readArguments(args)
  if (!/^[^./\\\p{Cc}][^/\\\p{Cc}]*$/u.test(name)) throw new ConfigError(`--name: ${JSON.stringify(name)} is not the name of a folder`)
  const progress = createProgress(process.stderr, false)
  try {
    const report = await importModel(file, models, name, layer, (share, doing) => progress.show(share, doing)).finally(() => progress.clear())
    process.stdout.write(report)
    return 0
  } catch (error) {
    if (!(error instanceof ImportError)) throw error
    process.stderr.write(`cellserve: ${file}: ${error.message}\n${error.advice}`)
    return 1
  }
}

/**
 * Writes `models/name` from a file, completely or not at all.
 *
 * @param layer the recurrent layer to import alone.
 * @param hear receives the current activity, and the share of the work done, from 0 to 1.
 * @returns a report of what was found and written.
 * @throws ImportError, which does not name the file.
 */
export async function importModel (file: string, models: string, name: string, layer?: string, hear: (share: number, doing: string) => void = () => {}): Promise<string> {
  try {
    await refuseExisting(join(models, name))
    const part = (from: number, to: number, doing: string) => (share: number): void => hear(from + share * (to - from), doing)
    const read = part(0, WRITING, 'reading')
    read(0)
    const description = await describeFile(file, read)
    const chain = chainOf(description, layer)
    const contents = contentsOf(chain)
    const checked = await writeFolder(models, name, contents, part(WRITING, CHECKING, 'writing'), async (folder) => {
      hear(CHECKING, 'checking')
      return await verify(folder)
    })
    return reportOf({ file, folder: join(models, name), description, chain, contents, checked })
  } catch (error) {
    // The file comes from elsewhere, so any failure is reported in one line.
    throw error instanceof ImportError ? error : new ImportError(messageOf(error))
  }
}

function readArguments (args: readonly string[]): { file: string, name?: string, models?: string, layer?: string } {
  try {
    const { values, positionals: [file, ...more] } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { name: { type: 'string' }, models: { type: 'string' }, layer: { type: 'string' } }
    })
    if (file === undefined || more.length > 0) throw new Error(`expected one FILE, got ${file === undefined ? 'none' : more.length + 1}`)
    return { file, ...values }
  } catch (error) {
    throw new ConfigError(`import: ${error instanceof Error ? error.message.split('\n', 1)[0] : String(error)}`)
  }
}

/** The file's name without its extension, or its folder's name if the file is called `model`, as every TensorFlow.js model is. */
function nameOf (file: string): string {
  const name = basename(file, extname(file))
  return name === 'model' ? basename(dirname(resolve(file))) : name
}
