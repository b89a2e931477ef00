/** Writes the licences of the production dependencies to docs/licences.md. */
import { writeFile } from 'node:fs/promises'
import { licencesText, readLicences } from './licences.ts'

await writeFile(new URL('../docs/licences.md', import.meta.url), licencesText(await readLicences()))
