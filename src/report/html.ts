/** The report as one HTML file. */
import type { Environment } from '../experiment/index.js'
import type { Bundle } from './bundle.js'
import type { PageData } from './page.js'
import type { Run } from './run.js'
import { groupBy, type SettingRows } from './settings.js'
import { NOTES, table } from './table.js'

export interface ReportParts {
  readonly run: Run
  readonly settings: readonly SettingRows[]
  readonly page: PageData
  readonly bundle: Bundle
  readonly style: string
}

const INTRODUCTION =
  'Policies that decode pictures of the same prompts with the same model, compared. Sequential decoding asks the model ' +
  'for one token a pass; these guess many, and keep in each pass the guesses that the model confirms. Fewer passes for ' +
  'a picture is better, as long as the pictures stay as good.'

/** Scripts, data and pictures are in it, and it may fetch nothing: its own policy forbids the browser to. */
export function reportHtml({ run, settings, page, bundle, style }: ReportParts): string {
  const prompts = new Set(run.results.map(({ prompt }) => prompt)).size
  const policies = new Set(run.results.map(({ spec }) => spec)).size
  const title = `${plural(policies, 'policy', 'policies')} on ${plural(prompts, 'prompt', 'prompts')}`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>sjd2: ${escaped(title)}</title>
<style>${style}</style>
</head>
<body>
<header>
<h1>${escaped(title)}</h1>
<p>${INTRODUCTION}</p>
${madeBy(run)
  .map((line) => `<p class="made">${escaped(line)}</p>`)
  .join('\n')}
</header>
<main>
<section aria-labelledby="table-title">
<h2 id="table-title">Results</h2>
<div class="scroll">${settings.map(settingTable).join('\n')}</div>
<ul class="notes">${NOTES.map(note).join('')}</ul>
</section>
<div id="report"></div>
<noscript>The plots and the viewer of trajectories need JavaScript.</noscript>
</main>
<footer><details><summary>Licences of the software in this page</summary>${licences(bundle)}</details></footer>
<script type="application/json" id="data">${JSON.stringify(page).replaceAll('<', '\\u003c')}</script>
<script>${bundle.script}</script>
</body>
</html>
`
}

/** A line for each environment that pictures were made in. */
function madeBy({ manifest, results }: Run): string[] {
  const environments = new Map(manifest.runs.map(({ id, environment }) => [id, madeIn(environment)]))
  return [...groupBy(results, ({ run }) => environments.get(run)!)].map(([environment, own]) => {
    const seeds = [...new Set(own.map(({ seed }) => seed))]
    return `${own.length} pictures, ${seeds.length === 1 ? 'seed' : 'seeds'} ${seeds.join(', ')} · ${environment}`
  })
}

function madeIn({ sjd2, git, torch, device, dtype, model }: Environment): string {
  const commit = git ? `, commit ${git.commit.slice(0, 10)}${git.changed ? ' with changes' : ''}` : ''
  return [
    `by the checkpoint ${model.name} (${model.hash.slice(0, 10)})`,
    `on ${device} in ${dtype}`,
    `sjd2 ${sjd2}${commit}`,
    `torch ${torch}`,
  ].join(' · ')
}

/** The table's column that is the same for all rows of a setting. */
const GUIDANCE = 2

function settingTable({ setting, table: rows }: SettingRows): string {
  // the caption says the guidance
  const [head, ...body] = table(rows).map((cells) => cells.filter((_, column) => column !== GUIDANCE))
  const cell = (text: string, column: number) => {
    if (head[column] === 'output') return `<td><span class="mark ${text}">${text}</span></td>`
    const [mean, interval] = text.split(/ (?=\[)/)
    const bounds = interval ? ` <span class="interval">${escaped(interval)}</span>` : ''
    return column === 0 ? `<th scope="row">${escaped(text)}</th>` : `<td>${escaped(mean)}${bounds}</td>`
  }
  return `<table>
<caption>${escaped(setting.label)}</caption>
<thead><tr>${head.map((name) => `<th scope="col">${escaped(name)}</th>`).join('')}</tr></thead>
<tbody>${body.map((cells) => `<tr>${cells.map(cell).join('')}</tr>`).join('\n')}</tbody>
</table>`
}

const licences = ({ licences }: Bundle): string =>
  [...licences].map(([name, text]) => `<h4>${escaped(name)}</h4><pre>${escaped(text)}</pre>`).join('\n')

const note = (line: string): string => `<li>${escaped(line)}</li>`

const plural = (count: number, one: string, many: string): string => `${count} ${count === 1 ? one : many}`

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
