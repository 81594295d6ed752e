/** The grammar of the scenes' captions, the same as in `python_worker/sjd2_worker/training/scenes.py`. */

export const colours = ['red', 'green', 'blue', 'yellow', 'purple', 'orange', 'white', 'black'] as const
export const shapes = ['circle', 'square', 'triangle', 'ring', 'cross'] as const
export const textures = ['plain', 'striped', 'dotted', 'checkered'] as const
export const backgrounds = ['plain', 'gradient', 'noisy', 'wavy'] as const
export const relations = ['left of', 'right of', 'above', 'below'] as const

export type Colour = (typeof colours)[number]
export type Shape = (typeof shapes)[number]
export type Texture = (typeof textures)[number]
export type BackgroundKind = (typeof backgrounds)[number]
export type Relation = (typeof relations)[number]

export interface CaptionObject {
  readonly texture: Texture
  readonly colour: Colour
  readonly shape: Shape
}

/** Everything that a caption says; the relation is the first object's to the second, null where there is only one. */
export interface SceneCaption {
  readonly objects: readonly [CaptionObject] | readonly [CaptionObject, CaptionObject]
  readonly relation: Relation | null
  readonly background: { readonly kind: BackgroundKind; readonly colour: Colour }
}

export class CaptionError extends Error {
  override readonly name = 'CaptionError'
}

const oneOf = (words: readonly string[]): string => `(${words.join('|')})`
const thing = `a ${oneOf(textures)} ${oneOf(colours)} ${oneOf(shapes)}`
const grammar = new RegExp(
  `^${thing}(?: ${oneOf(relations)} ${thing})? on a ${oneOf(backgrounds)} ${oneOf(colours)} background$`,
)
const vocabulary = new Set(
  ['a', 'on', 'background', ...colours, ...shapes, ...textures, ...backgrounds, ...relations]
    .join(' ')
    .split(' '),
)

/** Reads a caption; spaces and capitals do not matter. Throws a CaptionError that teaches the grammar. */
export function parseCaption(caption: string): SceneCaption {
  const words = caption.trim().toLowerCase().split(/\s+/)
  const match = grammar.exec(words.join(' '))
  if (!match) throw new CaptionError(explain(caption, words))
  const [, ...parts] = match
  // The grammar's alternatives are exactly these types.
  const object = ([texture, colour, shape]: string[]) => ({ texture, colour, shape }) as CaptionObject
  const first = object(parts.slice(0, 3))
  const relation = (parts[3] ?? null) as Relation | null
  const background = { kind: parts[7] as BackgroundKind, colour: parts[8] as Colour }
  return { objects: relation ? [first, object(parts.slice(4, 7))] : [first], relation, background }
}

/** The caption that `parseCaption` reads back as the same. */
export function writeCaption({ objects: [first, second], relation, background }: SceneCaption): string {
  const words = ({ texture, colour, shape }: CaptionObject) => `a ${texture} ${colour} ${shape}`
  const rest = second ? ` ${relation} ${words(second)}` : ''
  return `${words(first)}${rest} on a ${background.kind} ${background.colour} background`
}

function explain(caption: string, words: string[]): string {
  const strange = words.find((word) => !vocabulary.has(word))
  const reason = strange
    ? `no scene knows the word "${strange}"`
    : 'its words do not stand in the order of the grammar'
  return [
    `The caption "${caption}" cannot be judged: ${reason}. Write`,
    '  a <texture> <colour> <shape> [<relation> a <texture> <colour> <shape>] on a <kind> <colour> background',
    `  texture: ${textures.join(', ')}`,
    `  colour: ${colours.join(', ')}`,
    `  shape: ${shapes.join(', ')}`,
    `  relation: ${relations.join(', ')}`,
    `  kind: ${backgrounds.join(', ')}`,
  ].join('\n')
}
