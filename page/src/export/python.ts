import { addressOf, KEY, type Asked } from './command.ts'
import { literal, type Notation } from './literal.ts'

/** A JSON string is also a Python string: escapes and unescaped characters mean the same in both. */
const PYTHON: Notation = { null: 'None', true: 'True', false: 'False', key: (name) => JSON.stringify(name), text: (value) => JSON.stringify(value) }

/** The request as a program with `requests`. */
export function toPython (asked: Asked, withKey: boolean): string {
  const headers = withKey ? `, headers={"authorization": f"Bearer {os.environ['${KEY}']}"}` : ''
  return `${withKey ? 'import os\n\n' : ''}import requests

request = ${literal(asked.request, PYTHON, '    ')}
answer = requests.post(${PYTHON.text(addressOf(asked))}, json=request${headers}, timeout=60)
if not answer.ok:
    raise ValueError(answer.json()["detail"])
print(answer.json())
`
}
