/**
 * Reads an HDF5 file for the parent process, which kills this one if it takes too long: a broken file can make the library loop
 * forever. The file comes on standard input, and the argument is its size in bytes. The contents go to standard output, one tensor
 * at a time, so that no second copy of the file is held. Standard error gets one line when the library has started, and then an
 * error message if reading fails.
 */
import { setFlagsFromString } from 'node:v8'
import { readContents, STARTED } from './hdf5-contents.ts'
import { lastMessage, tensorMessage } from './hdf5-messages.ts'
import { piecesOf } from './pieces.ts'

const send = (parts: readonly Uint8Array[]): void => { for (const part of parts) process.stdout.write(part) }

// Optimizing the library takes longer than reading one file.
setFlagsFromString('--liftoff-only')

try {
  const bytes = await piecesOf(process.stdin)(Number(process.argv[2]))
  send(lastMessage(await readContents(bytes, () => process.stderr.write(STARTED), (path, tensor) => { send(tensorMessage(path, tensor)) })))
} catch (error) {
  process.stderr.write(error instanceof Error ? error.message : 'the library failed')
  process.exitCode = 1
}
