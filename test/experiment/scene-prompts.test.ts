import { expect, test } from 'vitest'
import { randomStream } from '../../src/experiment/random.js'
import { scenePrompts } from '../../src/experiment/scene-prompts.js'
import { parseCaption } from '../../src/judge/index.js'

const draw = (count: number, seed: number) => scenePrompts(count, randomStream(seed, 'prompts'))

test('scene prompts are different captions of the grammar, with different colours in each', () => {
  const prompts = draw(200, 0)
  expect(new Set(prompts).size).toBe(200)
  const scenes = prompts.map(parseCaption)
  for (const { objects, background } of scenes) {
    const colours = [...objects.map(({ colour }) => colour), background.colour]
    expect(new Set(colours).size).toBe(colours.length)
  }
  const single = scenes.filter(({ objects }) => objects.length === 1).length
  expect(single).toBeGreaterThan(50)
  expect(single).toBeLessThan(110)
})

test('scene prompts follow the seed, and fewer are the beginning of more', () => {
  expect(draw(5, 3)).toEqual(draw(20, 3).slice(0, 5))
  expect(draw(5, 3)).not.toEqual(draw(5, 4))
})

test('more scenes than a run can have are refused, before the grammar has no more to give', () => {
  expect(() => draw(5_000_000, 0)).toThrow('5,000,000 scenes are more than the 100,000 images of a run')
})
