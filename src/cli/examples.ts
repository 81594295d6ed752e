/** What stands at the end of a command's help: command lines that work as they stand, and what they are good for. */
import { join, relative } from 'node:path'
import type { Command } from 'commander'
import { root } from '../../setup/installation.mjs'
import { commandName } from './command-name.js'

/** The example that comes with sjd2, as seen from where the user is. */
const study = relative(process.cwd(), join(root, 'examples', 'study.yaml'))

export type Example = readonly [line: string, meaning: string]

/** By the command's name; '': sjd2's own help. */
export const examples: Readonly<Record<string, readonly Example[]>> = {
  '': [
    ['generate "a striped red circle on a wavy green background"', 'a picture'],
    [
      'compare sjd mc-sjd sjd2 ./mine.ts --scenes 32 --report',
      'a policy of yours against the published ones',
    ],
    [`experiment run ${study}`, 'sweeps, seeds and metrics; goes on where it was stopped'],
    ['replay runs/study', 'the same numbers again, token by token'],
  ],
  generate: [
    ['generate "a plain red ring on a wavy white background" --seed 7 --count 4', 'four pictures of it'],
    ['generate --prompts prompts.txt --policy mc-sjd:window=96 --out pictures', 'a line, a picture'],
    ['generate "a plain red ring on a wavy white background" --policy ./mine.ts', 'by a policy of your own'],
  ],
  compare: [
    ['compare', 'the defaults, on 32 prompts in the scenes’ grammar'],
    [
      'compare sjd:window=32 sjd:window=96 sjd2 --guidance 1 3 --report',
      'windows, guidance scales, and plots',
    ],
    ['compare mc-sjd ./mine.ts --scenes 8 --out runs/mine', 'stopped? the same line goes on'],
    ['compare sjd2 --prompts prompts.txt --csv', 'on prompts of your own, for a spreadsheet'],
  ],
  run: [
    [`experiment run ${study}`, 'into runs/study; killed at any moment, the same line goes on'],
    [`experiment run ${study} --out runs/again --report`, 'with a page of plots beside the results'],
  ],
  replay: [
    ['replay runs/study', 'a whole study'],
    ['replay pictures/manifest.json --device cpu', 'all pictures in the folder, on another device'],
  ],
  inspect: [
    ['inspect pictures/a-red-circle-s0-0-….png', 'the parameters, and the command for the same picture'],
  ],
  policies: [
    ['policies', 'all of them'],
    ['policies sjd2', 'what can be changed of it, and what it is made of'],
    ['policies ./mine.ts', 'the parameters of a policy of your own'],
  ],
  plan: [
    ['plan --model Emu3-community/Emu3-Gen-hf --dtype bf16 --quantize nf4 --memory 24', 'on a GPU of 24 GiB'],
  ],
  'check-model': [
    ['check-model ./Lumina-mGPT-7B-768', 'what is missing in a folder, and the command that makes it'],
    ['check-model Emu3-community/Emu3-Gen-hf --dtype bf16 --memory 40', 'before 17 GB are downloaded'],
    ['check-model ./Janus-Pro-1B --json', 'for a script: exit code 0 only where it will load'],
  ],
  report: [['report runs/study', 'writes runs/study/report.html, which needs no network']],
}

/** Adds the examples to the help of a program and of the commands that have some. */
export function addExamples(program: Command): void {
  for (const command of [program, ...program.commands.flatMap((one) => [one, ...one.commands])]) {
    const own = examples[command === program ? '' : command.name()]
    if (own === undefined) continue
    const lines = own.map(([line, meaning]) => `  ${commandName} ${line}\n      ${meaning}`)
    command.addHelpText('after', `\nExamples:\n${lines.join('\n')}`)
  }
}
