export { philox } from './philox.js'
export { checkSampling, probabilities, type Sampling } from './probabilities.js'
export { ImageRandom, type Purpose } from './random.js'
export { argmax, race, sample } from './sample.js'
