/** A worker that runs already: what it runs takes the place of what starts one. */
import type { Command } from 'commander'
import { fixedNames, flagName, loadingOf } from '../common/model-options.js'
import type { HelloReply } from '../engine/index.js'
import { UsageError } from './failure.js'
import type { ModelOptions } from './model-options.js'

export interface Connection {
  /** A worker's name or address. */
  readonly connect?: string
  readonly key?: string
}

export function addConnection(command: Command): Command {
  return command
    .option('--connect <name|address>', 'use a worker that runs already: see `sjd2 worker`')
    .option('--key <file>', 'the secret key of a worker at tcp://HOST:PORT')
}

/**
 * The options with the model of the worker that is connected to.
 * @throws UsageError where another model was asked for; WorkerError where there is no such worker
 */
export async function withConnected<O extends Partial<ModelOptions> & Connection>(options: O): Promise<O> {
  const { connect, key, model, adapter } = options
  if (connect === undefined) {
    if (key === undefined) return options
    throw new UsageError('There is a key, and nothing to connect to.', 'Give --connect tcp://HOST:PORT too.')
  }
  if (connect.includes('://')) {
    if (model !== undefined) return options
    throw new UsageError(
      `What the worker at ${connect} has loaded is known to those who started it.`,
      'Say with --model which checkpoint it is, for the records: a folder here, or a name.',
    )
  }
  const { checkpointPath, findRecord } = await import('../bridge/index.js')
  const { checkpoint, python, ...started } = findRecord(connect)
  const loaded = loadingOf(started, fixedNames)
  const other =
    (model !== undefined && checkpointPath(model) !== checkpoint) ||
    (adapter !== undefined && checkpointPath(adapter) !== started.adapter) ||
    fixedNames.some((name) => options[name] !== undefined && options[name] !== loaded[name])
  if (other) {
    throw new UsageError(
      `The worker ${connect} has loaded ${[checkpoint, started.adapter, ...Object.values(loaded)].filter(Boolean).join(', ')}.`,
      `Leave --model, --adapter, ${fixedNames.map((name) => `--${flagName(name)}`).join(', ')} out, or start another worker: sjd2 worker start --model …`,
    )
  }
  return {
    ...options,
    model: checkpoint,
    ...(started.adapter !== undefined && { adapter: started.adapter }),
    ...loaded,
    python: options.python ?? python,
  }
}

/** @throws UsageError where the worker computes otherwise than was asked for */
export function checkConnected({ device, dtype }: HelloReply, asked: Pick<ModelOptions, 'device' | 'dtype'>) {
  const runs = { device: device === 'cpu' ? 'cpu' : 'cuda', dtype }
  for (const name of ['device', 'dtype'] as const) {
    if (asked[name] === 'auto' || asked[name] === runs[name]) continue
    throw new UsageError(
      `The worker was started with --${name} ${runs[name]}, not ${asked[name]}.`,
      `Leave --${name} out, or start another worker with it.`,
    )
  }
}
