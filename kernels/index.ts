// The kernels of src/numerics, compiled to WebAssembly with SIMD by `npm run kernels`. Each is a function over memory
// that the caller lays out; none keeps anything.

export { probabilities } from './probabilities'
export { race, raceOfHalves } from './race'
export { exponentials, normals } from './random'
export { halves, maximum } from './row'
export { strong } from './strong'
