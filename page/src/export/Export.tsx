import { useSignal } from '@preact/signals'
import type { Run } from '../run/run.ts'
import type { Series } from '../series/series.ts'
import { inSlices } from '../series/slices.ts'
import { messageOf } from '../app/message.ts'
import { toCsv, toJson, toSafetensors } from './answer.ts'
import { toCurl } from './curl.ts'
import { toPython } from './python.ts'
import { save } from './save.ts'
import { toTypeScript } from './typescript.ts'

export interface ExportProps {
  readonly run: Run
  /** Whether the service requires a key. If so, the programs read it from their environment. */
  readonly withKey: boolean
  /** Returns the shown map as a picture. */
  readonly picture: () => Promise<Blob>
}

const PROGRAMS = { curl: toCurl, Python: toPython, TypeScript: toTypeScript } as const
type Program = keyof typeof PROGRAMS
const NAMES: readonly Program[] = ['curl', 'Python', 'TypeScript']

/** Longer programs can be copied but are not shown: nobody reads them, and layout takes the browser long. */
const LONGEST_SHOWN = 20_000

/** The request as a program, the answer as a file. */
export function Export ({ run, withKey, picture }: ExportProps) {
  const program = useSignal<Program>('curl')
  const said = useSignal('')
  const busy = useSignal(false)
  const code = PROGRAMS[program.value](run, withKey)

  /** Runs a button's action, and reports its outcome. */
  const tell = async (done: string, work: () => Promise<void>): Promise<void> => {
    busy.value = true
    said.value = ''
    try {
      await work()
      said.value = done
    } catch (error) {
      said.value = `This failed: ${messageOf(error)}`
    } finally {
      busy.value = false
    }
  }
  const file = (name: string, make: () => Promise<Blob>) => {
    const full = `${run.model}.${name}`
    return (
      <button type='button' disabled={busy.value || run.series.size === 0} onClick={() => { void tell(`Saved ${full}.`, async () => { save(full, await make()) }) }}>
        {name === 'safetensors' ? name : name.toUpperCase()}
      </button>
    )
  }
  const all = (): Series[] => [...run.series.values()]

  return (
    <section class='export' aria-label='Export'>
      <h3>The request as a program</h3>
      <div class='choices' role='group' aria-label='Language'>
        {NAMES.map((name) => (
          <button key={name} type='button' aria-pressed={program.value === name} onClick={() => { program.value = name }}>{name}</button>
        ))}
        <button type='button' class='copy' onClick={() => { void tell(`Copied ${program.value}.`, () => copy(code)) }}>Copy {program.value}</button>
      </div>
      <pre class='program' tabIndex={0} role='region' aria-label={`The request in ${program.value}`}><code>{code.length > LONGEST_SHOWN ? `${code.slice(0, LONGEST_SHOWN)} …` : code}</code></pre>
      {code.length > LONGEST_SHOWN && <p class='hint'>The first {LONGEST_SHOWN} of {code.length} characters. Copy includes all of them.</p>}
      {withKey && <p class='hint'>It reads the key from the environment variable CELLSERVE_API_KEY.</p>}
      <h3>The answer as a file</h3>
      <div class='choices' role='group' aria-label='Format'>
        {file('json', async () => new Blob(await inSlices(toJson(all())), { type: 'application/json' }))}
        {file('csv', async () => new Blob(await inSlices(toCsv(all())), { type: 'text/csv' }))}
        {file('safetensors', async () => new Blob([toSafetensors(all())], { type: 'application/octet-stream' }))}
        {file('png', picture)}
      </div>
      <p role='status' class='hint'>{said}</p>
    </section>
  )
}

/** Copies text. Over plain HTTP, a page can copy only a selection. */
async function copy (text: string): Promise<void> {
  if (window.isSecureContext) {
    await navigator.clipboard.writeText(text)
    return
  }
  const area = document.createElement('textarea')
  area.value = text
  document.body.append(area)
  area.select()
  const copied = document.execCommand('copy')
  area.remove()
  if (!copied) throw new Error('this browser does not let a page over plain HTTP copy; select the text')
}
