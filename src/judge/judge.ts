import { type CaptionObject, parseCaption, type Relation, type SceneCaption } from './caption.js'
import type { SeenObject } from './objects.js'
import { observeScene, type SeenScene } from './observe.js'

/** One thing that a caption says, and what the picture shows of it. */
export interface Fact {
  readonly about: 'object 1' | 'object 2' | 'background' | 'picture'
  /** `presence`: the object is there at all. `nothing else`: there is no object that the caption does not speak of. */
  readonly property: 'presence' | 'shape' | 'colour' | 'texture' | 'relation' | 'kind' | 'nothing else'
  readonly expected: string
  /** null where the picture shows nothing that has a name. */
  readonly seen: string | null
  readonly holds: boolean
}

export interface Verdict {
  readonly caption: SceneCaption
  readonly facts: readonly Fact[]
  /** The share of the facts that hold, 0 … 1. */
  readonly score: number
  /** Whether all facts hold. */
  readonly correct: boolean
}

/**
 * Says of a picture [height, width, 3] and its caption which facts of the caption hold. The picture is read without the
 * caption, by geometry and colour. Throws a CaptionError for a caption outside the grammar, a RangeError for a picture
 * that is no scene.
 */
export function judgePicture(rgb: Uint8Array, width: number, height: number, caption: string): Verdict {
  return judgeScene(observeScene(rgb, width, height), caption)
}

/**
 * Compares what a picture shows with what a caption says. The caption decides nothing but which object is meant by which
 * words, and that so that as many facts as can be hold.
 */
export function judgeScene(seen: SeenScene, caption: string): Verdict {
  const said = parseCaption(caption)
  const facts = compare(said, seen)
  const held = facts.filter((fact) => fact.holds).length
  return { caption: said, facts, score: held / facts.length, correct: held === facts.length }
}

function compare(said: SceneCaption, { objects, background }: SeenScene): Fact[] {
  const readings = meanings(said.objects.length, objects).map((meant) => [
    ...said.objects.flatMap((object, i) => objectFacts(i === 0 ? 'object 1' : 'object 2', object, meant[i])),
    ...(said.relation ? [fact('picture', 'relation', said.relation, relationOf(meant[0], meant[1]))] : []),
  ])
  const surplus = objects.length - said.objects.length
  return [
    ...readings.reduce((a, b) => (weight(b) > weight(a) ? b : a)),
    fact('picture', 'nothing else', 'nothing', surplus > 0 ? `${surplus} more` : 'nothing'),
    fact('background', 'kind', said.background.kind, background.kind),
    fact('background', 'colour', said.background.colour, background.colour),
  ]
}

/** All ways to take the caption's objects for different seen ones; undefined where there are not enough. */
function meanings(count: number, seen: readonly SeenObject[]): (SeenObject | undefined)[][] {
  if (count === 0) return [[]]
  const choices = seen.length >= count ? seen : [...seen, undefined]
  return choices.flatMap((first) =>
    meanings(
      count - 1,
      seen.filter((object) => object !== first),
    ).map((rest) => [first, ...rest]),
  )
}

/** How many facts hold; of equals, the reading with more of the colours. */
function weight(facts: readonly Fact[]): number {
  const held = facts.filter((fact) => fact.holds)
  return held.length + held.filter((fact) => fact.property === 'colour').length / 10
}

function objectFacts(about: Fact['about'], said: CaptionObject, seen: SeenObject | undefined): Fact[] {
  return [
    fact(about, 'presence', 'there', seen ? 'there' : null),
    fact(about, 'shape', said.shape, seen?.shape ?? null),
    fact(about, 'colour', said.colour, seen?.colour ?? null),
    fact(about, 'texture', said.texture, seen?.texture ?? null),
  ]
}

/** The relation of the first to the second by the larger distance of their centres. */
function relationOf(first: SeenObject | undefined, second: SeenObject | undefined): Relation | null {
  if (!first || !second) return null
  const dx = second.x - first.x
  const dy = second.y - first.y
  if (Math.abs(dx) > Math.abs(dy)) return dx > 0 ? 'left of' : 'right of'
  return dy > 0 ? 'above' : 'below'
}

function fact(about: Fact['about'], property: Fact['property'], expected: string, seen: string | null): Fact {
  return { about, property, expected, seen, holds: expected === seen }
}
