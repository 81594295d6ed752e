/** What a user's file must export by default. */
export interface Expected {
  /** `policy`: what messages call it. */
  readonly noun: string
  /** The types that the default export may have, by the names under which 'sjd2' exports them. */
  readonly types: readonly string[]
  /** The error to throw: what happened and why, and what to do. */
  readonly refuse: (message: string, remedy: string) => Error
}
