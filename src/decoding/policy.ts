import type { ImageRandom, Purpose, Sampling } from '../numerics/index.js'
import type { Draft } from './draft.js'
import type { Model } from './model.js'
import type { Proposal } from './proposal.js'

/** What a policy sees of the image it decodes. Nothing of it changes while a policy decides. */
export interface ImageState {
  readonly model: Model
  readonly sampling: Sampling
  /** Numbers that depend on the seed, the image and the arguments alone. */
  readonly random: ImageRandom
  /** [length] ids; final below `committed` and where the layout forces them, -1 elsewhere. */
  readonly tokens: Int32Array
  /** How many positions are final. */
  readonly committed: number
  /** What the positions after the committed ones hold. */
  readonly drafts: readonly Draft[]
  /** Where the policy keeps keys: settled codes behind the committed ones that were fed, by position. Else empty. */
  readonly ahead: ReadonlyMap<number, number>
  /** Passes done so far. */
  readonly passes: number
  /** For each pass so far, how many codes it committed. */
  readonly history: readonly number[]
  /**
   * The next free positions, at most `count`: what a window may hold. The image's last free position never
   * enters one, since there is nothing that its entry could predict.
   */
  upcoming(count: number): number[]
  /** [width] Room for the latent of a draft, of any contents; lent for as long as a draft that the image holds has it. */
  latent(): Float32Array
}

/** What a forward pass gave. Distributions are made when first asked for: rows nobody reads cost nothing. */
export interface Pass {
  /** Number of the pass within its image, from 0. */
  readonly number: number
  /** The model that made it. */
  readonly model: Model
  /** What was fed, in that order: the image's drafts. */
  readonly drafts: readonly Draft[]
  /**
   * The free position behind the draft of this index (-1: behind what is committed), as a draft without a code: for
   * drawing where no draft stands, or whichever of several does.
   */
  behind(index: number): Draft
  /**
   * `p_j` [count] for the position of a draft, given those that it follows: guidance, temperature, top-k and top-p
   * applied.
   * Valid during the pass, and for as long as it is a draft's proposal.
   */
  distribution(draft: Draft): Float32Array
  /** The same as a draft's proposal, made when it is first read. */
  proposal(draft: Draft): Proposal
  /**
   * The code that wins the position's own race, `argmax p / e` for the `exponentials` there (the Gumbel argmax): `race`
   * of the two, found without making `p`.
   */
  winner(draft: Draft): number
  /** A number on (0, 1) for this purpose, position and pass; of several, the `number`-th. */
  uniform(purpose: Purpose, position: number, number?: number): number
  /** The position's own noise [count], the same in every pass (`ImageRandom.exponentials`). */
  exponentials(position: number): Float32Array
}

/** What verification found. */
export interface Verdict {
  /** Codes that become final, for the next free positions in order: at least one. */
  readonly codes: readonly number[]
  /**
   * The drafts, by index, whose cells may stay, from the front: each follows the one before it, and its entry was what
   * is now committed.
   */
  readonly held: readonly number[]
}

/**
 * A decoding method: three decisions, each a pure function of what it is given. Most are composed of pieces
 * by `chain`. A policy serves any number of images, so what it must remember belongs into drafts or is read
 * from `history`.
 */
export interface DecodingPolicy {
  readonly name: string
  /** Whether its images follow the very distribution that sequential decoding draws from. */
  readonly exact: boolean
  /** Whether it feeds noisy entries, which only a checkpoint that was trained to denoise can read. */
  readonly noisy: boolean
  /**
   * Whether its window decides how many passes an image takes, and nothing of the image: by Gumbel coupling, that is
   * sequential decoding's whatever the window. Who decodes may then take the window that is fastest. Not where branches
   * stand beside the window, which were chosen for the fewest passes.
   */
  readonly freeWindow?: boolean
  /**
   * Whether settled drafts are fed once, and keep the keys that they then have: from then on they are in `image.ahead`. All
   * drafts are settled or stand-ins then, in the order of their positions, and see what is before them. Absent: cells hold
   * what is committed alone.
   */
  readonly keepsKeys?: boolean
  /** Whether it reads the model's `codebook`, which the session then fetches. Absent: it does not. */
  readonly codebook?: boolean
  /**
   * What the next pass decodes: the drafts of `image.drafts` that stay, then those that enter. Each stands at the next
   * free position behind the one that it follows (`image.upcoming` has them); only where `exact` is false may it skip some.
   */
  schedule(image: ImageState): Draft[]
  /** Which codes become final. */
  verify(pass: Pass, image: ImageState): Verdict
  /**
   * What is held for the next pass at the positions that are still open: `image.drafts` are the pass's drafts there.
   */
  refine(pass: Pass, image: ImageState, verdict: Verdict): Draft[]
}

/** A policy that cannot be, with the reason and what to do about it. */
export class PolicyError extends Error {
  override readonly name = 'PolicyError'
  /** The override that it is about, where it is about one. */
  readonly option: string | undefined

  constructor(
    message: string,
    readonly remedy: string,
    { option, ...options }: ErrorOptions & { readonly option?: string } = {},
  ) {
    super(message, options)
    this.option = option
  }
}

/** @throws PolicyError where the policy needs of the model what it has not. */
export function checkPolicy(policy: DecodingPolicy, model: Model): void {
  if (policy.noisy && model.denoising === null) {
    throw new PolicyError(
      `${policy.name} feeds noisy entries, and this checkpoint was not trained to read them.`,
      'Use mc-sjd, start from codes (init random, left, likeliest, above, vertical or repeat), or fine-tune the checkpoint for ' +
        'next-clean-token prediction.',
    )
  }
}
