import type { ImageRecord } from '../../src/experiment/record.js'
import { recordOf } from '../experiment/records.js'

/** A result of sjd on one prompt, but for what is given. */
export const result = (changes: Partial<ImageRecord> = {}): ImageRecord =>
  recordOf({ spec: 'sjd', policy: 'sjd', prompt: 'a red circle', ...changes })
