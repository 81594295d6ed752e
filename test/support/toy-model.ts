import { ImageRandom, type Model, philox, type Sampling } from '../../src/index.js'

/** What an entry's cell holds: hashes of the entry, and of all that was seen up to it. */
export interface Cell {
  readonly own: number
  readonly seen: number
}

/**
 * A model small enough to enumerate. What it predicts depends on the whole prefix, and most on its last
 * entry.
 */
export interface Toy {
  readonly model: Model
  /** The cell of an entry with this content that sees the cell before it (and with it all before that). */
  absorb(before: Cell | undefined, content: readonly number[]): Cell
  /** The logits [count] of the code behind an entry. */
  logits(cell: Cell): Float32Array
}

export interface ToyOptions {
  /** [length] -1 where free, else the forced id. */
  readonly layout: readonly number[]
  readonly rowLength: number
  readonly codes?: number
  readonly denoising?: Model['denoising']
  /** The largest logit there can be: 0 makes all codes equally probable whatever the prefix. */
  readonly sharpness?: number
  readonly seed?: number
}

const WIDTH = 2
/** How much of a logit the last entry decides; the whole prefix decides the rest. */
const LAST = 0.7

export function toy({
  layout,
  rowLength,
  codes = 3,
  denoising = { schedule: 'cosine' },
  ...rest
}: ToyOptions): Toy {
  const { sharpness = 2, seed = 1 } = rest
  const table = new Float32Array(codes * WIDTH)
  new ImageRandom(seed, 0).normals(0, 0, table)
  const book = new Float32Array(codes * WIDTH)
  new ImageRandom(seed, 1).normals(0, 0, book)
  const block = new Uint32Array(4)
  const hash = (a: number, b: number) => {
    philox(a, b >>> 0, 0, 0, seed, 1, block)
    return block[0]
  }
  /** On [-1, 1]. */
  const chance = (a: number, b: number) => hash(a, b) * 2 ** -31 - 1
  return {
    model: {
      image: { first: 10, count: codes },
      layout: Int32Array.from(layout),
      rowLength,
      denoising,
      embeddings: { table, width: WIDTH, deviation: Float32Array.of(0.5, 2) },
      codebook: { table: book, width: WIDTH },
    },
    absorb(before, content) {
      return { own: content.reduce(hash, 1), seen: content.reduce(hash, before?.seen ?? 0) }
    },
    logits({ own, seen }) {
      return Float32Array.from(
        { length: codes },
        (_, v) => sharpness * (LAST * chance(own, v) + (1 - LAST) * chance(seen, v)),
      )
    },
  }
}

/** Contents of an entry that is a token, or a latent with its timestep, at a position. */
export function contentOfToken(id: number, position: number): number[] {
  return [0, id, position]
}

export function contentOfLatent(latent: Float32Array, timestep: number, position: number): number[] {
  const content = [1, Math.round(timestep * 1e4), position]
  for (const value of latent) content.push(Math.round(value * 1e4))
  return content
}

/** A model's true logits [count] for the position behind a prefix of ids. */
export type Conditional = (prefix: readonly number[]) => Float32Array | Promise<Float32Array>

/** The toy's, fed clean from the anchor on. */
export function conditionalOf(toy: Toy, anchor: number): Conditional {
  return (prefix) =>
    toy.logits(
      prefix.reduce(
        (cell, id, position) => toy.absorb(cell, contentOfToken(id, position)),
        toy.absorb(undefined, contentOfToken(anchor, -1)),
      ),
    )
}

/**
 * Every sequence of a model with its probability, in float64, by enumeration: forced tokens as they are, free
 * ones from the conditional under temperature, top-k and top-p. Sequences are keyed by their ids, joined by
 * spaces.
 */
export async function enumerate(
  model: Model,
  conditional: Conditional,
  sampling: Sampling,
): Promise<Map<string, number>> {
  let prefixes: { ids: number[]; probability: number }[] = [{ ids: [], probability: 1 }]
  for (const forced of model.layout) {
    const longer = prefixes.map(async ({ ids, probability }) => {
      if (forced >= 0) return [{ ids: [...ids, forced], probability }]
      const p = reference(Array.from(await conditional(ids)), sampling)
      return p.flatMap((share, code) =>
        share > 0 ? [{ ids: [...ids, model.image.first + code], probability: probability * share }] : [],
      )
    })
    prefixes = (await Promise.all(longer)).flat()
  }
  return new Map(prefixes.map(({ ids, probability }) => [ids.join(' '), probability]))
}

/** Probabilities in float64, by sorting: the plain definition that kernels are held to. */
export function reference(logits: readonly number[], { temperature, topK, topP }: Sampling): number[] {
  const order = logits.map((_, v) => v).sort((a, b) => logits[b] - logits[a] || a - b)
  const kept = order.slice(0, temperature === 0 ? 1 : topK > 0 ? topK : logits.length)
  const weight = (v: number) =>
    temperature === 0 ? 1 : Math.exp((logits[v] - logits[order[0]]) / temperature)
  const total = kept.reduce((sum, v) => sum + weight(v), 0)
  let mass = 0
  const nucleus = kept.filter((v) => {
    const wanted = topP === 1 || mass < topP * total
    mass += weight(v)
    return wanted
  })
  const share = nucleus.reduce((sum, v) => sum + weight(v), 0)
  return logits.map((_, v) => (nucleus.includes(v) ? weight(v) / share : 0))
}
