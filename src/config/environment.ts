const PREFIX = 'CELLSERVE_'

/** The environment variable of a setting. */
export function variable (name: string): string {
  return PREFIX + name.toUpperCase().replaceAll('-', '_')
}

/** Kubernetes gives the pods of a Service named `cellserve` its addresses in variables with the same prefix: `CELLSERVE_PORT=tcp://10.0.0.1:8080`. */
const SERVICE_LINK = /_SERVICE_(HOST|PORT(_\w+)?)=|_PORT_\d+_(TCP|UDP|SCTP)(_\w+)?=|=(tcp|udp|sctp):\/\//

/**
 * The environment variables of the service. Variables that Kubernetes sets, and empty ones, count as not set.
 */
export function readVariables (env: NodeJS.ProcessEnv): Map<string, string> {
  return new Map(Object.entries(env).flatMap(([name, value = '']) => {
    return name.startsWith(PREFIX) && value !== '' && !SERVICE_LINK.test(`${name}=${value}`) ? [[name, value]] : []
  }))
}

/** The one of `names` that `given` most likely misspells, if any. */
export function nearest (given: string, names: readonly string[]): string | undefined {
  const [best] = names.map((name) => ({ name, distance: editDistance(given, name) })).sort((a, b) => a.distance - b.distance)
  return best !== undefined && best.distance <= 3 ? best.name : undefined
}

/** How many letters to insert, delete or change to turn `a` into `b`. */
function editDistance (a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) next[j] = Math.min(next[j - 1] + 1, row[j] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1))
    row = next
  }
  return row[b.length]
}
