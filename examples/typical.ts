/**
 * A policy with a parameter of its own: `npx sjd2 compare mc-sjd examples/typical.ts:epsilon=0.2`. A study may sweep over
 * it (`epsilon: [0.05, 0.2]`), and `npx sjd2 policies examples/typical.ts` lists it.
 *
 * The idea: keep every draft that is typical of the model (Medusa, arXiv 2401.10774): one whose probability is above
 * `min(epsilon, sqrt(epsilon) exp(-entropy))`. Fewer passes, but not the model's distribution: relaxed.
 */
import { above, chain, type Draw, definePolicy, exactPrefix, maximal, NO_CODE, parameter, sample } from 'sjd2'

/** Keeps a typical draft, and draws from the model in the place of any other. */
function typical(epsilon: number): Draw {
  return {
    name: 'typical',
    follows: 'neither', // so the policy says of itself that it is relaxed
    trusting: false,
    draw(draft, pass) {
      const p = pass.distribution(draft)
      const least = Math.min(epsilon, Math.sqrt(epsilon) * Math.exp(-entropy(p)))
      const isTypical = draft.code !== NO_CODE && p[draft.code] > least
      const code = isTypical ? draft.code : sample(p, pass.uniform('draw', draft.position))
      return { code, proposal: { kind: 'dense', probabilities: p } }
    },
  }
}

/** In nats. */
const entropy = (p: Float32Array): number =>
  p.reduce((sum, share) => (share > 0 ? sum - share * Math.log(share) : sum), 0)

export default definePolicy({
  summary: 'keeps every draft that is typical of the model: relaxed',
  paper: 'Cai et al., Medusa, arXiv 2401.10774',
  parameters: {
    window: parameter.integer(64, 'drafts in a pass', { least: 1 }),
    epsilon: parameter.number(0.09, 'probability above which a draft is always kept', { least: 0, most: 1 }),
  },
  create: ({ window, epsilon }) =>
    chain({
      name: 'typical',
      window,
      initialize: above,
      verify: typical(epsilon),
      refine: maximal,
      prefix: exactPrefix,
    }),
})
