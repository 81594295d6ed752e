/** The judge of scenes: does a picture show what its caption says? */
export {
  backgrounds,
  CaptionError,
  type CaptionObject,
  colours,
  parseCaption,
  relations,
  type SceneCaption,
  shapes,
  textures,
  writeCaption,
} from './caption.js'
export { type Fact, judgePicture, judgeScene, type Verdict } from './judge.js'
export { observeScene, type SeenScene } from './observe.js'
