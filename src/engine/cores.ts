import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'

/** The cores that this process may use: those it may run on, or fewer if a container's quota grants less time. */
export function usableCores (readText: (path: string) => string = (path) => readFileSync(path, 'utf8')): number {
  return Math.max(1, Math.min(availableParallelism(), Math.floor(cgroupQuota(readText))))
}

/** How many cores' worth of time the process's control groups grant it; infinity if they set no limit. */
export function cgroupQuota (readText: (path: string) => string): number {
  const read = (path: string): string => {
    try {
      return readText(path).trim()
    } catch {
      return '' // not Linux, or not that version of control groups
    }
  }
  let quota = Infinity
  // Lines such as `0::/path` in version 2, and `4:cpu,cpuacct:/path` in version 1.
  for (const line of read('/proc/self/cgroup').split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? []
    if (controllers === undefined || path === undefined) continue
    // Every parent group limits it, too. In a container, the path may be the host's, and only its last group is visible, as the root.
    const groups = path.split('/').filter((name) => name !== '').map((_, i, names) => '/' + names.slice(0, i + 1).join('/'))
    for (const group of ['', ...groups]) {
      if (controllers === '') {
        const [time, period] = read(`/sys/fs/cgroup${group}/cpu.max`).split(' ').map(Number)
        if (time > 0 && period > 0) quota = Math.min(quota, time / period)
      } else if (controllers.split(',').includes('cpu')) {
        const time = Number(read(`/sys/fs/cgroup/${controllers}${group}/cpu.cfs_quota_us`))
        const period = Number(read(`/sys/fs/cgroup/${controllers}${group}/cpu.cfs_period_us`))
        if (time > 0 && period > 0) quota = Math.min(quota, time / period)
      }
    }
  }
  return quota
}
