/** Opens a session, with a worker of its own or a warm one, and decodes until it is killed. */
import { argv } from 'node:process'
import { openSession } from '../../src/engine/index.js'
import { Greedy } from '../engine/greedy.js'

const [checkpoint, python, warm] = argv.slice(2)

const session = await openSession({
  checkpoint,
  python,
  images: 1,
  ...(warm !== undefined && { connect: { to: warm } }),
  onEvent: (event) => event.kind === 'worker-ready' && console.log(event.pid),
})
const { image, layout } = session.model
const [prompt] = await session.tokenize(['red circle'])
for (;;) {
  await session.run([{ prompt, guidance: 3, image: new Greedy({ ...image, length: layout.length }, 0) }])
}
