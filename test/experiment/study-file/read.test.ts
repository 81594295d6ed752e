import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { readStudy } from '../../../src/experiment/study-file/read.js'

const folder = mkdtempSync(join(tmpdir(), 'study-'))
afterAll(() => rmSync(folder, { recursive: true }))
writeFileSync(join(folder, 'prompts.txt'), '# two\nred circle\nblue square\n')
mkdirSync(join(folder, 'model'))
const file = join(folder, 'study.yaml')

function read(text: string) {
  writeFileSync(file, text)
  return readStudy(file)
}

describe('a study', () => {
  test('needs prompts and policies only', async () => {
    const study = await read('prompts: [red, blue, red]\npolicies: [sjd2]\n')
    expect(study).toMatchObject({
      device: 'auto',
      imagesAtOnce: 8,
      guidance: null,
      sampling: {},
      judged: true,
      metrics: [],
      pictures: false,
      trajectories: 0,
    })
    expect(study.images).toEqual([
      { prompt: 'red', seed: 0, index: 0 },
      { prompt: 'blue', seed: 0, index: 0 },
      { prompt: 'red', seed: 0, index: 1 },
    ])
    expect(study.choices.map(({ spec }) => spec)).toEqual(['sjd2'])
  })

  test('sweeps over lists: all combinations, the last key fastest', async () => {
    const study = await read(`
model: model
prompts: { file: prompts.txt }
seeds: [3, 5]
guidance: [1, 3.5]
metrics: []
policies:
  - sjd:window=32
  - policy: mc-sjd
    window: [64, 96]
    init: above
    coupling: [maximal, gumbel]
`)
    expect(study.choices.map(({ spec }) => spec)).toEqual([
      'sjd:window=32',
      'mc-sjd:window=64,init=above,coupling=maximal',
      'mc-sjd:window=64,init=above,coupling=gumbel',
      'mc-sjd:window=96,init=above,coupling=maximal',
      'mc-sjd:window=96,init=above,coupling=gumbel',
    ])
    expect(study.choices[4].overrides).toEqual({ window: 96, init: 'above', coupling: 'gumbel' })
    expect(study).toMatchObject({ guidance: [1, 3.5], judged: false, model: join(folder, 'model') })
    expect(study.images.map(({ prompt, seed, index }) => [prompt, seed, index])).toEqual([
      ['red circle', 3, 0],
      ['blue square', 3, 0],
      ['red circle', 5, 0],
      ['blue square', 5, 0],
    ])
  })

  test('may draw its prompts in the scenes’ grammar, with its first seed', async () => {
    const scenes = async (seeds: string) =>
      (await read(`prompts: { scenes: 3 }\npolicies: [sjd2]\nseeds: ${seeds}\n`)).prompts
    expect(await scenes('[4]')).toHaveLength(3)
    expect(await scenes('[4]')).toEqual(await scenes('[4, 9]'))
    expect(await scenes('[4]')).not.toEqual(await scenes('[9]'))
  })

  test('is what the example is', async () => {
    const example = await readStudy(fileURLToPath(new URL('../../../examples/study.yaml', import.meta.url)))
    expect(example.choices).toHaveLength(7)
    expect(example.choices.at(-1)!.source).toMatchObject({ kind: 'file', entry: 'my-policy.ts' })
    expect(example.metrics.map(({ name }) => name)).toEqual(['colourfulness'])
    expect(example.images).toHaveLength(12)
  })
})

