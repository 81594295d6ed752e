import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  backgrounds,
  colours,
  relations,
  type SceneCaption,
  shapes,
  textures,
} from '../../src/judge/caption.js'
import { CaptionError, parseCaption, writeCaption } from '../../src/judge/index.js'
import { mainShades } from '../../src/judge/palette.js'
import { python } from '../engine/tiny.js'

const thing = fc.record({
  texture: fc.constantFrom(...textures),
  colour: fc.constantFrom(...colours),
  shape: fc.constantFrom(...shapes),
})
const background = fc.record({ kind: fc.constantFrom(...backgrounds), colour: fc.constantFrom(...colours) })
const captions: fc.Arbitrary<SceneCaption> = fc.oneof(
  fc.record({ objects: fc.tuple(thing), relation: fc.constant(null), background }),
  fc.record({ objects: fc.tuple(thing, thing), relation: fc.constantFrom(...relations), background }),
)

test('every caption that can be written is read back as the same', () => {
  fc.assert(
    fc.property(captions, (caption) => {
      expect(parseCaption(writeCaption(caption))).toEqual(caption)
    }),
  )
})

test('spaces and capitals do not matter', () => {
  expect(parseCaption('  A plain RED circle  on a wavy blue background ')).toEqual({
    objects: [{ texture: 'plain', colour: 'red', shape: 'circle' }],
    relation: null,
    background: { kind: 'wavy', colour: 'blue' },
  })
})

test.each([
  ['a plain pink circle on a plain blue background', /the word "pink"/],
  ['a red circle on a plain blue background', /order of the grammar/],
  ['a plain red circle above a plain blue ring', /order of the grammar/],
  ['', /on a <kind> <colour> background/],
])('what is no caption ("%s") is refused, and the grammar taught', (caption, reason) => {
  expect(() => parseCaption(caption)).toThrow(CaptionError)
  expect(() => parseCaption(caption)).toThrow(reason)
  expect(() => parseCaption(caption)).toThrow(/shape: circle, square, triangle, ring, cross/)
})

test('words and colours are those that the scenes are drawn with', () => {
  const show = 'import json; from sjd2_worker.training.scenes import *'
  const print = 'print(json.dumps([COLOURS, SHAPES, TEXTURES, BACKGROUNDS, RELATIONS, SIZE]))'
  const cwd = new URL('../../python_worker/', import.meta.url)
  const drawn: unknown = JSON.parse(
    execFileSync(python, ['-c', `${show}; ${print}`], { cwd, encoding: 'utf8' }),
  )
  expect(drawn).toEqual([mainShades, shapes, textures, backgrounds, relations, 96])
})
