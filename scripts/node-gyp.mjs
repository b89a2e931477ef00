// Finds what builds the native engine's addon: npm's node-gyp, and Node's headers.

import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Most installations have Node's headers next to it; otherwise node-gyp downloads them. They are the same for all platforms. */
export function headers () {
  if (process.env.npm_config_nodedir !== undefined) return []
  const prefix = resolve(dirname(process.execPath), '..')
  return existsSync(join(prefix, 'include', 'node', 'node_api.h')) ? ['--nodedir', prefix] : []
}

/** Finds the node-gyp that is part of npm. */
export function findNodeGyp () {
  const prefix = resolve(dirname(process.execPath), '..')
  const npms = [
    process.env.npm_execpath, // the npm that runs this script
    join(prefix, 'lib', 'node_modules', 'npm', 'package.json'),
    join(prefix, 'share', 'nodejs', 'npm', 'package.json'),
    fileURLToPath(import.meta.url) // the project's own node-gyp
  ]
  const places = [process.env.npm_config_node_gyp]
  for (const npm of npms) {
    try {
      if (npm !== undefined) places.push(createRequire(npm).resolve('node-gyp/bin/node-gyp.js'))
    } catch {
      // not there
    }
  }
  return places.find((place) => place !== undefined && existsSync(place))
}
