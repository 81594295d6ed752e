export { type SceneCaption, CaptionError, parseCaption, writeCaption } from './caption.js'
export { type Fact, type Verdict, judgePicture } from './judge.js'
export { type SeenScene, observeScene } from './observe.js'
