import { useEffect, useRef } from 'preact/hooks'
import { fillFrom } from '../input/form.ts'
import { FormView } from '../input/FormView.tsx'
import { Controls, onRun } from '../run/Controls.tsx'
import { readLink } from '../run/link.ts'
import { Result } from '../plots/Result.tsx'
import { runs, shown, stop } from '../run/running.ts'
import { Header } from './Header.tsx'
import { ModelList } from './ModelList.tsx'
import { ModelView } from './ModelView.tsx'
import { apiKey } from './service.ts'
import { theme } from './theme.ts'
import { chosen, formOf, loadModels, locked, model, models, trouble } from './models.ts'

/** The whole page: the list of models, the chosen model, its request and the answer. */
export function App () {
  useEffect(() => {
    void loadModels().then(openLink)
    const open = (): void => { void openLink() }
    addEventListener('hashchange', open)
    return () => { removeEventListener('hashchange', open) }
  }, [])
  return (
    <>
      {model.value !== undefined && <a class='skip' href='#request' onClick={skip}>Skip to the request</a>}
      <Header />
      <div class='body'>
        <ModelList />
        <main>
          <Contents />
        </main>
      </div>
    </>
  )
}

function Contents () {
  const served = model.value
  if (trouble.value !== undefined) return <p class='fault' role='alert'>{trouble} <button type='button' onClick={() => { void loadModels() }}>Try again</button></p>
  if (served !== undefined) return <Workbench key={`${served.name} ${served.version}`} />
  if (locked.value || models.value === undefined) return <p role='status'>{locked.value ? '' : 'Loading the models.'}</p>
  return <p>The service has no models.</p>
}

/** The chosen model, with its request form and results. */
function Workbench () {
  const served = model.value
  // Unmounting closes the connection.
  useEffect(() => stop, [])
  if (served === undefined) return null
  const form = formOf(served)
  return (
    <>
      <ModelView model={served} />
      <section class='request' aria-labelledby='request'>
        <h2 id='request' tabIndex={-1}>Request</h2>
        <form onSubmit={onRun(form)} noValidate>
          <FormView form={form} />
          <Controls model={served} form={form} />
        </form>
      </section>
      <Answer name={served.name} />
    </>
  )
}

function Answer ({ name }: { readonly name: string }) {
  const section = useRef<HTMLElement>(null)
  const run = shown.value
  const own = run?.model === name ? run : undefined
  useEffect(() => {
    if (own !== undefined && section.current !== null && section.current.getBoundingClientRect().top > innerHeight - 200) section.current.scrollIntoView({ block: 'start' })
  }, [own])
  return (
    <section class='answer' aria-labelledby='answer' ref={section}>
      <h2 id='answer'>Answer</h2>
      {own === undefined ? <p class='hint'>Run the request to see what the network does.</p> : <Result run={own} theme={theme.value} earlier={runs.value.filter((each) => each.model === name).toReversed()} withKey={apiKey.value !== ''} />}
    </section>
  )
}

/** The skip link must not replace a request link in the address. */
function skip (event: MouseEvent): void {
  event.preventDefault()
  document.getElementById('request')?.focus()
}

/** Opens the model and request in the page's address. */
async function openLink (): Promise<void> {
  const linked = await readLink(location.hash)
  if (linked === undefined || models.value === undefined) return
  if (linked instanceof Error) {
    if (model.value !== undefined) formOf(model.value).fault.value = linked.message
    return
  }
  const served = models.value.find(({ name }) => name === linked.model)
  if (served === undefined) {
    if (model.value !== undefined) formOf(model.value).fault.value = `The link is for the model ${linked.model}, which this service does not have.`
    return
  }
  chosen.value = served.name
  if (linked.request !== undefined) fillFrom(formOf(served), linked.request)
}
