import { readFileSync } from 'node:fs'
import { PNG } from 'pngjs'
import { judgePicture } from '../src/experiment/judge/index.js'
const dir = process.argv[2]
const lines = readFileSync(dir + '/captions.jsonl', 'utf8').trim().split('\n').map((l) => JSON.parse(l))
let f = 0, fh = 0, ok = 0
const bad: Record<string, number> = {}
const t = Date.now()
for (const { file, caption } of lines) {
  const png = PNG.sync.read(readFileSync(dir + '/' + file))
  const rgb = new Uint8Array(96 * 96 * 3)
  for (let i = 0; i < 96 * 96; i++) for (let c = 0; c < 3; c++) rgb[i * 3 + c] = png.data[i * 4 + c]
  const v = judgePicture(rgb, 96, 96, caption)
  f += v.facts.length; fh += v.facts.filter((x) => x.holds).length; ok += v.correct ? 1 : 0
  if (!v.correct) {
    console.log(file, caption, '|', v.facts.filter((x) => !x.holds).map((x) => `${x.about} ${x.property}: ${x.expected} seen ${x.seen}`).join('; '))
    for (const x of v.facts) if (!x.holds) bad[x.property + (x.about === 'background' ? ' bg' : '')] = (bad[x.property] ?? 0) + 1
  }
}
console.log(lines.length, 'facts', fh / f, 'pictures', ok / lines.length, bad, (Date.now() - t) / lines.length, 'ms')
