import { useId, useRef } from 'preact/hooks'
import type { ComponentChildren } from 'preact'

export interface TabsProps {
  readonly label: string
  readonly names: readonly string[]
  readonly chosen: string
  readonly onChoose: (name: string) => void
  /** The content of the chosen tab. */
  readonly children: ComponentChildren
}

/** Tabs: the Tab key reaches the chosen one, the arrow keys the others. */
export function Tabs ({ label, names, chosen, onChoose, children }: TabsProps) {
  const id = useId()
  const list = useRef<HTMLDivElement>(null)
  const onKeyDown = (event: KeyboardEvent): void => {
    const at = names.indexOf(chosen)
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: names.length - 1 }[event.key]
    if (to === undefined) return
    event.preventDefault()
    const next = (to + names.length) % names.length
    onChoose(names[next])
    const button = list.current?.children[next]
    if (button instanceof HTMLElement) button.focus()
  }
  return (
    <>
      <div class='tabs' role='tablist' aria-label={label} ref={list} onKeyDown={onKeyDown}>
        {names.map((name) => (
          <button
            key={name}
            type='button'
            role='tab'
            id={`${id}-${name}`}
            aria-selected={name === chosen}
            aria-controls={`${id}-panel`}
            tabIndex={name === chosen ? 0 : -1}
            onClick={() => { onChoose(name) }}
          >
            {name}
          </button>
        ))}
      </div>
      <div role='tabpanel' id={`${id}-panel`} aria-labelledby={`${id}-${chosen}`}>{children}</div>
    </>
  )
}
