/**
 * The key that both ends of a CURVE connection hold: a Curve25519 secret in Z85 (ZeroMQ RFC 26 and 32), in a file that
 * nobody else may read.
 */
import { createPrivateKey, createPublicKey } from 'node:crypto'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { curveKeyPair } from 'zeromq'
import { WorkerError } from './error.js'

/** A key pair in Z85, 40 characters each. */
export interface CurveKeys {
  readonly secret: string
  readonly public: string
}

/** The key pair of a file's secret. @throws WorkerError `bad-endpoint` where it holds none, or others may read it. */
export function readKeys(file: string): CurveKeys {
  try {
    if ((statSync(file).mode & 0o077) !== 0) throw new Error('other users may read it (chmod 600)')
    const secret = readFileSync(file, 'latin1').trim()
    return { secret, public: publicKey(secret) }
  } catch (cause) {
    const message = `${file} holds no CURVE secret key that is safe to use: ${(cause as Error).message}.`
    throw new WorkerError('bad-endpoint', message, 'Make one: sjd2 worker key FILE', { cause })
  }
}

/** Writes a new secret to a file that must not exist yet. @throws WorkerError `bad-endpoint` */
export function makeKey(file: string): void {
  try {
    writeFileSync(file, `${curveKeyPair().secretKey}\n`, { mode: 0o600, flag: 'wx' })
  } catch (cause) {
    const message = `No key could be written: ${(cause as Error).message}.`
    throw new WorkerError('bad-endpoint', message, 'Name a file that is not there yet.', { cause })
  }
}

/** What stands before the 32 bytes of an X25519 secret in PKCS #8. */
const PKCS8 = Buffer.from('302e020100300506032b656e04220420', 'hex')

function publicKey(secret: string): string {
  const der = Buffer.concat([PKCS8, fromZ85(secret)])
  const key = createPublicKey(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }))
  return toZ85(key.export({ format: 'der', type: 'spki' }).subarray(-32))
}

const DIGITS = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#'

function fromZ85(text: string): Buffer {
  const digits = Array.from(text, (digit) => DIGITS.indexOf(digit))
  if (text.length !== 40 || digits.includes(-1)) throw new Error('a key has 40 characters of Z85')
  const bytes = Buffer.alloc(32)
  for (let i = 0; i < 8; i++) {
    const value = digits.slice(5 * i, 5 * i + 5).reduce((sum, digit) => sum * 85 + digit, 0)
    bytes.writeUInt32BE(value % 2 ** 32, 4 * i)
  }
  return bytes
}

function toZ85(bytes: Buffer): string {
  let text = ''
  for (let i = 0; i < bytes.length; i += 4) {
    const value = bytes.readUInt32BE(i)
    for (let power = 85 ** 4; power >= 1; power /= 85) text += DIGITS[Math.floor(value / power) % 85]
  }
  return text
}
