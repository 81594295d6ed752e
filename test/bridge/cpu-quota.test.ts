import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { cpuQuota } from '../../src/bridge/cpu-quota.js'

let root: string

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'quota-'))
})
afterEach(() => rmSync(root, { recursive: true }))

function system(files: Readonly<Record<string, string>>): number | undefined {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true })
    writeFileSync(join(root, name), `${text}\n`)
  }
  return cpuQuota(root)
}

test('a container of control groups version 2, whose group is the uppermost that it sees', () => {
  const files = { 'proc/self/cgroup': '0::/', 'sys/fs/cgroup/cpu.max': '765000 100000' }
  expect(system(files)).toBe(7.65)
})

test('the tightest of the groups around counts', () => {
  const files = {
    'proc/self/cgroup': '0::/kubepods/pod/one',
    'sys/fs/cgroup/kubepods/cpu.max': 'max 100000',
    'sys/fs/cgroup/kubepods/pod/cpu.max': '200000 100000',
    'sys/fs/cgroup/kubepods/pod/one/cpu.max': '400000 100000',
  }
  expect(system(files)).toBe(2)
})

test.each(['cpu', 'cpu,cpuacct'])(
  'version 1, whose controller is mounted as %s, by the path of the host',
  (controllers) => {
    const files = {
      'proc/self/cgroup': `5:memory:/docker/1\n3:${controllers}:/docker/1\n0::/`,
      [`sys/fs/cgroup/${controllers}/cpu.cfs_quota_us`]: '150000',
      [`sys/fs/cgroup/${controllers}/cpu.cfs_period_us`]: '50000',
    }
    expect(system(files)).toBe(3)
  },
)

test('no limit, and a system without control groups', () => {
  expect(cpuQuota(root)).toBeUndefined()
  const none = { 'sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1', 'sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000' }
  expect(
    system({ 'proc/self/cgroup': '1:cpu:/\n0::/', 'sys/fs/cgroup/cpu.max': 'max 100000', ...none }),
  ).toBeUndefined()
})
