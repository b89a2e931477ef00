// Compiles TypeScript as it is imported, in the threads of a process as well, where `--import tsx` does not:
//
//     node --import ./scripts/from-sources.mjs src/main.ts

import { register } from 'tsx/esm/api'

register()
