/**
 * How far the scenes' judge can be trusted: `node --import ./bin/typescript.mjs bench/judge.ts [--count 600]
 * [--first 5400000] [--checkpoint checkpoints/scenes]`. Scenes that no training has seen, as they are drawn and as the
 * checkpoint's tokenizer gives them back, are judged by their captions and by all captions with one fact changed.
 */
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { judgeScene, observeScene } from '../src/judge/index.js'
import { changesOf, placeOf } from '../test/support/caption-changes.js'
import { type DrawnScene, drawScenes } from '../test/support/scenes.js'

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '600' },
    first: { type: 'string', default: '5400000' },
    checkpoint: { type: 'string', default: 'checkpoints/scenes' },
  },
})

/** The 95 % confidence interval of a share (Wilson, 1927), as text. */
function share(outcomes: readonly boolean[]): string {
  const [n, z] = [outcomes.length, 1.96]
  const p = outcomes.filter(Boolean).length / n
  const middle = (p + z ** 2 / (2 * n)) / (1 + z ** 2 / n)
  const half = (z / (1 + z ** 2 / n)) * Math.sqrt((p * (1 - p)) / n + z ** 2 / (4 * n ** 2))
  const percent = (x: number) => (100 * x).toFixed(2)
  return `${percent(p)} % [${percent(middle - half)}, ${percent(middle + half)}] of ${n}`
}

function measure(scenes: DrawnScene[]) {
  const seen = scenes.map(({ rgb }) => observeScene(rgb, 96, 96))
  const verdicts = scenes.map(({ caption }, i) => judgeScene(seen[i], caption))
  const changes = scenes.flatMap(({ caption }, i) =>
    changesOf(caption).map(({ caption: changed, wrong }) => {
      const told = judgeScene(seen[i], changed)
        .facts.filter((fact) => !fact.holds)
        .map(placeOf)
      return {
        flagged: wrong.some((place) => told.includes(place)),
        alone: told.sort().join() === [...wrong].sort().join(),
      }
    }),
  )
  for (const [i, { facts }] of verdicts.entries()) {
    for (const fact of facts.filter(({ holds }) => !holds)) {
      console.error(`${scenes[i].file} "${scenes[i].caption}": ${placeOf(fact)}, seen: ${fact.seen}`)
    }
  }
  return {
    'facts right': share(verdicts.flatMap(({ facts }) => facts.map(({ holds }) => holds))),
    'pictures all right': share(verdicts.map(({ correct }) => correct)),
    'changed facts flagged': share(changes.map(({ flagged }) => flagged)),
    'and no others': share(changes.map(({ alone }) => alone)),
  }
}

const [count, first] = [Number(values.count), Number(values.first)]
const rows = {
  'as drawn': measure(drawScenes(count, first)),
  'from tokens': measure(drawScenes(count, first, resolve(values.checkpoint))),
}
for (const [pictures, shares] of Object.entries(rows)) {
  console.log(pictures)
  for (const [what, interval] of Object.entries(shares)) console.log(`  ${what.padEnd(24)}${interval}`)
}
