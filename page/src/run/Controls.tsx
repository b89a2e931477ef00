import { useSignal } from '@preact/signals'
import type { Model } from '../app/model.ts'
import { address } from '../app/service.ts'
import { requestOf, type Form } from '../input/form.ts'
import { writeLink } from './link.ts'
import { activity, news, start, step, stop } from './running.ts'

/** Runs the request that a form holds: whole, or step by step. */
export function Controls ({ model, form }: { readonly model: Model, readonly form: Form }) {
  const link = useSignal('')
  const doing = activity.value
  const stepping = doing === 'stepping' || doing === 'connecting'

  const share = async (): Promise<void> => {
    link.value = ''
    const request = requestOf(form)
    if (request === undefined) return
    const hash = await writeLink({ model: model.name, request })
    if (hash === undefined) {
      form.fault.value = 'The request is too long for a link: use its program instead, or fewer steps.'
      return
    }
    history.replaceState(null, '', hash)
    link.value = new URL(hash, address).href
    // A page over plain HTTP has no clipboard.
    await navigator.clipboard?.writeText(link.value).catch(() => {})
  }

  return (
    <div class='actions'>
      <div class='buttons'>
        <button type='submit' class='primary'>Run</button>
        <button type='button' disabled={model.directions > 1} aria-describedby={model.directions > 1 ? 'no-steps' : undefined} onClick={() => { void step(form, 1) }}>{stepping ? 'Next step' : 'Step'}</button>
        {stepping && <button type='button' onClick={() => { void step(form, 10) }}>Ten steps</button>}
        {doing !== 'none' && <button type='button' onClick={stop}>Stop</button>}
        <button type='button' onClick={() => { void share() }}>Link</button>
      </div>
      {model.directions > 1 && <p class='hint' id='no-steps'>Both directions need the whole sequence, so the model cannot take single steps.</p>}
      <p class='fault' role='alert'>{form.fault}</p>
      <p class='news' role='status'>{news}</p>
      {link.value !== '' && (
        <label class='link'>A link to this request
          <input readOnly value={link.value} onFocus={({ currentTarget }) => { currentTarget.select() }} />
        </label>
      )}
    </div>
  )
}

/** Runs a form when it is submitted, and focuses the first field with a fault. */
export function onRun (form: Form): (event: SubmitEvent & { currentTarget: HTMLFormElement }) => void {
  return (event) => {
    event.preventDefault()
    const { currentTarget: element } = event
    void start(form).then(() => {
      // Wait until the fault is rendered.
      if (form.fields.some(({ fault }) => fault.value !== undefined)) requestAnimationFrame(() => { element.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus() })
    })
  }
}
