/** `sjd2 generate`: pictures of prompts. */
import { join } from 'node:path'
import type { Session, TokenizedPrompt } from '../engine/index.js'
import { decodeImages, type FinishedImage, type ImageRequest } from '../experiment/images.js'
import { describeEnvironment, writeManifest } from '../experiment/manifest.js'
import { checkRoom, pictureBytes, withOutput, writeWhole } from '../experiment/output.js'
import { encodePicture, pictureName, slug } from '../experiment/picture.js'
import { choosePolicy, type PolicyChoice } from '../experiment/policy.js'
import { readPrompts } from '../experiment/prompts.js'
import { resultOf, settingsOf } from '../experiment/record.js'
import { mean } from '../experiment/statistics.js'
import { mark } from '../report/table.js'
import { UsageError } from './failure.js'
import type { GenerateOptions } from './program.js'
import { formatRun, tokenize, withSession } from './session.js'
import { createProgress, formatTable, type Progress } from './terminal.js'

/** What is made where nobody says what. */
const DEFAULT_PROMPT = 'a striped red circle left of a plain blue square on a wavy green background'
const DEFAULT_COUNT = 4

export async function generate(
  args: readonly string[],
  options: GenerateOptions,
  signal: AbortSignal,
): Promise<void> {
  const progress = createProgress(process.stderr)
  const { prompts, count } = await wantedPrompts(args, options)
  const policy = await choosePolicy(options.policy, options)
  const images = prompts.length * count
  await withOutput(options.out, () =>
    withSession(options, images, { signal, progress }, async (session) => {
      await checkRoom(options.out, images * pictureBytes(session.card.picture))
      const tokenized = await tokenize(session, prompts, options, progress)
      const requests = [...plan(session, policy, prompts, tokenized, count, options)]
      await makePictures(session, requests, options, { signal, progress })
    }),
  )
}

async function makePictures(
  session: Session,
  requests: readonly ImageRequest[],
  { out, json }: GenerateOptions,
  { signal, progress }: { signal: AbortSignal; progress: Progress },
): Promise<void> {
  const environment = describeEnvironment(session.hello)
  const finished: FinishedImage[] = []
  const begin = performance.now()
  try {
    await decodeImages(session, requests, {
      signal,
      onStep: (state) => progress.show(formatRun(state)),
      async onImage(image) {
        const settings = settingsOf(image.request)
        const file = join(out, fileOf(image.request))
        await writeWhole(file, encodePicture(image.picture, { ...settings, environment }))
        finished.push(image)
        progress.clear()
        console.log(json ? JSON.stringify({ ...settings, file, ...resultOf(image) }) : file)
      },
    })
  } finally {
    progress.clear()
    const images = finished.map(({ request }) => ({ ...settingsOf(request), file: fileOf(request) }))
    if (images.length > 0) await writeManifest(out, { environment, images })
  }
  if (!json) console.log(summarize(finished, (performance.now() - begin) / 1000))
}

async function wantedPrompts(
  args: readonly string[],
  { prompts: file, count }: GenerateOptions,
): Promise<{ prompts: readonly string[]; count: number }> {
  if (file !== undefined && args.length > 0) {
    throw new UsageError('There are prompts and a file of prompts.', 'Give one or the other.')
  }
  if (args.some((prompt) => prompt.trim() === '')) {
    throw new UsageError('A prompt is empty.', `Say what the picture shows, for example "${DEFAULT_PROMPT}".`)
  }
  if (file !== undefined) return { prompts: await readPrompts(file), count: count ?? 1 }
  if (args.length > 0) return { prompts: args, count: count ?? 1 }
  return { prompts: [DEFAULT_PROMPT], count: count ?? DEFAULT_COUNT }
}

/** The images to make. Each is numbered among those whose file names begin alike, so that all names differ. */
function* plan(
  { model, card }: Session,
  choice: PolicyChoice,
  prompts: readonly string[],
  tokenized: readonly TokenizedPrompt[],
  count: number,
  options: GenerateOptions,
): Generator<ImageRequest> {
  const policy = choice.create(model)
  const { guidance, temperature, topK, topP, seed } = { ...card.sampling, ...options }
  const used = new Map<string, number>()
  for (const [i, prompt] of prompts.entries()) {
    const first = used.get(slug(prompt)) ?? 0
    used.set(slug(prompt), first + count)
    for (let index = first; index < first + count; index++) {
      const sampling = { temperature, topK, topP }
      yield {
        prompt,
        tokenized: tokenized[i],
        policy,
        parameters: choice.overrides,
        sampling,
        guidance,
        seed,
        index,
      }
    }
  }
}

const fileOf = ({ prompt, seed, index }: ImageRequest): string => pictureName(prompt, seed, index)

function summarize(images: readonly FinishedImage[], seconds: number): string {
  const { policy } = images[0].request
  return formatTable([
    ['policy', 'output', 'pictures', 'passes', 'compression', 'seconds each', 'seconds in all'],
    [
      policy.name,
      mark(policy),
      String(images.length),
      mean(images.map(({ statistics }) => statistics.passes)).toFixed(1),
      `${mean(images.map(({ compression }) => compression)).toFixed(2)}×`,
      mean(images.map(({ statistics }) => statistics.seconds)).toFixed(2),
      seconds.toFixed(2),
    ],
  ])
}
