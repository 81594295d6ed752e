import { describe, expect, test } from 'vitest'
import { examples } from '../../src/cli/examples.js'
import { createProgram } from '../../src/cli/program.js'
import { builtInParameters } from '../../src/policies/by-name.js'
import { sjd2 } from './sjd2.js'

describe('help', () => {
  test('names every command', async () => {
    const { stdout, exitCode } = await sjd2(['--help'])
    expect(exitCode).toBe(0)
    for (const command of [
      'generate',
      'compare',
      'experiment',
      'replay',
      'inspect',
      'report',
      'policies',
      'finetune',
      'shards',
      'plan',
      'check-model',
      'doctor',
    ])
      expect(stdout).toContain(`  ${command} `)
  })

  test.each(Object.values(examples).flat())('shows a line that is understood: %s', (line) => {
    const words = [...line.matchAll(/"([^"]+)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain)
    let command = createProgram()
    for (let next: typeof command | undefined = command; next; ) {
      command = next
      next = command.commands.find((one) => one.name() === words[0])
      if (next) words.shift()
    }
    expect(command.commands).toEqual([])
    const { operands, unknown } = command.parseOptions(words)
    expect(unknown).toEqual([])
    expect(operands.length).toBeGreaterThanOrEqual(
      command.registeredArguments.filter((a) => a.required).length,
    )
  })

  test.each([
    [['--help']],
    [['generate', '--help']],
    [['finetune', '--help']],
    [['experiment', 'run', '--help']],
  ])('%j is as wide as the terminal, and no wider than lines are easily read', async (args) => {
    const width = async (columns: string) => {
      const { stdout } = await sjd2(args, { env: { COLUMNS: columns } })
      return Math.max(...stdout.split('\n').map((line) => line.length))
    }
    expect(await width('80')).toBeLessThanOrEqual(80)
    expect(await width('300')).toBeLessThanOrEqual(100)
  })

  test.each(['experiment', 'worker'])('is named where it is not said which of %s is meant', async (name) => {
    const { stderr, exitCode } = await sjd2([name])
    expect(exitCode).toBe(2)
    expect(stderr).toBe(`sjd2 ${name} is several commands: name one.\n  What to do: See sjd2 ${name} --help.`)
  })

  test('of a command ends with its examples', async () => {
    const { stdout } = await sjd2(['experiment', 'run', '--help'])
    expect(stdout).toMatch(/Examples:\n {2}sjd2 experiment run examples\/study\.yaml\n {6}into runs\/study/)
  })

  test('loads neither the worker’s client nor the compiler', async () => {
    const listing = `import { createRequire } from 'node:module'
      const loaded = createRequire('file:///').cache
      process.on('exit', () => console.error(Object.keys(loaded).join('\\n')))`
    const { stderr, exitCode } = await sjd2(['generate', '--help'], {
      env: { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(listing)}` },
    })
    expect(exitCode).toBe(0)
    expect(stderr).toContain('commander')
    expect(stderr).not.toMatch(/node_modules.(zeromq|typescript|ts-node|ajv|execa)/)
  })
})

describe('a wrong command line', () => {
  test.each([
    ['an unknown command', ['polices'], 'Did you mean policies'],
    ['an unknown option', ['generate', 'a red circle', '--polcy', 'sjd'], 'unknown option'],
    ['a word for a number', ['generate', '--seed', 'seven'], 'a whole number from 0'],
    [
      'a seed that no number holds',
      ['compare', '--seed', '9007199254740992'],
      'a whole number from 0 to 9007199254740991',
    ],
    ['a number out of range', ['generate', '--count', '0'], 'a whole number from 1'],
    ['a window that is neither', ['generate', '--window', 'widest'], 'a whole number from 1, or fastest'],
    ['a group of nothing', ['generate', '--group', '0'], 'a whole number, 1 or more'],
    ['a word for a ratio', ['generate', '--threshold', 'high'], 'a number, 0 or more'],
    ['nothing for a number', ['generate', '--guidance', ''], 'It must be a number'],
    ['an unknown device', ['generate', '--device', 'abacus'], 'auto, cpu, cuda'],
    ['prompts twice', ['generate', 'a red circle', '--prompts', 'file'], 'one or the other'],
    ['a picture beyond the last number', ['generate', '--index', '4294967293'], 'a number above 4294967295'],
    [
      'more pictures than memory holds',
      ['generate', 'red', '--count', '1000000000'],
      'more than the 100,000',
    ],
    ['no place to write', ['generate', 'red', '--out', ''], 'It must be a path'],
    ['no place for a report', ['report', 'runs/mine', '--out', ''], 'It must be a path'],
    ['an empty prompt', ['generate', ' '], 'A prompt is empty'],
    ['an unknown command of experiment', ['experiment', 'rum', 'study.yaml'], 'Did you mean run'],
    ['no study', ['experiment', 'run'], 'study.yaml'],
    ['two forms of a table', ['compare', '--json', '--markdown'], 'cannot be used with'],
    ['two other forms of a table', ['compare', '--markdown', '--csv'], 'cannot be used with'],
    ['no model to check', ['check-model'], 'missing required argument'],
    ['no folder to report', ['report'], 'missing required argument'],
    ['a Python that is not there', ['generate', '--python', '/no/python'], 'no Python at /no/python'],
  ])('with %s is refused with exit code 2', async (_, args, message) => {
    const { stdout, stderr, exitCode } = await sjd2(args)
    expect(stderr).toContain(message)
    expect(stderr).toMatch(/What to do: |"remedy":/)
    expect(stdout).toBe('')
    expect(exitCode).toBe(2)
  })

  test('is told as JSON on standard error where JSON was asked for', async () => {
    const { stdout, stderr, exitCode } = await sjd2(['generate', '--seed', 'seven', '--json'])
    expect(JSON.parse(stderr)).toEqual({
      error: { code: 'usage', message: expect.stringContaining('seven'), remedy: expect.any(String) },
    })
    expect(stdout).toBe('')
    expect(exitCode).toBe(2)
  })
})

describe('policies', () => {
  test('are listed, exact and relaxed', async () => {
    const { stdout, exitCode } = await sjd2(['policies'])
    expect(exitCode).toBe(0)
    expect(stdout).toMatch(/^sjd2 +exact /m)
    expect(stdout).toMatch(/^sjd2-paper +relaxed /m)
    expect(stdout).toMatch(/name:key=value.*\n {2}window, init, .*, keepNoisyKeys$/)
  })

  test('are shown one by one: what is made of what, and what can be changed', async () => {
    const { stdout, exitCode } = await sjd2(['policies', 'scd'])
    expect(exitCode).toBe(0)
    expect(stdout).toMatch(/^mc-sjd \(also scd\) exact$/m)
    expect(stdout).toMatch(/^ {2}initialize +above$/m)
    expect(stdout).toMatch(/^ {2}window +64 +a whole number, 1 or more +positions decoded in parallel/m)
    expect(stdout).toMatch(/^ {2}coupling +maximal +independent, maximal, gumbel, reuse +/m)
    const missing = await sjd2(['policies', 'sjd3'])
    expect(missing).toMatchObject({ exitCode: 1, stdout: '' })
    expect(missing.stderr).toContain('There is no policy "sjd3"')
  })

  test('of one’s own show the parameters that they declare', async () => {
    const { stdout } = await sjd2(['policies', 'examples/typical.ts', '--json'])
    expect(JSON.parse(stdout)).toEqual({
      name: 'examples/typical.ts',
      aliases: [],
      exact: null,
      summary: expect.stringContaining('typical'),
      paper: expect.stringContaining('2401.10774'),
      parameters: [
        { name: 'window', default: 64, values: 'a whole number, 1 or more', description: 'drafts in a pass' },
        { name: 'epsilon', default: 0.09, values: 'a number, 0 to 1', description: expect.any(String) },
      ],
      pieces: null,
    })
  })

  test('have a flag for each of their parameters', async () => {
    const { stdout } = await sjd2(['generate', '--help'])
    for (const name of Object.keys(builtInParameters)) {
      const flag = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
      expect(stdout).toMatch(new RegExp(`^ {2}--${flag} `, 'm'))
    }
  })

  test('are listed as one JSON object a line', async () => {
    const { stdout } = await sjd2(['policies', '--json'])
    const listed = stdout.split('\n').map((line) => JSON.parse(line))
    expect(listed).toContainEqual({
      name: 'mc-sjd',
      exact: true,
      summary: expect.any(String),
      paper: expect.stringContaining('2510.24211'),
      defaults: 'this project’s',
    })
    const published = listed.filter(({ defaults }) => defaults === 'the official code’s')
    expect(published.map(({ name }) => name)).toEqual(['sjd', 'sjd-pac', 'gsd'])
  })
})
