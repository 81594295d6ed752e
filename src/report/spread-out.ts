/**
 * Moves values apart, as little as it takes, until neighbours are `gap` apart: for labels that must not overlap.
 * @returns in the order of `values`; those that were in order stay so.
 */
export function spreadOut(values: readonly number[], gap: number): number[] {
  const order = values.map((_, i) => i).sort((a, b) => values[a] - values[b])
  // runs of labels that touch, each centred on the mean of what its labels belong to
  const runs: { members: number[]; centre: number }[] = []
  for (const i of order) {
    let run = { members: [i], centre: values[i] }
    for (let before = runs.at(-1); before && touch(before, run, gap); before = runs.at(-1)) {
      runs.pop()
      const members = [...before.members, ...run.members]
      run = { members, centre: members.reduce((sum, m) => sum + values[m], 0) / members.length }
    }
    runs.push(run)
  }
  const placed = new Array<number>(values.length)
  for (const { members, centre } of runs) {
    members.forEach((m, k) => {
      placed[m] = centre + (k - (members.length - 1) / 2) * gap
    })
  }
  return placed
}

type Run = { readonly members: readonly number[]; readonly centre: number }

const touch = (a: Run, b: Run, gap: number): boolean =>
  b.centre - a.centre < ((a.members.length + b.members.length) / 2) * gap
