import { useSignal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { loadModels, locked } from './models.ts'
import { apiKey } from './service.ts'

/** Asks for the API key, if the service requires one. */
export function KeyForm () {
  const text = useSignal('')
  const refused = useSignal(false)
  const input = useRef<HTMLInputElement>(null)
  const asking = locked.value
  useEffect(() => { if (asking) input.current?.focus() }, [asking])

  if (!asking && apiKey.value === '') return null
  if (!asking) return <p class='key'>Using an API key, kept until you leave the page.</p>
  const onSubmit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault()
    apiKey.value = text.value.trim()
    await loadModels()
    refused.value = locked.value
    if (!locked.value) text.value = ''
  }
  return (
    <form class='key' onSubmit={(event) => { void onSubmit(event) }}>
      <label for='key'>The service requires an API key</label>
      <input
        id='key' ref={input} type='password' autoComplete='off' required value={text} aria-invalid={refused.value} aria-describedby='key-fault'
        onInput={({ currentTarget }) => { text.value = currentTarget.value }}
      />
      <button type='submit'>Use this key</button>
      <span id='key-fault' class='fault' role='alert'>{refused.value ? 'The service does not accept this key.' : ''}</span>
    </form>
  )
}
