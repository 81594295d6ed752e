/** Captions in the scenes' grammar, drawn as the training data draws them. */

import {
  backgrounds,
  type CaptionObject,
  colours,
  relations,
  type SceneCaption,
  shapes,
  textures,
  writeCaption,
} from '../judge/index.js'
import { ExperimentError } from './error.js'
import { MOST_IMAGES } from './images.js'

/** The share of scenes with a single object. */
const SINGLE = 0.4

/**
 * Different captions, so many as asked for.
 * @param random uniform on [0, 1).
 * @throws ExperimentError `bad-option` for more than a run can have: the grammar's 2 million would soon be used up.
 */
export function scenePrompts(count: number, random: () => number): string[] {
  if (count > MOST_IMAGES) {
    throw new ExperimentError(
      'bad-option',
      `${count.toLocaleString('en')} scenes are more than the ${MOST_IMAGES.toLocaleString('en')} images of a run.`,
      'Draw fewer.',
    )
  }
  const prompts = new Set<string>()
  while (prompts.size < count) prompts.add(writeCaption(sampleCaption(random)))
  return [...prompts]
}

/** A scene whose objects differ in colour from each other and from the background. */
function sampleCaption(random: () => number): SceneCaption {
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]
  const free = [...colours]
  const colour = () => free.splice(Math.floor(random() * free.length), 1)[0]
  const thing = (): CaptionObject => ({ texture: pick(textures), colour: colour(), shape: pick(shapes) })
  const first = thing()
  const single = random() < SINGLE
  return {
    objects: single ? [first] : [first, thing()],
    relation: single ? null : pick(relations),
    background: { kind: pick(backgrounds), colour: colour() },
  }
}
