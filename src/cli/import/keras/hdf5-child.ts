/**
 * Reads the HDF5 file on its standard input for another process, which ends this one if it takes too long: a broken file may lead
 * the library in circles. What it has goes to standard output. A line that says that the library has started goes to standard
 * error, and then what is wrong, if anything is.
 */
import { buffer } from 'node:stream/consumers'
import { serialize, setFlagsFromString } from 'node:v8'
import { readContents, STARTED } from './hdf5-contents.ts'

// To optimize the library takes longer than a file does, which is read once.
setFlagsFromString('--liftoff-only')

try {
  process.stdout.write(serialize(await readContents(await buffer(process.stdin), () => process.stderr.write(STARTED))))
} catch (error) {
  process.stderr.write(error instanceof Error ? error.message : 'the library failed')
  process.exitCode = 1
}
