/**
 * How far each policy's images are from sequential decoding's distribution, on a model small enough to enumerate:
 * `node --import ./bin/typescript.mjs bench/total-variation.ts [--images 20000] [policy:key=value …]`. The numbers are
 * total variation over whole sequences. As many images drawn from the truth itself would show up to the floor, on
 * average; what is above the limit (marked *), which they would exceed for 1 seed in 100,000, is no chance.
 */
import { parseArgs } from 'node:util'
import { formatTable } from '../src/cli/terminal.js'
import { choosePolicy } from '../src/experiment/policy.js'
import { policyNames, type Sampling } from '../src/index.js'
import { decodeToy } from '../test/support/exactness.js'
import { guidedConditional } from '../test/support/guided.js'
import { measureDistance, noiseOf } from '../test/support/total-variation.js'
import { enumerate, type Toy, toy } from '../test/support/toy-model.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { images: { type: 'string', default: '20000' }, seed: { type: 'string', default: '1' } },
})
const images = Number(values.images)
const ALARM = 1e-5

const plain: Sampling = { temperature: 1, topK: 0, topP: 1 }
const open = toy({ layout: [-1, -1, -1], rowLength: 2, codes: 5 })
const forced = toy({ layout: [4, -1, -1, 5, -1, 5], rowLength: 3, codes: 5 })

interface Setting {
  readonly title: string
  readonly model: Toy
  readonly sampling: Sampling
  readonly guidance: number
}

const settings: Setting[] = [
  { title: 'plain', model: open, sampling: plain, guidance: 1 },
  { title: 'guidance 3', model: open, sampling: plain, guidance: 3 },
  { title: 'temperature 0.6', model: open, sampling: { ...plain, temperature: 0.6 }, guidance: 1 },
  { title: 'top-k 3', model: open, sampling: { ...plain, topK: 3 }, guidance: 1 },
  { title: 'forced tokens', model: forced, sampling: plain, guidance: 1 },
]

const specs =
  positionals.length > 0
    ? positionals
    : [
        ...policyNames,
        'sjd2-paper:keepNoisyKeys=true,levels=3',
        'gsd:group=2,distance=100',
        'lantern:delta=0.02',
        'lantern:delta=0.3',
        'zipar:lag=1',
        'pjd:lag=1',
      ]

const truths = await Promise.all(
  settings.map(({ model, sampling, guidance }) =>
    enumerate(model.model, guidedConditional(model, guidance), sampling),
  ),
)

const noises = truths.map((truth) => noiseOf(truth, images, ALARM))

/** A policy's line: its name, whether it calls itself exact, and its distance in every setting. */
async function measure(spec: string): Promise<string[]> {
  const { create } = await choosePolicy(spec)
  const distances = settings.map(({ model, sampling, guidance }, i) => {
    const decode = decodeToy(model, create(model.model), sampling, Number(values.seed), guidance)
    const distance = measureDistance(decode(images), truths[i])
    return `${distance.toFixed(3)}${distance > noises[i].limit ? ' *' : ''}`
  })
  return [spec, create(open.model).exact ? 'exact' : 'relaxed', ...distances]
}

const table = [['policy', 'output', ...settings.map(({ title }) => title)]]
for (const spec of specs) table.push(await measure(spec))
for (const kind of ['floor', 'limit'] as const) {
  table.push([kind, '', ...noises.map((noise) => noise[kind].toFixed(3))])
}
console.log(formatTable(table))
