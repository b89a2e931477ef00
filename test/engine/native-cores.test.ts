import assert from 'node:assert/strict'
import { availableParallelism } from 'node:os'
import { describe, it } from 'node:test'
import { cgroupQuota, usableCores } from '../../src/engine/cores.ts'

const files = (contents: Record<string, string>) => (path: string): string => {
  if (path in contents) return contents[path]
  throw new Error(`ENOENT: ${path}`)
}

describe('the cores that the process may use', () => {
  it('are those that it may run on where no quota is set', () => {
    assert.equal(cgroupQuota(files({})), Infinity)
    assert.equal(cgroupQuota(files({ '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/cpu.max': 'max 100000\n' })), Infinity)
    assert.equal(usableCores(files({})), availableParallelism())
    assert.ok(usableCores() >= 1)
  })

  it('are bounded by the least quota of version 2, from the own group up', () => {
    assert.equal(cgroupQuota(files({
      '/proc/self/cgroup': '0::/system.slice/web.service\n',
      '/sys/fs/cgroup/system.slice/cpu.max': '250000 100000\n',
      '/sys/fs/cgroup/system.slice/web.service/cpu.max': '400000 100000\n'
    })), 2.5)
    assert.equal(cgroupQuota(files({ '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/cpu.max': '150000 100000\n' })), 1.5)
  })

  it('are bounded by a quota of version 1', () => {
    const quota = (time: string): number => cgroupQuota(files({
      '/proc/self/cgroup': '9:memory:/docker/ab\n4:cpu,cpuacct:/docker/ab\n0::/docker/ab\n',
      '/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us': `${time}\n`,
      '/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us': '50000\n'
    }))
    assert.equal(quota('150000'), 3)
    assert.equal(quota('-1'), Infinity)
  })

  it('are one at least', () => {
    assert.equal(usableCores(files({ '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/cpu.max': '20000 100000\n' })), 1)
  })
})
