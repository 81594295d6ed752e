export { CaptionError, parseCaption, type SceneCaption, writeCaption } from './caption.js'
export { type Fact, judgePicture, judgeScene, type Verdict } from './judge.js'
export { observeScene, type SeenScene } from './observe.js'
