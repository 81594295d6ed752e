/**
 * How often drafts are what is committed in the end, by how far they stand before the front: `node --import
 * ./bin/typescript.mjs bench/drafts.ts RUN`, for a folder that `sjd2 compare … --trajectories 8 --out RUN` has left.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** What it reads of a recorded trajectory; a grid's rows are `columns` wide. */
interface Trajectory {
  readonly spec: string
  readonly grid: { readonly columns: number }
  readonly tokens: readonly number[]
  readonly passes: readonly {
    readonly windowStart: number
    readonly drafts: readonly number[]
    readonly levels: readonly number[]
  }[]
}

const [run] = process.argv.slice(2)
if (run === undefined) throw new Error('Name the folder of a run that has trajectories/.')
const folder = join(run, 'trajectories')
const trajectories = readdirSync(folder).map(
  (file): Trajectory => JSON.parse(readFileSync(join(folder, file), 'utf8')),
)

/** Share of right drafts among clean ones, for each spec and row of distance: the first row's above is final. */
for (const spec of new Set(trajectories.map((one) => one.spec))) {
  const counts: { right: number; all: number }[] = []
  for (const { grid, tokens, passes } of trajectories.filter((one) => one.spec === spec)) {
    for (const { windowStart, drafts, levels } of passes) {
      drafts.forEach((id, distance) => {
        if (levels[distance] > 0 || id < 0) return
        const row = Math.floor(distance / grid.columns)
        counts[row] ??= { right: 0, all: 0 }
        counts[row].all += 1
        if (id === tokens[windowStart + distance]) counts[row].right += 1
      })
    }
  }
  const shares = counts.map(({ right, all }) => `${((100 * right) / all).toFixed(0)} %`)
  console.log(`${spec}: right drafts, by rows before the front: ${shares.join(', ')}`)
}
