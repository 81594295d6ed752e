/** How much of the processors a container may use, which the number of processors does not say. */
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/**
 * The cores' worth of time that Linux' control groups leave this process (`docker run --cpus 2`, Kubernetes' limits), such
 * as 7.65; undefined: as much as there is. A group has what the tightest of those around it has.
 * @param root the folder that holds `proc` and `sys`.
 */
export function cpuQuota(root = '/'): number | undefined {
  const quotas = groups(root).flatMap((folder) => {
    const [quota, period] = (read(join(folder, 'cpu.max')) ?? older(folder)).split(' ').map(Number)
    return quota > 0 && period > 0 ? [quota / period] : [] // NaN where there is no limit, or no such file
  })
  return quotas.length > 0 ? Math.min(...quotas) : undefined
}

/** Version 1's two files, written as version 2's one. */
const older = (folder: string): string =>
  `${read(join(folder, 'cpu.cfs_quota_us'))} ${read(join(folder, 'cpu.cfs_period_us'))}`

/**
 * The folders of the groups that this process is in, by cgroups' version 2 (`0::/path`) and 1 (`3:cpu,cpuacct:/path`), from
 * its own up. In a container the path may be the host's, which is not there: then the uppermost one is its own.
 */
function groups(root: string): string[] {
  const lines = read(join(root, 'proc/self/cgroup'))?.split('\n') ?? []
  return lines.flatMap((line) => {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? []
    if (path === undefined || !(controllers === '' || controllers.split(',').includes('cpu'))) return []
    return ancestors(path).map((group) => join(root, 'sys/fs/cgroup', controllers, group))
  })
}

const ancestors = (path: string): string[] =>
  path === dirname(path) ? [path] : [path, ...ancestors(dirname(path))]

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return undefined
  }
}
