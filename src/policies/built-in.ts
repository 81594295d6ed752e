import { type ChainPieces, chain, type DecodingPolicy } from '../decoding/index.js'
import { type Change, changes, namesOfPieces, type Replaceable, replaced, type Settings } from './changes.js'
import { type Overrides, type Parameters, type Values, valuesOf } from './parameter.js'
import { refuseSenseless } from './refusals.js'
import { withoutUndefined } from './values.js'

/** What is said of a policy by name, and the parameters that it takes. */
interface Described<P extends Parameters> {
  readonly name: string
  /** Other names that people look for. */
  readonly aliases?: readonly string[]
  /** One line. */
  readonly summary: string
  /** Where it comes from. */
  readonly paper: string
  /** Whose its defaults are. */
  readonly defaults: string
  readonly parameters: P
}

/** A policy by name. It needs no model to be made. */
export interface BuiltInPolicy<P extends Parameters = Parameters> extends Described<P> {
  /**
   * Its pieces under what the user changes.
   * @throws PolicyError where that makes no sense.
   */
  pieces(overrides: Overrides): object
  /** @throws PolicyError where the overrides make no sense. */
  create(overrides: Overrides): DecodingPolicy
}

interface Composition<P extends Parameters, C extends Change, Q extends object> extends Described<P> {
  /** Which of the pieces a user may replace by name. Where there are any, the pieces are `Replaceable`. */
  readonly changes: readonly C[]
  /** Its pieces, made of the parameters' values. */
  pieces(values: Values<P>): Q
  /** What makes decisions of the pieces. */
  compose(pieces: Q & { readonly name: string }): DecodingPolicy
  /** Why it lacks a parameter that others have. */
  readonly lacks?: Readonly<Record<string, string>>
}

/** A policy by name: pieces that its file shows, some of which a user may replace. */
export function builtIn<P extends Parameters, C extends Change, Q extends object>({
  changes: allowed,
  pieces: ownPieces,
  compose,
  lacks,
  ...described
}: Composition<P, C, Q>): BuiltInPolicy<P & Pick<typeof changes, C>> {
  const { name, parameters: own } = described
  const shown = ownPieces(valuesOf(name, own, {}))
  const names: Readonly<Record<string, string | number>> =
    allowed.length > 0 ? namesOfPieces(shown as Q & Replaceable) : {}
  const others = allowed.map((key) => [key, { ...changes[key], default: names[key] ?? changes[key].default }])
  const parameters: P & Pick<typeof changes, C> = { ...own, ...Object.fromEntries(others), ...own }

  function pieces(overrides: Overrides): Q {
    const asked = withoutUndefined(overrides)
    const values = valuesOf(name, parameters, asked, lacks)
    const mine = ownPieces(only(own, values))
    if (allowed.length === 0) return mine
    // a change that this policy does not take is as a policy has it that has nothing of the kind
    const settings = { ...valuesOf(name, changes, {}), ...values } as unknown as Settings
    const changed = new Set(Object.keys(asked))
    const all = replaced(mine as Q & Replaceable, changed, settings)
    refuseSenseless(name, changed, settings, all.initialize)
    return all
  }

  return {
    ...described,
    parameters,
    pieces,
    create: (overrides) => compose({ ...pieces(overrides), name }),
  }
}

function only<P extends Parameters>(parameters: P, values: object): Values<P> {
  const some = Object.keys(parameters).map((key) => [key, Reflect.get(values, key)])
  return Object.fromEntries(some) as Values<P>
}

const oneRow = 'it drafts one row after the other'

/** A policy whose pass is one chain of drafts; a user may replace each of its pieces. */
export const chainPolicy = <P extends Parameters, Q extends Omit<ChainPieces, 'name'>>(
  definition: Described<P> & { pieces(values: Values<P>): Q },
): BuiltInPolicy<P & typeof changes> =>
  builtIn({
    ...definition,
    changes: Object.keys(changes) as Change[],
    compose: chain,
    lacks: { rows: oneRow, lag: oneRow },
  })
