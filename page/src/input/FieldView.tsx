import { useSignal } from '@preact/signals'
import { useId } from 'preact/hooks'
import { DrawingPad } from './DrawingPad.tsx'
import { fillRandom, type Field } from './form.ts'

/** The largest file that is read, in bytes: a request is limited too. */
const MAX_FILE = 16_000_000

/** A field with its label, hint and fault, and ways to fill it other than typing. */
export function FieldView ({ field }: { readonly field: Field }) {
  const { spec: { label, hint, kind, required, width, path, example }, text, fault } = field
  const id = useId()
  const over = useSignal(false)
  const seed = useSignal(1)
  const count = useSignal('')

  const set = (value: string): void => {
    text.value = value
    fault.value = undefined
  }
  const readFile = async (file: File | undefined): Promise<void> => {
    if (file === undefined) return
    if (file.size > MAX_FILE) fault.value = `${file.name} has ${file.size} bytes, more than the ${MAX_FILE} that the page reads.`
    else set(await file.text())
  }
  const attributes = {
    id,
    value: text,
    'aria-describedby': `${id}hint ${id}fault`,
    'aria-invalid': fault.value !== undefined,
    'aria-required': required,
    onInput: ({ currentTarget }: { currentTarget: HTMLTextAreaElement | HTMLInputElement }) => { set(currentTarget.value) }
  }
  const random = example !== undefined && 'random' in example
  const vectors = kind === 'vectors' || kind === 'ids'
  return (
    <div
      class={over.value ? 'field over' : 'field'}
      onDragOver={(event) => {
        event.preventDefault()
        over.value = true
      }}
      onDragLeave={() => { over.value = false }}
      onDrop={(event) => {
        event.preventDefault()
        over.value = false
        void readFile(event.dataTransfer?.files[0])
      }}
    >
      <label for={id}>{label}</label>
      <p class='hint' id={`${id}hint`}>{hint}</p>
      {kind === 'vectors' || kind === 'json' ? <textarea {...attributes} rows={kind === 'json' ? 3 : 6} spellcheck={false} wrap='off' /> : <input {...attributes} type='text' inputMode={kind === 'count' ? 'numeric' : 'text'} autoComplete='off' />}
      <p class='fault' id={`${id}fault`} role='alert'>{fault}</p>
      {vectors && (
        <div class='tools'>
          {random && (
            <>
              <label>
                Random
                <input class='short' type='number' min='1' max='100000' placeholder={'count' in example ? String(example.count) : '48'} aria-label={`How many random entries for ${label}`} value={count} onInput={({ currentTarget }) => { count.value = currentTarget.value }} />
              </label>
              <label>
                seed
                <input class='short' type='number' value={seed} onInput={({ currentTarget }) => { seed.value = Math.trunc(currentTarget.valueAsNumber) || 0 }} />
              </label>
              <button
                type='button' aria-label={`Fill ${label} with random numbers`} onClick={() => {
                  fillRandom(field, seed.value, count.value === '' ? undefined : Math.min(100_000, Math.max(1, Math.trunc(Number(count.value)))))
                  seed.value++
                }}
              >Fill
              </button>
            </>
          )}
          <label class='file'>
            File
            <input type='file' aria-label={`File for ${label}`} accept='.csv,.tsv,.txt,.json,text/csv,application/json' onChange={({ currentTarget }) => { void readFile(currentTarget.files?.[0]) }} />
          </label>
          <span class='hint'>JSON or CSV; or drop a file here</span>
        </div>
      )}
      {path[0] === 'x' && (width === 1 || width === 2) && <DrawingPad width={width} onDrawn={set} text={text} />}
    </div>
  )
}
