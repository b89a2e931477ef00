import { KEY, type Asked } from './command.ts'
import { literal, type Notation } from './literal.ts'

const TYPESCRIPT: Notation = {
  null: 'null',
  true: 'true',
  false: 'false',
  // A bare __proto__ key would set the prototype.
  key: (name) => name === '__proto__' ? "['__proto__']" : /^[a-z_$][\w$]*$/i.test(name) ? name : text(name),
  text
}

/** The request as a program with @cellserve/client. */
export function toTypeScript ({ url, model, request }: Asked, withKey: boolean): string {
  return `import { Client } from '@cellserve/client'

const client = new Client(${text(url)}${withKey ? `, { apiKey: process.env.${KEY} }` : ''})
const answer = await client.model(${text(model)}).sequence(${literal(request, TYPESCRIPT, '  ')})
console.log(answer)
`
}

/** A string in single quotes. */
function text (value: string): string {
  return `'${JSON.stringify(value).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`
}
