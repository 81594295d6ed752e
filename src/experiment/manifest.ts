/** What made the pictures in a folder: manifest.json. */
import { join } from 'node:path'
import type { HelloReply } from '../engine/index.js'
import { writeWhole } from './output.js'
import { gitState, version } from './project.js'
import type { ImageSettings } from './record.js'

/** Everything besides the images' own settings that decides a run's output. */
export interface Environment {
  readonly sjd2: string
  readonly git: { readonly commit: string; readonly changed: boolean } | null
  readonly node: string
  readonly worker: string
  readonly torch: string
  readonly protocol: number
  readonly device: string
  readonly dtype: string
  readonly model: { readonly family: string; readonly name: string; readonly hash: string }
}

export function describeEnvironment(hello: HelloReply): Environment {
  const { worker, torch, protocol, device, dtype, model } = hello
  return {
    sjd2: version,
    git: gitState(),
    node: process.version,
    worker,
    torch,
    protocol,
    device,
    dtype,
    model: { family: model.family, name: model.name, hash: model.hash },
  }
}

/** What made the pictures that are in a folder. */
export interface Manifest {
  readonly environment: Environment
  readonly images: readonly (ImageSettings & { readonly file: string })[]
}

/** Writes `manifest.json`, whole or not at all. */
export const writeManifest = (folder: string, manifest: Manifest): Promise<void> =>
  writeWhole(join(folder, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`)
