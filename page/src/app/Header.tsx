import { choice, chooseTheme, type Choice } from './theme.ts'
import { KeyForm } from './KeyForm.tsx'

const CHOICES: ReadonlyArray<readonly [Choice, string]> = [['auto', 'System'], ['light', 'Light'], ['dark', 'Dark']]

export function Header () {
  return (
    <header>
      <h1>cellserve</h1>
      <nav aria-label='Documentation'>
        <a href='docs/'>API reference</a>
        <a href='openapi.json'>OpenAPI</a>
      </nav>
      <KeyForm />
      <label class='theme'>
        Theme
        <select value={choice.value} onChange={({ currentTarget: { value } }) => { chooseTheme(CHOICES.find(([name]) => name === value)?.[0] ?? 'auto') }}>
          {CHOICES.map(([name, label]) => <option key={name} value={name}>{label}</option>)}
        </select>
      </label>
    </header>
  )
}
