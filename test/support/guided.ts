import type { Decodable, PassPlan } from '../../src/index.js'
import { FakeWorker } from './fake-worker.js'
import { type Conditional, conditionalOf, type Toy } from './toy-model.js'

/** The anchors of a prompt and of no prompt. */
const CONDITIONAL = 1
const UNCONDITIONAL = 0

/** `l_u + g (l_c - l_u)` for each logit. */
const guide = (conditional: Float32Array, unconditional: Float32Array, guidance: number): Float32Array =>
  conditional.map((logit, i) => unconditional[i] + guidance * (logit - unconditional[i]))

/** Stands in for a worker under classifier-free guidance: two slots that are fed the same plan. */
export class GuidedWorker {
  readonly #branches: readonly [FakeWorker, FakeWorker]
  readonly #guidance: number

  constructor(toy: Toy, guidance: number) {
    this.#branches = [new FakeWorker(toy, CONDITIONAL), new FakeWorker(toy, UNCONDITIONAL)]
    this.#guidance = guidance
  }

  forward(plan: PassPlan): Float32Array {
    const [conditional, unconditional] = this.#branches
    return guide(conditional.forward(plan), unconditional.forward(plan), this.#guidance)
  }

  decode(image: Decodable): void {
    while (!image.done) image.advance(this.forward(image.plan()))
  }
}

/** A toy's true logits under guidance. */
export function guidedConditional(toy: Toy, guidance: number): Conditional {
  const [conditional, unconditional] = [conditionalOf(toy, CONDITIONAL), conditionalOf(toy, UNCONDITIONAL)]
  return async (prefix) => guide(await conditional(prefix), await unconditional(prefix), guidance)
}
