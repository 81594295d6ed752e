export { philox } from './philox.js'
export { type Sampling, checkSampling, probabilities } from './probabilities.js'
export { ImageRandom, type Purpose } from './random.js'
export { argmax, race, sample } from './sample.js'
