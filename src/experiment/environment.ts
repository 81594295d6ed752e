/** What a run depends on besides its own settings. */
import { execFileSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { gitState, version } from '../common/project.js'
import { sha256 } from '../common/sha256.js'
import type { HelloReply } from '../engine/index.js'

export const environmentSchema = z.strictObject({
  sjd2: z.string(),
  git: z.strictObject({ commit: z.string(), changed: z.boolean() }).nullable(),
  node: z.string(),
  python: z.string(),
  /** Operating system and processor. */
  platform: z.string(),
  worker: z.string(),
  torch: z.string(),
  protocol: z.int(),
  device: z.string(),
  dtype: z.string(),
  /** SHA-256 of the adapter's file, where there is one. */
  adapter: z.string().optional(),
  model: z.strictObject({
    family: z.string(),
    name: z.string(),
    /** The worker's, over the weights and the config that it loaded. */
    hash: z.string(),
    /** SHA-256 of the checkpoint's files, by name. */
    files: z.record(z.string(), z.string()),
  }),
})

export type Environment = z.infer<typeof environmentSchema>

/**
 * @param files what `hashCheckpoint` says of the checkpoint's folder: reading it takes long, and may have begun already.
 * @param python the interpreter that the worker runs on.
 * @param adapter the adapter's file.
 */
export async function describeEnvironment(
  hello: HelloReply,
  files: Promise<Readonly<Record<string, string>>>,
  python: string,
  adapter?: string,
): Promise<Environment> {
  const { worker, torch, protocol, device, dtype, model } = hello
  return {
    sjd2: version,
    git: gitState(),
    node: process.version,
    python: execFileSync(python, ['--version'], { encoding: 'utf8' }).trim(),
    platform: `${process.platform} ${process.arch}`,
    worker,
    torch,
    protocol,
    device,
    dtype,
    ...(adapter !== undefined && { adapter: sha256(await readFile(adapter)) }),
    model: {
      family: model.family,
      name: model.name,
      hash: model.hash,
      files: await files,
    },
  }
}
