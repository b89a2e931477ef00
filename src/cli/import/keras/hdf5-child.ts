/**
 * Reads the HDF5 file on its standard input for another process, which ends this one if it takes too long: a broken file may lead
 * the library in circles. What it has goes to standard output, or a line that says what is wrong to standard error.
 */
import { buffer } from 'node:stream/consumers'
import { serialize } from 'node:v8'
import { readContents } from './hdf5-contents.ts'

try {
  process.stdout.write(serialize(await readContents(await buffer(process.stdin))))
} catch (error) {
  process.stderr.write(error instanceof Error ? error.message : 'the library failed')
  process.exitCode = 1
}
