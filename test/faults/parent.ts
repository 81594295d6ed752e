/** Opens a session and decodes until it is killed: what the tests of orphans kill. */
import { argv } from 'node:process'
import { openSession } from '../../src/engine/index.js'
import { Greedy } from '../engine/greedy.js'

const [checkpoint, python] = argv.slice(2)

const session = await openSession({
  checkpoint,
  python,
  images: 1,
  onEvent: (event) => event.kind === 'worker-ready' && console.log(event.pid),
})
const { image, layout } = session.model
const [prompt] = await session.tokenize(['red circle'])
for (;;) {
  await session.run([{ prompt, guidance: 3, image: new Greedy({ ...image, length: layout.length }, 0) }])
}
