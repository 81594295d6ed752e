/** What passes committed, seen by where they begin, by how much, and by where it lies in the picture. */
import { bootstrapRatios, type RatioPart } from '../common/statistics.js'
import type { ImageRecord } from '../experiment/index.js'
import type { CommitBin, Progress } from './page.js'

/** Codes committed, pass by pass, of one image. */
type Passes = readonly number[]

/** Each prompt's images. */
type ByPrompt = readonly (readonly Passes[])[]

/** The images' passes, prompt by prompt. */
export function passesByPrompt(results: readonly ImageRecord[]): ByPrompt {
  const prompts = new Map<string, Passes[]>()
  for (const { prompt, accepted } of results) {
    prompts.set(prompt, [...(prompts.get(prompt) ?? []), accepted])
  }
  return [...prompts.values()]
}

/** Mean codes per pass, by which of `bins` equal parts of the image, from its start on, the pass begins in. */
export function committedByPosition(images: ByPrompt, bins: number, random: () => number): Progress[] {
  const parts = images.map((passes) => sumsByBin(passes, bins))
  return bootstrapRatios(parts, random).map((committed, bin) => ({
    from: bin / bins,
    to: (bin + 1) / bins,
    committed,
  }))
}

/** For each bin, the codes committed by the passes that begin in it, and how many passes those are. */
function sumsByBin(images: readonly Passes[], bins: number): [number, number][] {
  const sums = Array.from({ length: bins }, (): [number, number] => [0, 0])
  for (const passes of images) {
    const length = total(passes)
    let begin = 0
    for (const committed of passes) {
      const bin = sums[Math.floor((begin * bins) / length)]
      bin[0] += committed
      bin[1] += 1
      begin += committed
    }
  }
  return sums
}

/** The shares of passes that commit 1, 2, 3–4, 5–8 … codes: ranges double, up to the one that holds `largest`. */
export function commitDistribution(images: ByPrompt, largest: number, random: () => number): CommitBin[] {
  const binOf = (committed: number) => Math.ceil(Math.log2(committed))
  const parts = images.map((passes) => {
    const all = passes.flat()
    const counts = new Array<number>(binOf(largest) + 1).fill(0)
    for (const committed of all) counts[binOf(committed)] += 1
    return counts.map((count): RatioPart => [count, all.length])
  })
  return bootstrapRatios(parts, random).map((share, bin) => {
    const [from, to] = [bin === 0 ? 1 : 2 ** (bin - 1) + 1, 2 ** bin]
    const last = bin > 0 && bin === parts[0].length - 1
    return { label: last ? `${from}+` : from === to ? `${from}` : `${from}–${to}`, share: share! }
  })
}

/** For each code of the image, [cells] in raster order: how many the pass committed that committed it; the mean. */
export function committedByCell(images: ByPrompt): number[] {
  const all = images.flat()
  const sums = new Array<number>(total(all[0])).fill(0)
  for (const passes of all) {
    let cell = 0
    for (const committed of passes) {
      for (const end = cell + committed; cell < end; cell++) sums[cell] += committed
    }
  }
  return sums.map((sum) => sum / all.length)
}

const total = (passes: Passes): number => passes.reduce((sum, committed) => sum + committed, 0)
