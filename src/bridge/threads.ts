/**
 * How a process of PyTorch's threads wait for one another, as its environment; what the user's own says goes before. Threads
 * that spin for long make a pass many times slower as soon as anything else wants a core; threads that sleep at once take
 * longer to wake than a pass's small matrices take. So they spin for some microseconds, and sleep then
 * (`bench/forward.py`; GNU's OpenMP).
 */
export function waitingThreads(): Record<string, string> {
  const { OMP_WAIT_POLICY = 'PASSIVE', GOMP_SPINCOUNT = '5000' } = process.env
  return { OMP_WAIT_POLICY, GOMP_SPINCOUNT }
}
