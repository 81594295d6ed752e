import { describe, expect, test } from 'vitest'
import type { Decodable } from '../../src/decoding/pass.js'
import { prepareUntil } from '../../src/engine/prepare.js'

/** An image of which only `prepare` is asked: so many times there is something to prepare. */
function preparing(left: number, log: string[], name: string): Decodable {
  const image = {
    prepare() {
      log.push(name)
      left -= 1
      return left > 0
    },
  }
  return image as unknown as Decodable
}

/** A promise, and what settles it. */
function later() {
  let resolve: (value: string) => void = () => {}
  let reject: (error: Error) => void = () => {}
  const promise = new Promise<string>((one, other) => {
    resolve = one
    reject = other
  })
  return { promise, resolve, reject }
}

describe('while an answer is on its way', () => {
  test('images prepare one after the other, each until nothing is left', async () => {
    const log: string[] = []
    const { promise, resolve } = later()
    const images = [preparing(2, log, 'a'), {} as Decodable, preparing(1, log, 'b')]
    const answer = prepareUntil(promise, images)
    // both have long prepared when, many turns later, it comes
    for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate)
    resolve('here')
    expect(await answer).toBe('here')
    expect(log).toEqual(['a', 'a', 'b'])
  })

  test('they stop as soon as it is there', async () => {
    const log: string[] = []
    const { promise, resolve } = later()
    const image = preparing(1000, log, 'a')
    const { prepare } = image
    image.prepare = () => {
      if (log.length === 3) resolve('here')
      return prepare?.call(image) ?? false
    }
    expect(await prepareUntil(promise, [image, preparing(1000, log, 'b')])).toBe('here')
    expect(log).toEqual(['a', 'a', 'a', 'a'])
  })

  test('nothing is prepared where it is there already, or arrives with what waits to be received', async () => {
    const log: string[] = []
    expect(await prepareUntil(Promise.resolve('here'), [preparing(9, log, 'a')])).toBe('here')
    const { promise, resolve } = later()
    setImmediate(() => resolve('received'))
    expect(await prepareUntil(promise, [preparing(9, log, 'a')])).toBe('received')
    expect(log).toEqual([])
  })

  test('an error comes through, at once', async () => {
    const log: string[] = []
    await expect(prepareUntil(Promise.reject(new Error('lost')), [preparing(9, log, 'a')])).rejects.toThrow(
      'lost',
    )
    const { promise, reject } = later()
    const image = preparing(9, log, 'a')
    const waiting = prepareUntil(promise, [image])
    setImmediate(() => reject(new Error('lost later')))
    await expect(waiting).rejects.toThrow('lost later')
    expect(log.length).toBeLessThan(9)
  })
})
