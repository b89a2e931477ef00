import { useEffect, useRef } from 'preact/hooks'
import { chosen, models } from './models.ts'
import { formatCell } from './facts.ts'

/** The service's models, one of which is chosen. */
export function ModelList () {
  const list = useRef<HTMLUListElement>(null)
  // On a phone the list scrolls sideways.
  useEffect(() => { list.current?.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' }) }, [chosen.value])
  return (
    <nav class='models' aria-labelledby='models'>
      <h2 id='models'>Models</h2>
      <ul ref={list}>
        {models.value?.map((model) => (
          <li key={model.name}>
            <button type='button' aria-current={model.name === chosen.value ? 'true' : undefined} onClick={() => { chosen.value = model.name }}>
              <strong>{model.name}</strong>
              <span>{formatCell(model)}</span>
            </button>
          </li>
        ))}
      </ul>
    </nav>
  )
}
