import { signal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { readCounts, type Counts } from './counts.ts'
import { address, apiKey } from './service.ts'

/** Milliseconds between two looks. */
const EVERY = 3000

/** Undefined until they are known; they may have a port of their own, and then never are. */
const counts = signal<ReadonlyMap<string, Counts> | undefined>(undefined)

/** How many requests a model has answered, and how many steps it has taken, as they grow. */
export function LiveCounts ({ model }: { readonly model: string }) {
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined
    let gone = false
    const look = async (): Promise<void> => {
      // Nobody sees it.
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

/** @returns whether to look again. */
async function refresh (): Promise<boolean> {
  try {
    const response = await fetch(new URL('metrics', address), { headers: apiKey.value === '' ? {} : { authorization: `Bearer ${apiKey.value}` } })
    if (!response.ok) return false
    counts.value = readCounts(await response.text())
  } catch {
    // It may be there again the next time.
  }
  return true
}
