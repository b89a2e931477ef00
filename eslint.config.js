import neostandard, { plugins, resolveIgnoresFromGitignore } from 'neostandard'
import rooms from './eslint.rooms.js'

const generated = 'clients/typescript/src/openapi.ts'

export default [
  ...neostandard({ ts: true, ignores: [...resolveIgnoresFromGitignore(), generated] }),
  {
    files: ['**/*.ts', '**/*.tsx'],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    plugins: { '@typescript-eslint': plugins['typescript-eslint'].plugin },
    rules: {
      // Marks a promise that is not waited for.
      'no-void': ['error', { allowAsStatement: true }],
      '@typescript-eslint/no-floating-promises': ['error', { allowForKnownSafeCalls: [{ from: 'package', name: ['test', 'it', 'describe'], package: 'node:test' }] }],
      '@typescript-eslint/no-misused-promises': 'error'
    }
  },
  ...rooms
]
