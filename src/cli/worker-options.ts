/** The options of commands that decode: a model, a worker, and how much it decodes together. */
import type { Command } from 'commander'
import { addConnection, type Connection } from './connection.js'
import { addModelOptions, type ModelOptions, type Particulars } from './model-options.js'
import { count } from './values.js'

/** Which model, where it runs, and how much it decodes together. */
export interface WorkerOptions extends ModelOptions, Connection {
  readonly imagesAtOnce: number
  readonly trace?: string
}

export function addWorkerOptions(command: Command): Command {
  addImagesAtOnce(command).option(
    '--trace <file.json>',
    'where the time went, for chrome://tracing and ui.perfetto.dev',
  )
  return addConnection(command)
}

export const addImagesAtOnce = (command: Command, how: Particulars = {}): Command =>
  addModelOptions(command, how).option('--images-at-once <n>', 'pictures decoded together', count, 8)
