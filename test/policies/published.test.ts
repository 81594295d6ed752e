import { expect, test } from 'vitest'
import { chain, createPolicy, type DecodingPolicy, Trajectory } from '../../src/index.js'
import { plainSampling } from '../support/fake-pass.js'
import { FakeWorker } from '../support/fake-worker.js'
import { published } from '../support/published.js'
import { toy } from '../support/toy-model.js'

const page = toy({ layout: Array.from({ length: 60 }, () => -1), rowLength: 10, codes: 8 })

/** What a policy does of three images: every draft of every pass, and what came of it. */
function behaviour(policy: DecodingPolicy): unknown {
  return [1, 2, 3].map((seed) => {
    const records: unknown[] = []
    const options = { model: page.model, policy, sampling: plainSampling, seed, index: 0 }
    const image = new Trajectory({ ...options, onPass: (record) => records.push(record) })
    new FakeWorker(page).decode(image)
    return { tokens: image.tokens, records }
  })
}

test.each(Object.entries(published))('%s does what its pieces do', (name, pieces) => {
  expect(behaviour(createPolicy(name, {}, page.model))).toEqual(behaviour(chain({ name, ...pieces })))
})

test('and no two of them do the same', () => {
  const all = Object.entries(published).map(([name, pieces]) =>
    JSON.stringify(behaviour(chain({ name, ...pieces }))),
  )
  expect(new Set(all).size).toBe(all.length)
})
