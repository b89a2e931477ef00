import { buffer } from 'node:stream/consumers'
import type { Entry, ZipFile } from 'yauzl'
import { messageOf } from '../../../errors.ts'
import { ImportError, quote } from '../import-error.ts'
import { loadReader } from '../library.ts'

/** How many times the archive's size its files can have; Keras does not compress. */
const MOST_TIMES = 4

/**
 * Reads the wanted files from a zip archive, by name.
 *
 * @throws ImportError if it is not a zip archive, is broken, or its files are much larger than the archive.
 */
export async function unzip (bytes: Buffer, wanted: readonly string[]): Promise<Map<string, Buffer>> {
  const { default: yauzl } = await loadReader('yauzl', async () => await import('yauzl'))
  const files = new Map<string, Buffer>()
  try {
    const archive = await yauzl.fromBufferPromise(bytes)
    let room = MOST_TIMES * bytes.byteLength
    for await (const entry of archive.eachEntry()) {
      const { fileName: name, uncompressedSize: size } = entry
      if (!wanted.includes(name)) continue
      room -= size
      if (room < 0) throw new ImportError(`its ${quote(name)} declares ${size} bytes, and the archive has ${bytes.byteLength}`)
      if (files.has(name)) throw new ImportError(`has two files ${quote(name)}`)
      files.set(name, await contentOf(bytes, archive, entry))
    }
    return files
  } catch (error) {
    if (error instanceof ImportError) throw error
    throw new ImportError(`is not a zip archive that can be read: ${messageOf(error)}`)
  }
}

/** The content of a file. An uncompressed file, as Keras stores them, is not copied. */
async function contentOf (bytes: Buffer, archive: ZipFile, entry: Entry): Promise<Buffer> {
  const { compressionMethod, compressedSize, uncompressedSize } = entry
  if (compressionMethod === STORED && compressedSize === uncompressedSize && !entry.isEncrypted()) {
    const { fileDataStart: start } = await archive.readLocalFileHeaderPromise(entry, { minimal: true })
    return bytes.subarray(start, start + uncompressedSize)
  }
  // The library stops a stream that exceeds its declared size.
  return await buffer(await archive.openReadStreamPromise(entry))
}
const STORED = 0
