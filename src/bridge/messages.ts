import type { Reply, Request } from './messages.generated.js'

/** The version of `protocol/schema.json` that this side speaks. */
export const PROTOCOL = 6

export type Op = Request['op']

type Head<M> = Omit<M, 'id' | 'tensors'>

/** What a caller says of a request: the client numbers it and describes its tensors. */
export type Ask<O extends Op> = { op: O } & Head<Extract<Request, { op: O }>>

/** The head of the reply to a request that succeeded. */
export type ReplyTo<O extends Op> = Extract<Reply, { op: O }>
