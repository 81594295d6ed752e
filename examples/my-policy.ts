/**
 * A policy of one's own: `npm start -- generate "…" --policy examples/my-policy.ts`.
 *
 * The idea: a wide window costs time in every pass, and pays only while drafts are accepted in long runs. So
 * the window follows what the last passes accepted. Copies from the row above start it; where rows differ
 * (backgrounds with noise, edges), it shrinks by itself.
 */
import { above, chain, exactPrefix, type ImagePast, maximal, PolicyError, type PolicyFactory } from 'sjd2'

/**
 * Passes that are looked back on, drafts per code that they committed on average, and the narrowest window.
 */
const LOOK_BACK = 6
const DRAFTS_PER_CODE = 6
const NARROWEST = 12

/**
 * The window after what the last passes committed. It is a function of the image's past, so images stay
 * reproducible.
 */
function adaptiveWindow(widest: number): (past: ImagePast) => number {
  return ({ history }) => {
    const recent = history.slice(-LOOK_BACK)
    if (recent.length === 0) return widest
    const mean = recent.reduce((sum, codes) => sum + codes, 0) / recent.length
    return Math.min(widest, Math.max(NARROWEST, Math.round(DRAFTS_PER_CODE * mean)))
  }
}

const myPolicy: PolicyFactory = (_model, { window: widest = 96, ...others }) => {
  if (Object.values(others).some((value) => value !== undefined)) {
    throw new PolicyError('my-policy can change its widest window only.', 'Leave the other options out.')
  }
  return chain({
    name: 'my-policy',
    window: adaptiveWindow(widest),
    initialize: above,
    verify: maximal, // accept d_j with probability min(1, p_j(d_j) / q_j(d_j)), else draw from the residual
    prefix: exactPrefix, // together with that: the images are sequential decoding's, in distribution
    refine: maximal, // behind the first rejection, drafts change as seldom as their distributions allow
    denoise: null, // nothing is noisy: it runs on any checkpoint
  })
}

export default myPolicy
