import { describe, expect, test, vi } from 'vitest'
import {
  createProgress,
  formatDuration,
  formatMarkdown,
  formatTable,
  helpWidth,
} from '../../src/cli/terminal.js'

describe('the status line', () => {
  function record(isTTY: boolean) {
    let written = ''
    let time = 0
    const write = (text: string) => {
      written += text
      return true
    }
    const stream = { isTTY, columns: 20, write }
    const progress = createProgress(stream as unknown as NodeJS.WriteStream, () => time)
    return {
      ...progress,
      at: (milliseconds: number) => {
        time = milliseconds
      },
      written: () => written,
    }
  }

  test('is rewritten in place on a terminal, cut to its width, and makes way for lines that stay', () => {
    vi.stubEnv('TERM', 'xterm')
    const { show, log, clear, at, written } = record(true)
    show('first')
    show('too soon')
    at(150)
    show('a second one that is longer than the terminal')
    log('stays')
    at(300)
    show('last')
    clear()
    const erase = '\r\x1b[2K'
    expect(written()).toBe(`first${erase}a second one that i${erase}stays\nlast${erase}`)
  })

  test.each([
    ['elsewhere', false, 'xterm'],
    ['on a terminal that knows no escape sequences', true, 'dumb'],
  ])('is a plain line now and then %s', (_, isTTY, terminal) => {
    vi.stubEnv('TERM', terminal)
    const { show, clear, at, written } = record(isTTY)
    show('first')
    at(4999)
    show('too soon')
    at(5000)
    show('second')
    clear()
    expect(written()).toBe('first\nsecond\n')
    vi.unstubAllEnvs()
  })
})

test('help is as wide as the terminal, where that is known, and no wider than lines are easily read', () => {
  vi.stubEnv('COLUMNS', undefined)
  expect([60, 300, 0, undefined].map((columns) => helpWidth({ columns: columns! }))).toEqual([
    60, 100, 100, 100,
  ])
  vi.stubEnv('COLUMNS', '70')
  expect(helpWidth({ columns: 60 })).toBe(70)
  vi.unstubAllEnvs()
})

test('tables have columns of equal width, numbers to the right', () => {
  const rows = [
    ['policy', 'passes', 'compression'],
    ['sjd', '9.0', '64.00× [60.00–68.00]'],
    ['autoregressive', '576.0', '–'],
  ]
  expect(formatTable(rows)).toBe(
    [
      'policy          passes           compression',
      'sjd                9.0  64.00× [60.00–68.00]',
      'autoregressive   576.0                     –',
    ].join('\n'),
  )
  expect(formatMarkdown(rows).split('\n').slice(0, 3)).toEqual([
    '| policy | passes | compression |',
    '| --- | --- | --- |',
    '| sjd | 9.0 | 64.00× [60.00–68.00] |',
  ])
})

test.each([
  [8.34, '8.3 s'],
  [250, '4 min'],
  [7800, '2 h 10 min'],
])('%d seconds are %s', (seconds, text) => {
  expect(formatDuration(seconds)).toBe(text)
})
