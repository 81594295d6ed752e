/** `sjd2 inspect`: how a picture was made. */
import {
  commandOf,
  formatSpec,
  type Parameters,
  quoted,
  readParameters,
  splitSpec,
} from '../experiment/index.js'
import { mark } from '../report/index.js'
import { commandName } from './command-name.js'
import type { JsonOption } from './options.js'

export function inspect(file: string, { json }: JsonOption): void {
  const parameters = readParameters(file)
  const command = `${commandName} ${quoted(commandOf(parameters))}`
  console.log(json ? JSON.stringify({ ...parameters, command }) : `${describe(parameters)}\n\n${command}`)
}

function describe(of: Parameters): string {
  const { environment: here } = of
  const { model, git } = here
  const facts = {
    prompt: of.prompt,
    policy: `${formatSpec(splitSpec(of.spec).name, of.parameters)} (${mark(of)})`,
    ...(of.policyHash && { 'policy file': `${of.policyFile}, SHA-256 ${of.policyHash}` }),
    image: `number ${of.index} of seed ${of.seed}`,
    sampling: `guidance ${of.guidance}, temperature ${of.temperature}, top-k ${of.topK}, top-p ${of.topP}`,
    model: `${model.name} (${model.family}), ${model.hash}`,
    computed: `on ${here.device} in ${here.dtype}, torch ${here.torch}, ${here.python}, node ${here.node}, ${here.platform}`,
    sjd2: `${here.sjd2}${git ? `, commit ${git.commit}${git.changed ? ' with changes' : ''}` : ''}`,
  }
  const width = Math.max(...Object.keys(facts).map(({ length }) => length))
  return Object.entries(facts)
    .map(([name, value]) => `${name.padEnd(width)}  ${value}`)
    .join('\n')
}
