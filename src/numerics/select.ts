/**
 * The `k`-th largest of the first `count` values, `k` counted from 1; reorders them. Expected time is linear
 * (Hoare's selection, pivot in the middle).
 */
export function kthLargest(values: Float32Array, count: number, k: number): number {
  let left = 0
  let right = count - 1
  const target = k - 1
  while (left < right) {
    const pivot = values[(left + right) >> 1]
    let i = left
    let j = right
    while (i <= j) {
      while (values[i] > pivot) i += 1
      while (values[j] < pivot) j -= 1
      if (i <= j) {
        const swapped = values[i]
        values[i] = values[j]
        values[j] = swapped
        i += 1
        j -= 1
      }
    }
    if (target <= j) right = j
    else if (target >= i) left = i
    else break
  }
  return values[target]
}
