import { closeSync, openSync, readSync, statSync } from 'node:fs'
import type { HelloReply } from './messages.generated.js'
import type { Ask, Op } from './messages.js'
import type { Tensors } from './tensor.js'

/** Regions begin at whole pages. */
const PAGE = 4096

/**
 * Memory that a worker on this machine shares: logits are put there, and read from there, in a tenth of the time that
 * they take through a socket. It has no name in any folder, so that nothing is left of it when its processes end.
 */
export class SharedMemory {
  readonly #file: number
  /** Logits of a row. */
  readonly #count: number
  /** Bytes of a region; each request in flight has one. */
  #region = 0
  readonly #taken = new Set<number>()
  /** What was read into and is with somebody; what can be read into again: pages that are new take longest. */
  readonly #lent = new WeakSet<ArrayBufferLike>()
  #free: ArrayBufferLike[] = []

  private constructor(file: number, count: number) {
    this.#file = file
    this.#count = count
  }

  /** Undefined where the worker shares none, or has it elsewhere than here, where its path may name something else. */
  static open({ memory, model }: HelloReply): SharedMemory | undefined {
    const file = memory && openMarked(memory.path, memory.mark)
    return file === undefined ? undefined : new SharedMemory(file, model.image.count)
  }

  /** Where the logits of a request shall be put; undefined where there are none, or no room while others are there. */
  reserve<O extends Op>(ask: Ask<O>, tensors: Tensors): number | undefined {
    if (ask.op !== 'forward') return undefined
    const { logits } = ask as unknown as Ask<'forward'>
    const bytes = tensors.rows.data.length * this.#count * (logits === 'f32' ? 4 : 2)
    if (this.#taken.size === 0) this.#region = Math.max(this.#region, Math.ceil(bytes / PAGE) * PAGE)
    if (bytes === 0 || bytes > this.#region) return undefined
    let at = PAGE // the mark lies on the first
    while (this.#taken.has(at)) at += this.#region
    this.#taken.add(at)
    return at
  }

  /** The bytes that a reply put there: copied, since the next reply is put there too. Lent until `takeBack`. */
  read(at: number, length: number): Uint8Array {
    this.#free = this.#free.filter(({ byteLength }) => byteLength >= length)
    const buffer = this.#free.pop() ?? new ArrayBuffer(Math.max(length, this.#region))
    this.#lent.add(buffer)
    const bytes = new Uint8Array(buffer, 0, length)
    for (let done = 0; done < length; ) {
      const more = readSync(this.#file, bytes, done, length - done, at + done)
      if (more === 0) throw new RangeError(`The shared memory ends before byte ${at + length}.`)
      done += more
    }
    return bytes
  }

  /** To be told that nobody reads any more what was read here: the next reply is read into the same memory. */
  takeBack(tensors: Tensors): void {
    for (const { data } of Object.values(tensors)) {
      if (this.#lent.delete(data.buffer)) this.#free.push(data.buffer)
    }
  }

  /** Frees the room of a request that was answered. */
  release(at: number): void {
    this.#taken.delete(at)
  }

  close(): void {
    closeSync(this.#file)
  }
}

/** The file, open, if it begins with the mark. */
function openMarked(path: string, mark: string): number | undefined {
  try {
    if (!statSync(path).isFile()) return undefined // a pipe would not even open before somebody writes into it
    const file = openSync(path, 'r')
    if (beginningOf(file, mark.length) === mark) return file
    closeSync(file)
  } catch {
    // it is not there, or not ours to read
  }
  return undefined
}

function beginningOf(file: number, length: number): string {
  const bytes = Buffer.alloc(length)
  readSync(file, bytes, 0, length, 0)
  return bytes.toString('latin1')
}
