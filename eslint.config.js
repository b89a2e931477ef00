import neostandard, { resolveIgnoresFromGitignore } from 'neostandard'

const generated = 'src/client/openapi.ts'

export default neostandard({ ts: true, ignores: [...resolveIgnoresFromGitignore(), generated] })
