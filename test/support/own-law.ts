/**
 * What relaxed policies' images are distributed like, by their papers' rules and the plain definition of everything in
 * them: sequences keyed by their ids, joined by spaces. For toys whose positions are all free.
 */
import type { CodeVectors } from '../../src/index.js'
import { type Conditional, reference, type Toy } from './toy-model.js'

type Law = Map<string, number>
type Distribution = readonly number[]

/** What becomes of a draft `d ~ q` under `p`: a distribution. */
type Verification = (d: number, q: Distribution, p: Distribution) => Distribution

const plain = { temperature: 1, topK: 0, topP: 1 }

/** `p` behind codes. */
type Behind = (...codes: number[]) => Promise<Distribution>

function behindIn({ model }: Toy, conditional: Conditional): Behind {
  const ids = (codes: readonly number[]) => codes.map((code) => code + model.image.first)
  return async (...codes) => reference(Array.from(await conditional(ids(codes))), plain)
}

function gather({ model }: Toy, outcomes: Iterable<readonly [codes: readonly number[], share: number]>): Law {
  const law: Law = new Map()
  for (const [codes, share] of outcomes) {
    const key = codes.map((code) => code + model.image.first).join(' ')
    if (share > 0) law.set(key, (law.get(key) ?? 0) + share)
  }
  return law
}

const normed = (weights: Distribution): Distribution => {
  const total = weights.reduce((sum, w) => sum + w, 0)
  return weights.map((w) => w / total)
}

/** `d` with probability `accept`, else a code of `norm(max(0, p - q))`. */
function acceptOr(d: number, accept: number, q: Distribution, p: Distribution): Distribution {
  if (accept >= 1) return p.map((_, v) => Number(v === d))
  const rest = normed(p.map((share, v) => Math.max(0, share - q[v])))
  return rest.map((share, v) => (1 - accept) * share + accept * Number(v === d))
}

const squaredDistance = ({ table, width }: CodeVectors, a: number, b: number, unit?: Float32Array): number =>
  [...Array(width).keys()].reduce(
    (sum, i) => sum + ((table[a * width + i] - table[b * width + i]) * (unit?.[i] ?? 1)) ** 2,
    0,
  )

/**
 * GSD: by the probability of the group, of the `below` less and the `above` more probable next to it those that are about
 * as probable and whose embeddings are nearer than `distance`; by its own where there are too few less probable ones.
 */
export const inGroups =
  ({ model: { embeddings } }: Toy, below: number, above: number, distance: number): Verification =>
  (d, q, p) => {
    const order = p.map((_, v) => v).sort((a, b) => p[a] - p[b])
    const rank = order.indexOf(d)
    const next = rank < below ? [d] : order.slice(rank - below, rank + above + 1)
    const alike = (v: number) => squaredDistance(embeddings, v, d, embeddings.deviation) < distance
    const group = next.filter((v) => v === d || (Math.abs(p[v] - p[d]) < 0.15 && alike(v)))
    const mass = (of: Distribution) => group.reduce((sum, v) => sum + of[v], 0)
    return acceptOr(d, mass(p) / mass(q), q, p)
  }

/** LANTERN: by a `p` in which the draft also has its nearest codes' probability, up to `delta`, above 1 up to `delta - 1` of its own. */
export const byNearest =
  ({ model: { codebook } }: Toy, delta: number): Verification =>
  (d, q, p) => {
    const bound = delta > 1 ? (delta - 1) * p[d] : delta
    const distance = (v: number) => squaredDistance(codebook as CodeVectors, v, d)
    const others = p.map((_, v) => v).filter((v) => v !== d)
    const nearest = others.sort((a, b) => distance(a) - distance(b))
    const relaxed = [...p]
    let moved = 0
    for (const v of nearest) {
      if (moved + p[v] > bound) break
      moved += p[v]
      relaxed[v] = 0
    }
    relaxed[d] += moved
    return acceptOr(d, relaxed[d] / q[d], q, relaxed)
  }

/**
 * SJD's, for three positions of one row: two first drafts drawn evenly; where the first is refused, the second is drawn
 * anew behind it, and verified behind the correction. The last position needs no draft: it is drawn from `p`.
 */
export async function lawOfWindow(toy: Toy, conditional: Conditional, verify: Verification): Promise<Law> {
  const behind = behindIn(toy, conditional)
  const { count } = toy.model.image
  const even = Array<number>(count).fill(1 / count)
  const codes = [...even.keys()]
  const first = await behind()
  const second = await Promise.all(codes.map((x) => behind(x)))
  const pairs: [number, number, number][] = []
  for (const d of codes) {
    for (const x of codes) {
      const share = verify(d, even, first)[x] / count
      const q = x === d ? even : second[d]
      for (const e of codes) {
        for (const y of codes) pairs.push([x, y, share * q[e] * verify(e, q, second[x])[y]])
      }
    }
  }
  const outcomes = pairs.map(async ([x, y, share]) =>
    (await behind(x, y)).map((c, z) => [[x, y, z], share * c] as const),
  )
  return gather(toy, (await Promise.all(outcomes)).flat())
}

/**
 * Of three positions in rows of two, the second row beginning with the first row's second code not known yet, whose
 * place the first one's copy takes; that happens with the probability `early` of the first code.
 */
export async function lawOfRows(
  toy: Toy,
  conditional: Conditional,
  early: (share: number, count: number) => number,
): Promise<Law> {
  const behind = behindIn(toy, conditional)
  const outcomes: [number[], number][] = []
  for (const [x, a] of (await behind()).entries()) {
    const copied = await behind(x, x)
    for (const [y, b] of (await behind(x)).entries()) {
      const known = await behind(x, y)
      const share = early(a, toy.model.image.count)
      for (const [z, c] of known.entries()) {
        outcomes.push([[x, y, z], a * b * (share * copied[z] + (1 - share) * c)])
      }
    }
  }
  return gather(toy, outcomes)
}

/**
 * Of five positions in rows of two, the third row beginning when the second has its first code: the place of that one's
 * second code is taken by the code above it.
 */
export async function lawOfWavefront(toy: Toy, conditional: Conditional): Promise<Law> {
  const behind = behindIn(toy, conditional)
  const paths: [number[], number][] = [[[], 1]]
  for (let drawn = 0; drawn < 5; drawn += 1) {
    for (const [codes, share] of paths.splice(0)) {
      const [x, y, z] = codes
      const p = await (drawn < 4 ? behind(...codes) : behind(x, y, z, y))
      paths.push(...p.map((next, v): [number[], number] => [[...codes, v], share * next]))
    }
  }
  return gather(toy, paths)
}
