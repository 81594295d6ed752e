/**
 * What every policy decodes, as one digest a line: `node --import ./bin/typescript.mjs bench/digests.ts [policies…]`. Two
 * trees whose lines are equal draw the same tokens in the same passes. Images are the toy's (test/support), with ends of
 * lines that the layout forces, under plain and under filtered sampling. Default: every policy, and changes of each piece.
 */
import { createHash } from 'node:crypto'
import { choosePolicy } from '../src/experiment/policy.js'
import { policyNames, Trajectory } from '../src/index.js'
import { FakeWorker } from '../test/support/fake-worker.js'
import { toy } from '../test/support/toy-model.js'

const changed = [
  'jacobi:window=9,init=gaussian',
  'sjd:window=7,init=left',
  'sjd:init=gaussian,levels=3,denoise=distance,margin=4',
  'sjd:coupling=reuse,threshold=0.5,init=likeliest',
  'sjd:accept=group,group=5,distance=9',
  'sjd:accept=nearest,nearest=4,delta=0.3',
  'sjd++:threshold=0.25,accept=group,distance=9',
  'mc-sjd:coupling=gumbel,window=20',
  'mc-sjd:siblings=2,depth=4',
  'sjd-pac:siblings=4,depth=2,window=12',
  'sjd-pac:siblings=1',
  'sjd-pac:depth=3,coupling=reuse',
  'gsd:accept=coupling,coupling=maximal',
  'gsd:coupling=gumbel,distance=9',
  'gsd:distance=100,group=3',
  'lantern:nearest=3,delta=2',
  'lantern:accept=coupling',
  'zipar:lag=3',
  'pjd:rows=2,lag=4,window=5,init=above,coupling=maximal',
  'pjd:accept=nearest,nearest=3,delta=0.4',
  'sjd2:levels=4',
  'sjd2:coupling=maximal,window=24',
  'sjd2:init=vertical',
  'sjd2:verify=relaxed,keepNoisyKeys=true,levels=6',
  'sjd2:window=20,levels=4,denoise=distance,margin=8',
  'sjd2:branches=9',
  'sjd2-tree:branches=0',
  'sjd2-tree:branches=17,window=30,init=repeat',
  'sjd2-paper:keepNoisyKeys=true,levels=5',
  'sjd2-paper:verify=exact',
  'sjd2-paper:coupling=reuse,init=random',
]

const line = [...Array.from({ length: 12 }, () => -1), 7]
const page = toy({ layout: [7, ...Array.from({ length: 9 }, () => line).flat()], rowLength: 13, codes: 12 })
const samplings = [
  { temperature: 1, topK: 0, topP: 1 },
  { temperature: 0.9, topK: 8, topP: 0.95 },
]

const asked = process.argv.slice(2)
for (const spec of asked.length > 0 ? asked : [...policyNames, ...changed]) {
  const policy = (await choosePolicy(spec)).create(page.model)
  const hash = createHash('sha256').update(`${policy.exact} ${policy.noisy} ${policy.freeWindow === true}`)
  for (const sampling of samplings) {
    for (const seed of [1, 2, 3]) {
      const image = new Trajectory({ model: page.model, policy, sampling, seed, index: seed })
      new FakeWorker(page).decode(image)
      hash.update(JSON.stringify([[...image.tokens], image.history]))
    }
  }
  console.log(`${hash.digest('hex').slice(0, 16)}  ${spec}`)
}
