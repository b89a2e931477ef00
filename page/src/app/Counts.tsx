import { signal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { readCounts, type Counts } from './counts.ts'
import { address, apiKey } from './service.ts'

/** Milliseconds between two refreshes. */
const EVERY = 3000

/** Undefined until they are known, which never happens if the metrics have a port of their own. */
const counts = signal<ReadonlyMap<string, Counts> | undefined>(undefined)

/** Live counts of the requests that a model has answered and the steps that it has computed. */
export function LiveCounts ({ model }: { readonly model: string }) {
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined
    let gone = false
    const look = async (): Promise<void> => {
      // A hidden page needs no refresh.
      const goOn = document.hidden || await refresh()
      if (goOn && !gone) timer = setTimeout(() => { void look() }, EVERY)
    }
    void look()
    return () => {
      gone = true
      clearTimeout(timer)
    }
  }, [apiKey.value])
  const known = counts.value
  if (known === undefined) return null
  const { requests, steps } = known.get(model) ?? { requests: 0, steps: 0 }
  return (
    <>
      <div><dt>Requests</dt><dd>{requests.toLocaleString('en')}</dd></div>
      <div><dt>Steps</dt><dd>{steps.toLocaleString('en')}</dd></div>
    </>
  )
}

/** @returns whether to refresh again later. */
async function refresh (): Promise<boolean> {
  try {
    const response = await fetch(new URL('metrics', address), { headers: apiKey.value === '' ? {} : { authorization: `Bearer ${apiKey.value}` } })
    if (!response.ok) return false
    counts.value = readCounts(await response.text())
  } catch {
    // The next attempt may succeed.
  }
  return true
}
