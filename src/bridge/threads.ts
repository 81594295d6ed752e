import { availableParallelism } from 'node:os'
import { cpuQuota } from './cpu-quota.js'

/**
 * How many threads a process of PyTorch's takes and how they wait for one another, as its environment; what the user's own
 * says goes before. Threads that spin for long make a pass many times slower as soon as anything else wants a core; threads
 * that sleep at once take longer to wake than a pass's small matrices take. So they spin for some microseconds, and sleep
 * then (`bench/forward.py`; GNU's OpenMP). PyTorch counts the machine's cores, and not how much of them a container may
 * use: with more threads than that, the kernel stops all of them for most of the time.
 */
export function threadSettings(quota: number | undefined = cpuQuota()): Record<string, string> {
  const { OMP_WAIT_POLICY = 'PASSIVE', GOMP_SPINCOUNT = '5000', OMP_NUM_THREADS } = process.env
  const fewer = OMP_NUM_THREADS === undefined && quota !== undefined && quota < availableParallelism()
  return {
    OMP_WAIT_POLICY,
    GOMP_SPINCOUNT,
    ...(fewer && { OMP_NUM_THREADS: String(Math.max(1, Math.floor(quota))) }),
  }
}
