import { exactPrefix, fanOut, maximal, random } from '../decoding/index.js'
import { chainPolicy } from './built-in.js'
import { depth, siblings, window } from './changes.js'

/**
 * SJD with a tree at the front. As MC-SJD, but for each of the first positions several drafts are drawn from the same
 * proposal, behind each of those for the position before it:
 * 1. verify from the front, the siblings one after the other, each against what the refused ones have left of `p_j`;
 * 2. go on behind the one that was accepted, so that a first draft's refusal seldom ends the pass;
 * 3. continue behind the end by maximal coupling over the whole window.
 * The official code has as many entries, 64 with the root, which its depth of 3 counts; but of all accepted paths it takes
 * the longest, which is not lossless. Here siblings are tried in turn, and its distribution is the model's.
 */
export const sjdPac = chainPolicy({
  name: 'sjd-pac',
  summary: 'MC-SJD with a tree of drafts at the front, for when the first of them are refused',
  paper: 'SJD-PAC: progressive adaptive continuation, arXiv 2603.18599',
  defaults: 'the official code’s',
  parameters: { window: window(53), siblings: siblings(3), depth: depth(2) },
  pieces: ({ window, siblings, depth }) => ({
    window,
    initialize: random,
    verify: maximal,
    refine: maximal,
    prefix: exactPrefix,
    branches: fanOut(siblings, depth),
  }),
})
