import { readFileSync } from 'node:fs'
import { Ajv, type ValidateFunction } from 'ajv'
import { badReply } from './error.js'
import type { Reply } from './messages.generated.js'
import type { Op } from './messages.js'

/** Here, and not by the link in protocol/: npm packs no links. */
const file = new URL('../../python_worker/sjd2_worker/schema.json', import.meta.url)
const schema = JSON.parse(readFileSync(file, 'utf8'))
const ajv = new Ajv().addSchema(schema, 'message')
const compiled = new Map<string, ValidateFunction>()

/** Why a head is not what a definition of `protocol/schema.json` says; undefined where it is. */
export function headFault(definition: string, head: unknown): string | undefined {
  let validate = compiled.get(definition)
  if (validate === undefined) {
    validate = ajv.compile({ $ref: `message#/definitions/${definition}` })
    compiled.set(definition, validate)
  }
  return validate(head) ? undefined : ajv.errorsText(validate.errors, { dataVar: definition })
}

/**
 * A head as the reply to a request of kind `op`, or as an error reply, once it is known to be one.
 * @throws WorkerError `bad-reply`
 */
export function checkedReply(op: Op, head: unknown): Reply {
  const kind = (head as Partial<Reply> | null)?.op === 'error' ? 'error' : op
  const fault = headFault(`${kind[0].toUpperCase()}${kind.slice(1)}Reply`, head)
  if (fault !== undefined) throw badReply(fault)
  return head as Reply
}
