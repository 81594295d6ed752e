/**
 * The engine in a program of one's own. In a clone: `node --import ./bin/typescript.mjs examples/embed.ts`; in a project
 * that has installed sjd2, run it as any other TypeScript: from Node 24 on, `node embed.ts`.
 *
 * It opens a session, submits two images with policies of its own while the first is being decoded, reads the passes of
 * one, looks at the other half way, and waits for both.
 */
import { chain, exactPrefix, gumbel, openSession, Trajectory, vertical } from 'sjd2'

const session = await openSession({ images: 2 })
const { model, card } = session

const policy = chain({
  name: 'mine',
  window: 32,
  initialize: vertical,
  verify: gumbel, // Gumbel coupling: the image is sequential decoding's under the same seed
  prefix: exactPrefix,
  refine: gumbel,
  denoise: null,
})

/** An image of the prompt under this seed; it joins what is being decoded at the next pass. */
async function submit(text: string, seed: number) {
  const [prompt] = await session.tokenize([text])
  const image = new Trajectory({ model, policy, sampling: card.sampling, seed, index: 0 })
  return { image, submission: session.submit({ prompt, guidance: 3, image }) }
}

try {
  const first = await submit('a plain red circle on a wavy white background', 1)
  const second = await submit('a striped blue square on a plain green background', 2)

  for await (const { passes } of first.submission.steps) {
    console.log(`pass ${passes}: ${first.image.committed} of ${first.image.length} tokens`)
    if (passes === 5) {
      const { width, height } = await second.submission.picture()
      console.log(`the other one, half way: ${width}×${height}, ${second.image.committed} tokens are final`)
    }
  }
  const { passes } = await second.submission.done
  const [picture] = await session.decode([second.image.tokens])
  console.log(`the other one took ${passes} passes: ${picture.rgb.length} bytes of red, green, blue`)
} finally {
  await session.close()
}
