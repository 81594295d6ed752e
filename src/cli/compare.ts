/** `sjd2 compare`: policies measured on the same prompts. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Session } from '../engine/index.js'
import { type Contender, runComparison } from '../experiment/comparison.js'
import { openFolder } from '../experiment/folder.js'
import type { FinishedImage } from '../experiment/images.js'
import { describeEnvironment } from '../experiment/manifest.js'
import { checkRoom, pictureBytes, withOutput, writeWhole } from '../experiment/output.js'
import { encodePicture, pictureName, slug } from '../experiment/picture.js'
import { choosePolicy, type PolicyChoice } from '../experiment/policy.js'
import { readPrompts } from '../experiment/prompts.js'
import { randomStream } from '../experiment/random.js'
import { settingsOf } from '../experiment/record.js'
import { scenePrompts } from '../experiment/scene-prompts.js'
import { type Row, summarize } from '../experiment/summary.js'
import { csv, NOTES, table } from '../report/table.js'
import type { CompareOptions } from './program.js'
import { formatRun, tokenize, withSession } from './session.js'
import { createProgress, formatDuration, formatMarkdown, formatTable } from './terminal.js'

/** More than a line of results takes. */
const RESULT_BYTES = 1 << 12
/** Of so many prompts, a report shows how their pictures came to be. */
const RECORDED_PROMPTS = 2

export async function compare(
  specs: readonly string[],
  options: CompareOptions,
  signal: AbortSignal,
): Promise<void> {
  const {
    seed,
    imagesAtOnce,
    out = `runs/compare-${new Date().toISOString().slice(0, 19).replaceAll(':', '-')}`,
  } = options
  const progress = createProgress(process.stderr)
  const choices = await Promise.all([...new Set(specs)].map((spec) => choosePolicy(spec)))
  const prompts = options.prompts
    ? [...new Set(await readPrompts(options.prompts))]
    : scenePrompts(options.scenes, randomStream(seed, 'prompts'))
  progress.log(`results: ${out}   (stopped? the same command with --out ${out} goes on)`)
  await withOutput(out, () =>
    withSession(options, prompts.length, { signal, progress }, async (session) => {
      const tokenized = await tokenize(session, prompts, options, progress)
      const { sampling, contenders } = settle(session, choices, options)
      const bytes = RESULT_BYTES + (options.pictures ? pictureBytes(session.card.picture) : 0)
      await checkRoom(out, contenders.length * prompts.length * bytes)
      const environment = describeEnvironment(session.hello)
      await openFolder(out, { environment, sampling, seed, imagesAtOnce })

      const trajectories = options.report ? RECORDED_PROMPTS : 0
      const comparison = { folder: out, contenders, prompts, tokenized, sampling, seed, trajectories }
      const records = await runComparison(session, comparison, {
        signal,
        onStep({ choice, guidance }, state, left) {
          const time = left === null ? '' : ` · about ${formatDuration(left)} left`
          progress.show(`${choice.spec} g=${guidance}${time} · ${formatRun(state)}`)
        },
        ...(options.pictures && { onImage: (contender, image) => keepPicture(out, contender, image) }),
      })
      progress.clear()
      const rows = summarize(contenders, records, randomStream(seed, 'bootstrap'))
      console.log(show({ environment, sampling, seed, prompts: prompts.length, rows }, options))
      if (options.report) await (await import('./report.js')).reportRun(out, session, progress)
    }),
  )
}

function show<T extends { rows: readonly Row[] }>(
  results: T,
  { json, markdown, csv: commas }: CompareOptions,
): string {
  if (json) return JSON.stringify(results)
  if (commas) return csv(results.rows)
  const cells = table(results.rows)
  return `${markdown ? formatMarkdown(cells) : formatTable(cells)}\n\n${NOTES}`
}

/** What the model's card and the options together say. */
function settle(
  { card, model }: Session,
  choices: readonly PolicyChoice[],
  options: CompareOptions,
): { sampling: { temperature: number; topK: number; topP: number }; contenders: Contender[] } {
  const { guidance: scales = [card.sampling.guidance] } = options
  const { temperature, topK, topP } = { ...card.sampling, ...options }
  const contenders = scales.flatMap((guidance) =>
    choices.map((choice) => ({ choice, policy: choice.create(model), guidance })),
  )
  return { sampling: { temperature, topK, topP }, contenders }
}

async function keepPicture(
  out: string,
  { choice, guidance }: Contender,
  { request, picture }: FinishedImage,
) {
  const folder = join(out, `${slug(choice.spec)}-g${guidance}`)
  await mkdir(folder, { recursive: true })
  const file = join(folder, pictureName(request.prompt, request.seed, request.index))
  await writeWhole(file, encodePicture(picture, settingsOf(request)))
}
