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

/**
 * The `k` numbers of `0 … count - 1` with the lowest keys, lowest first, of equal keys the lower number first.
 * Those of key Infinity are left out, so that there may be fewer.
 */
export function lowest(count: number, k: number, keyOf: (number: number) => number): number[] {
  const found: number[] = []
  const keys: number[] = []
  for (let v = 0; v < count; v += 1) {
    const key = keyOf(v)
    if (key === Infinity || (found.length === k && !(key < keys[k - 1]))) continue
    let place = found.length
    while (place > 0 && keys[place - 1] > key) place -= 1
    found.splice(place, 0, v)
    keys.splice(place, 0, key)
    if (found.length > k) {
      found.pop()
      keys.pop()
    }
  }
  return found
}
