import {
  backgrounds,
  type CaptionObject,
  colours,
  relations,
  type SceneCaption,
  shapes,
  textures,
} from '../../src/judge/caption.js'
import { type Fact, parseCaption, writeCaption } from '../../src/judge/index.js'

/** A caption that differs from the right one in one fact, and the facts that must then be told as wrong. */
export interface ChangedCaption {
  readonly caption: string
  readonly wrong: readonly string[]
}

/** A fact's place in a caption. */
export const placeOf = ({ about, property }: Pick<Fact, 'about' | 'property'>): string =>
  `${about}: ${property}`

/** Every caption that changes one word of a right one, forgets its second object, or invents one. */
export function changesOf(right: string): ChangedCaption[] {
  const said = parseCaption(right)
  const [first, second] = said.objects
  const changes = [
    ...objectChanges(first).map(([property, object]) =>
      change(`object 1: ${property}`, { ...said, objects: second ? [object, second] : [object] }),
    ),
    ...others(backgrounds, said.background.kind).map((kind) =>
      change('background: kind', { ...said, background: { ...said.background, kind } }),
    ),
    ...others(colours, said.background.colour).map((colour) =>
      change('background: colour', { ...said, background: { ...said.background, colour } }),
    ),
  ]
  if (!second) return [...changes, inventedSecond(said)]
  return [
    ...changes,
    ...objectChanges(second).map(([property, object]) =>
      change(`object 2: ${property}`, { ...said, objects: [first, object] }),
    ),
    ...others(relations, said.relation).map((relation) => change('picture: relation', { ...said, relation })),
    change('picture: nothing else', { ...said, objects: [first], relation: null }),
  ]
}

function change(wrong: string, caption: SceneCaption): ChangedCaption {
  return { caption: writeCaption(caption), wrong: [wrong] }
}

function objectChanges(object: CaptionObject): [string, CaptionObject][] {
  return [
    ...others(shapes, object.shape).map((shape): [string, CaptionObject] => ['shape', { ...object, shape }]),
    ...others(colours, object.colour).map((colour): [string, CaptionObject] => [
      'colour',
      { ...object, colour },
    ]),
    ...others(textures, object.texture).map((texture): [string, CaptionObject] => [
      'texture',
      { ...object, texture },
    ]),
  ]
}

function inventedSecond({ objects: [first], background }: SceneCaption): ChangedCaption {
  const [colour] = colours.filter((other) => other !== first.colour && other !== background.colour)
  const objects = [first, { texture: 'striped', colour, shape: 'cross' }] as const
  const wrong = ['presence', 'shape', 'colour', 'texture'].map((property) => `object 2: ${property}`)
  return {
    caption: writeCaption({ objects, relation: 'above', background }),
    wrong: [...wrong, 'picture: relation'],
  }
}

const others = <T>(all: readonly T[], one: unknown): T[] => all.filter((other) => other !== one)
