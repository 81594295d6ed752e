/**
 * The options that say how a model is loaded, declared once. Flags of the command line, keys of a study, what a run's
 * manifest and a picture's file keep, and the worker's arguments follow from this table.
 */

/** Where a model may run, and how precisely. */
export const DEVICES = ['auto', 'cpu', 'cuda'] as const
export const DTYPES = ['auto', 'f32', 'bf16', 'f16'] as const

interface Declaration {
  /** A list: one of these words. `count`: a whole number from 1. `size`: pixels, `768` or `512x768`. */
  readonly type: readonly string[] | 'count' | 'size'
  /** How help names the value. */
  readonly placeholder: string
  readonly help: string
  /**
   * `pictures`: another value makes other pictures. `loading`: a loaded model cannot change it, but it draws the same
   * pictures. `room`: it can change while the model is loaded, so that no run keeps it.
   */
  readonly decides: 'pictures' | 'loading' | 'room'
}

export const loadingOptions = {
  size: {
    type: 'size',
    placeholder: '<n|HxW>',
    help: 'pictures’ height and width in pixels, if the model draws several (default: its)',
    decides: 'pictures',
  },
  quantize: {
    type: ['int8', 'nf4'],
    placeholder: '<kind>',
    help: 'weights of 8 or 4 bits (bitsandbytes): less memory, other pictures',
    decides: 'pictures',
  },
  gpus: {
    type: 'count',
    placeholder: '<n>',
    help: 'spread the layers over so many GPUs (accelerate)',
    decides: 'loading',
  },
  promptCells: {
    type: 'count',
    placeholder: '<n>',
    help:
      'tokens that a prompt may have: slots have room for them (default: 256, and more where prompts need it, as far as ' +
      'the model’s positions go)',
    decides: 'room',
  },
} as const satisfies Record<string, Declaration>

export type LoadingName = keyof typeof loadingOptions

type ValueOf<T> = T extends readonly (infer Word)[] ? Word : T extends 'count' ? number : string

/** Values of these options, whose `help` says what they are; what is not given is as the model's adapter says. */
export type LoadingOptions = {
  readonly [Name in LoadingName]?: ValueOf<(typeof loadingOptions)[Name]['type']> | undefined
}

export const loadingNames = Object.keys(loadingOptions) as readonly LoadingName[]

const decidedBy = (...what: readonly Declaration['decides'][]) =>
  loadingNames.filter((name) => what.includes(loadingOptions[name].decides))

/** What a loaded model keeps as it is. */
export const fixedNames: readonly LoadingName[] = decidedBy('pictures', 'loading')

/** What decides pictures. */
export const decidingNames: readonly LoadingName[] = decidedBy('pictures')

/** Those of an object's values that are loading options and given. */
export function loadingOf(
  values: { readonly [Name in LoadingName]?: LoadingOptions[Name] | null },
  names: readonly LoadingName[] = loadingNames,
): { [Name in LoadingName]?: NonNullable<LoadingOptions[Name]> } {
  return Object.fromEntries(
    names.flatMap((name) =>
      values[name] === undefined || values[name] === null ? [] : [[name, values[name]]],
    ),
  )
}

/** A key as the command line writes it: `promptCells` is `prompt-cells`. */
export const flagName = (key: string): string => key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
