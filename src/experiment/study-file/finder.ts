import type { Path, Problem } from '../problems.js'
import type { SourceMap } from './source-map.js'

/** Gathers what is wrong, so that all of it is told at once. */
export class Finder {
  readonly #yaml: SourceMap
  readonly #problems: Problem[] = []

  constructor(yaml: SourceMap) {
    this.#yaml = yaml
  }

  problem(path: Path, message: string): void {
    this.#problems.push({ path, message })
  }

  /**
   * What `look` finds; where that refuses, its reason becomes a problem of this part, or of the one key that it is about.
   * @param key which it is about where it says none.
   */
  async find<T>(path: Path, look: () => Promise<T>, otherwise: T, key?: string): Promise<T> {
    try {
      return await look()
    } catch (error) {
      if (!(error instanceof Error && 'remedy' in error)) throw error
      const about = 'option' in error && typeof error.option === 'string' ? error.option : key
      const within = about === undefined ? path : [...path, about]
      this.problem(this.#yaml.has(within) ? within : path, `${error.message} ${String(error.remedy)}`)
      return otherwise
    }
  }

  refuseTwice(key: string, values: readonly (string | number)[]): void {
    for (const [i, value] of values.entries()) {
      if (values.indexOf(value) < i) this.problem([key, i], `${value} is there twice.`)
    }
  }

  finish(): void {
    if (this.#problems.length > 0) throw this.#yaml.refuse(this.#problems)
  }
}
