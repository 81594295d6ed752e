import { expect, test } from 'vitest'
import { endingError, whyEnded } from '../../src/bridge/ending.js'

const announcement = (code: string) =>
  JSON.stringify({ error: { code, message: 'The folder is empty.', remedy: 'Name another.' } })

test('a worker that announces why it cannot start is believed', () => {
  const tail = ['a warning', announcement('missing-checkpoint')]
  expect(endingError('python', { exitCode: 1 }, tail)).toMatchObject({
    code: 'missing-checkpoint',
    message: 'The folder is empty.',
    remedy: 'Name another.',
  })
})

test('an internal error is shown with what was printed before it', () => {
  const tail = ['Traceback …', announcement('internal'), 'more']
  expect(endingError('python', { exitCode: 1 }, tail).message).toBe('The folder is empty.\nTraceback …')
})

test('a worker that ends without a word is lost, with its last lines', () => {
  expect(endingError('python', { exitCode: 3 }, ['one', 'two'])).toMatchObject({
    code: 'worker-lost',
    message: 'The worker ended with exit code 3; the last that it wrote:\none\ntwo',
  })
})

test('a worker that was killed is lost; SIGKILL hints at memory', () => {
  const killed = endingError('python', { signal: 'SIGKILL' }, [])
  expect(killed).toMatchObject({ code: 'worker-lost', message: 'The worker was killed by SIGKILL.' })
  expect(killed.remedy).toContain('memory')
  expect(endingError('python', { signal: 'SIGSEGV' }, []).remedy).not.toContain('memory')
})

test('a Python that cannot be started is named', () => {
  expect(endingError('no/python', { originalMessage: 'spawn no/python ENOENT' }, [])).toMatchObject({
    code: 'no-python',
    message: 'Python could not be started as no/python: spawn no/python ENOENT.',
  })
})

test('why a warm worker has ended is its own word of that, and no warning that stood last', () => {
  const ended = JSON.stringify({ ended: 'nobody had used it for 60 seconds (--idle)' })
  expect(whyEnded(`overflow\n${ended}`)).toBe(
    'it has ended, because nobody had used it for 60 seconds (--idle).',
  )
  expect(whyEnded('overflow')).toBe(
    'it has ended without a word of why, as when it is killed; the last that it wrote before:\noverflow',
  )
  expect(whyEnded('')).toBe('it has ended without a word of why, as when it is killed.')
})
