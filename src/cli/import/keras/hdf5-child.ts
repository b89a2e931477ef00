/**
 * Reads the HDF5 file on its standard input, of as many bytes as its argument says, for another process, which ends this one if it
 * takes too long: a broken file may lead the library in circles. What it has goes to standard output, a tensor at a time, so that
 * no second copy of the file is held. A line that says that the library has started goes to standard error, and then what is wrong,
 * if anything is.
 */
import { setFlagsFromString } from 'node:v8'
import { readContents, STARTED } from './hdf5-contents.ts'
import { lastMessage, tensorMessage } from './hdf5-messages.ts'
import { piecesOf } from './pieces.ts'

const send = (parts: readonly Uint8Array[]): void => { for (const part of parts) process.stdout.write(part) }

// To optimize the library takes longer than a file does, which is read once.
setFlagsFromString('--liftoff-only')

try {
  const bytes = await piecesOf(process.stdin)(Number(process.argv[2]))
  send(lastMessage(await readContents(bytes, () => process.stderr.write(STARTED), (path, tensor) => { send(tensorMessage(path, tensor)) })))
} catch (error) {
  process.stderr.write(error instanceof Error ? error.message : 'the library failed')
  process.exitCode = 1
}
