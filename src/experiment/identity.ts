/** What tells pictures apart: hashes of all that decides them. */
import { sha256 } from '../common/sha256.js'
import { decidingOf } from './loading.js'
import type { ManifestRow, ManifestRun } from './manifest.js'

/** The parts of a run that decide its images, besides policies, prompts and seeds, by the names that a user knows. */
export const deciding = ({
  environment,
  checkpoint,
  sampling,
}: Pick<ManifestRun, 'environment' | 'checkpoint' | 'sampling'>): Record<string, unknown> => ({
  checkpoint: environment.model.hash,
  adapter: environment.adapter,
  ...decidingOf(checkpoint),
  device: environment.device,
  dtype: environment.dtype,
  torch: environment.torch,
  sjd2: environment.sjd2,
  sampling: { temperature: sampling.temperature, topK: sampling.topK, topP: sampling.topP },
})

/**
 * SHA-256 over all that decides the images of a row but their prompts, seeds and indices. The row's `spec` says every
 * override that was asked for; a window that was measured, not asked for, decides no image.
 */
export function settingsHash(
  run: Parameters<typeof deciding>[0],
  { spec, guidance, source }: Pick<ManifestRow, 'spec' | 'guidance' | 'source'>,
): string {
  const code = source.kind === 'file' ? source.hash : source
  return sha256(JSON.stringify([deciding(run), spec, guidance, code]))
}

/** Of so many hexadecimal digits: among 100,000 pictures of one name, two agree with probability 2e-5. */
const DIGITS = 12

/** The part of a file's name that no two prompts and no two settings share. */
export const shortHash = (settings: string, prompt: string): string =>
  sha256(`${settings}\n${prompt}`).slice(0, DIGITS)