describe('what is refused, by line and key', () => {
  const good = 'prompts: [red]\npolicies: [sjd2]\n'
  test.each<[string, string, string | RegExp]>([
    ['no YAML', 'prompts: [red\npolicies: [sjd2]', /study\.yaml:2: /],
    ['an alias of nothing', 'prompts: *none\npolicies: [sjd2]', 'study.yaml:1: Unresolved alias'],
    [
      'aliases that explode',
      `a: &a [x]\n${[...'bcdefgh'].map((name, i) => `${name}: &${name} [${Array(9).fill(`*${'abcdefg'[i]}`)}]\n`).join('')}`,
      'study.yaml:1: Excessive alias count',
    ],
    ['a key twice', `${good}prompts: [blue]`, 'study.yaml:3: Map keys must be unique'],
    [
      'an unknown key',
      `${good}guidence: 3`,
      'study.yaml:3: guidence: there is no such key. Did you mean guidance?',
    ],
    [
      'another case',
      `${good}sampling:\n  topp: 1`,
      'study.yaml:4: sampling.topp: there is no such key. Did you mean topP?',
    ],
    [
      'an unknown key of prompts',
      'policies: [sjd2]\nprompts: { scene: 3 }',
      'study.yaml:2: prompts.scene: there is no such key. Did you mean scenes?',
    ],
    [
      'two kinds of prompts',
      'policies: [sjd2]\nprompts: { scenes: 3, file: prompts.txt }',
      'study.yaml:2: prompts: give either',
    ],
    [
      'more scenes than there are',
      'policies: [sjd2]\nprompts: { scenes: 5000000 }',
      'study.yaml:2: prompts.scenes: 5,000,000 scenes are more than',
    ],
    [
      'half a character',
      'policies: [sjd2]\nprompts:\n  - red\n  - "\\uD83D red"',
      'study.yaml:4: prompts[1]: it holds half a surrogate pair',
    ],
    ['no policies', 'prompts: [red]', 'study.yaml:1: policies: it is missing; it must be a list.'],
    [
      'a wrong type',
      `${good}guidance: high`,
      'study.yaml:3: guidance: it must be a number or a list, not "high".',
    ],
    [
      'a wrong type in a sweep',
      'prompts: [red]\npolicies:\n  - policy: sjd\n    window:\n      - 3\n      - wide',
      'study.yaml:6: policies[0].window[1]: it must be a number, not "wide".',
    ],
    ['nothing', '', 'study.yaml:1: it must be a map, not nothing.'],
    [
      'no list of policies',
      'prompts: [red]\npolicies: sjd2',
      'study.yaml:2: policies: it must be a list, not "sjd2".',
    ],
    ['half a seed', `${good}seeds: [1.5]`, 'study.yaml:3: seeds[0]: it must be a whole number, not 1.5.'],
    [
      'too large a number',
      `${good}sampling: { topP: 2 }`,
      'study.yaml:3: sampling.topP: it must be 1 or less, not 2.',
    ],
    ['too small a number', `${good}seeds: -1`, 'study.yaml:3: seeds: it must be 0 or more, not -1.'],
    ['none of a thing', `${good}gpus: 0`, 'study.yaml:3: gpus: it must be more than 0, not 0.'],
    [
      'an unknown word',
      `${good}device: gpu`,
      'study.yaml:3: device: it must be one of auto, cpu, cuda, not "gpu".',
    ],
    [
      'an empty text',
      'policies: [sjd2]\nprompts: [red, ""]',
      'study.yaml:2: prompts[1]: it must not be empty.',
    ],
    ['an empty list', 'prompts: [red]\npolicies: []', 'study.yaml:2: policies: it must not be empty.'],
    [
      'a list of what must be one',
      `${good}sampling: { topK: [1, 2] }`,
      'study.yaml:3: sampling.topK: it must be a number, not a list.',
    ],
    [
      'a policy without its name',
      'prompts: [red]\npolicies:\n  - window: 3',
      'study.yaml:3: policies[0].policy: it is missing; it must be a text.',
    ],
    ['a missing model', `${good}model: nowhere`, /study\.yaml:3: model: there is no .*nowhere/],
    [
      'a missing file of prompts',
      'policies: [sjd2]\nprompts:\n  file: no.txt',
      /study\.yaml:3: prompts\.file: Cannot read the prompts in .*no\.txt/,
    ],
    [
      'an unknown policy',
      'prompts: [red]\npolicies:\n  - sjd\n  - autoregresive',
      'study.yaml:4: policies[1]: There is no policy "autoregresive". Did you mean autoregressive?',
    ],
    [
      'a senseless key of a policy',
      'prompts: [red]\npolicies:\n  - policy: sjd\n    levels: 3',
      'study.yaml:4: policies[0].levels: levels makes no sense for sjd',
    ],
    [
      'a senseless value of a policy',
      'prompts: [red]\npolicies:\n  - policy: sjd\n    init: left\n    window:\n      - 3\n      - 0.5',
      'study.yaml:5: policies[0].window: window is 0.5. Give a whole number',
    ],
    [
      'a key that a policy lacks',
      'prompts: [red]\npolicies:\n  - policy: zipar\n    window: 3',
      'study.yaml:4: policies[0].window: zipar has no window.',
    ],
    [
      'what is senseless in a line',
      'prompts: [red]\npolicies:\n  - sjd\n  - sjd2:window=0',
      'study.yaml:4: policies[1]: window is 0.',
    ],
    [
      'a missing policy file',
      'prompts: [red]\npolicies: [./no.ts]',
      /study\.yaml:2: policies\[0\]: There is no policy file .*no\.ts/,
    ],
    [
      'a missing policy file below other keys',
      'prompts: [red]\npolicies:\n  - window: 3\n    policy: ./no.ts',
      /study\.yaml:4: policies\[0\]\.policy: There is no policy file .*no\.ts/,
    ],
    [
      'a policy twice',
      'prompts: [red]\npolicies:\n  - sjd2:window=3\n  - { policy: sjd2, window: [2, 3] }',
      'study.yaml:4: policies[1]: sjd2:window=3 is there twice.',
    ],
    ['a seed twice', `${good}seeds: [1, 2, 1]`, 'study.yaml:3: seeds[2]: 1 is there twice.'],
    [
      'an unknown metric',
      `${good}metrics: [sceens]`,
      'study.yaml:3: metrics[0]: There is no metric "sceens". Did you mean scenes?',
    ],
    [
      'a metric of nothing',
      `${good}metrics: [{ name: x }]`,
      'study.yaml:3: metrics[0]: give it either a file or a command.',
    ],
    [
      'a missing metric file',
      `${good}metrics: [scenes, ./no.ts]`,
      /study\.yaml:3: metrics\[1\]: There is no metric file .*no\.ts/,
    ],
    [
      'a missing metric file below its name',
      `${good}metrics:\n  - name: mine\n    file: ./no.ts`,
      /study\.yaml:5: metrics\[0\]\.file: There is no metric file .*no\.ts/,
    ],
    [
      'a missing metric command',
      `${good}metrics:\n  - name: mine\n    command: [./no.sh, --all]`,
      /study\.yaml:5: metrics\[0\]\.command: There is no .*no\.sh/,
    ],
    [
      'rows that explode',
      `prompts: [red]\npolicies:\n  - policy: sjd2\n    window: [${Array.from({ length: 20 }, (_, i) => i + 1)}]\n    levels: [${Array.from({ length: 20 }, (_, i) => i + 1)}]`,
      'study.yaml:2: policies: the sweeps make 400 rows, more than 256',
    ],
    [
      'images that explode',
      `prompts: { scenes: 1000 }\nseeds: [${Array.from({ length: 101 }, (_, i) => i)}]\npolicies: [sjd2]`,
      'study.yaml:3: policies: the sweeps make 101,000 images, more than 100,000',
    ],
  ])('%s', async (_, text, message) => {
    await expect(read(text)).rejects.toMatchObject({
      code: 'bad-study',
      message:
        typeof message === 'string' ? expect.stringContaining(message) : expect.stringMatching(message),
      remedy: expect.stringContaining('nothing was run'),
    })
  })

  test('all of it at once, in the order of the lines', async () => {
    await expect(
      read('guidance: [1, 1]\nprompts: { file: no.txt }\npolicies: [sdj2]\nmetrics: [clip]\n'),
    ).rejects.toThrow(/study\.yaml:1: .*\n.*:2: .*\n.*:3: .*\n.*:4: /)
  })

  test.each([
    ['Latin-1', Buffer.from('prompts: [a]\npolicies: [sjd]\n# caf\xe9\n', 'latin1'), 'line 3 is not UTF-8'],
    ['UTF-16', Buffer.from('\ufeffprompts: [a]\npolicies: [sjd]\n', 'utf16le'), 'it is UTF-16'],
  ])('a file in %s', async (_, bytes, reason) => {
    writeFileSync(join(folder, 'old.yaml'), bytes)
    await expect(readStudy(join(folder, 'old.yaml'))).rejects.toThrow(reason)
  })

  test('a file that is not there', async () => {
    await expect(readStudy(join(folder, 'no.yaml'))).rejects.toThrow('it does not exist')
  })
})
