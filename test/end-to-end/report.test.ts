import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Browser, chromium, type Locator, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RecordedTrajectory } from '../../src/experiment/trajectory-record.js'
import { sjd2 } from '../cli/sjd2.js'
import { tinyCheckpoint } from '../engine/tiny.js'
import { findChromium } from '../support/chromium.js'

const checkpoint = tinyCheckpoint()
const folder = mkdtempSync(join(tmpdir(), 'report-'))
const out = join(folder, 'out')
const file = join(out, 'report.html')
const policies = ['autoregressive', 'mc-sjd:window=3', 'mc-sjd:window=9', 'sjd2-paper:window=8']

beforeAll(async () => {
  const prompts = join(folder, 'prompts.txt')
  writeFileSync(prompts, 'red circle\nblue square\ngreen circle\n')
  const run = ['--model', checkpoint.folder, '--prompts', prompts, '--out', out]
  const { exitCode, stdout, stderr } = await sjd2([
    'compare',
    ...policies,
    ...run,
    '--guidance',
    '3',
    '1',
    '--report',
    '--csv',
  ])
  expect(exitCode, stderr).toBe(0)
  expect(stderr).toContain(`report: ${file}`)
  expect(stdout.split('\n')[0]).toMatch(/^spec,policy,output,.*compression_low/)
  expect(stdout).toMatch(/^sjd2-paper:window=8,sjd2-paper,relaxed,/m)
})

afterAll(() => {
  checkpoint.remove()
  rmSync(folder, { recursive: true })
})

const trajectories = (): RecordedTrajectory[] =>
  readdirSync(join(out, 'trajectories')).map((name) =>
    JSON.parse(readFileSync(join(out, 'trajectories', name), 'utf8')),
  )

/** At guidance 3, which is the first in the viewer too. */
const trajectoryOf = (spec: string, prompt: string): RecordedTrajectory =>
  trajectories().find((other) => other.spec === spec && other.prompt === prompt && other.guidance === 3)!

test('the first prompts’ trajectories are recorded, pass by pass, as the results have them', () => {
  const results = readFileSync(join(out, 'results.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(trajectories()).toHaveLength(policies.length * 2 * 2)
  for (const { spec, guidance, prompt, passes, tokens } of trajectories()) {
    const result = results.find(
      (other) => other.spec === spec && other.guidance === guidance && other.prompt === prompt,
    )
    // the tiny checkpoint's layout is free throughout, so that positions are codes
    expect(passes.map(({ committed, committedBefore }) => committed - committedBefore)).toEqual(
      result.accepted,
    )
    expect(passes).toHaveLength(result.passes)
    expect(tokens).toHaveLength(24)
  }
})

test('`sjd2 report` makes the same report of the folder', async () => {
  const again = join(folder, 'again.html')
  const made = await sjd2(['report', out, '--model', checkpoint.folder, '--out', again])
  expect(made.exitCode, made.stderr).toBe(0)
  expect(made.stdout).toBe(again)
  expect(readFileSync(again, 'utf8')).toBe(readFileSync(file, 'utf8'))
})

const executablePath = findChromium()

if (executablePath === null) {
  console.warn(
    'No Chromium or Chrome was found: what the report does in a browser is not tested. (apt install chromium)',
  )
}

// where CI runs, a missing browser must not pass for a working report
describe.skipIf(executablePath === null && !process.env.CI)('in a browser', () => {
  let browser: Browser
  let page: Page
  const complaints: string[] = []
  const requests: string[] = []

  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: executablePath ?? 'chromium', args: ['--no-sandbox'] })
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, offline: true })
    page = await context.newPage()
    page.on('console', (message) => complaints.push(message.text()))
    page.on('pageerror', (error) => complaints.push(error.message))
    page.on('request', (request) => requests.push(request.url()))
    await page.goto(pathToFileURL(file).href)
    await page.waitForSelector('#drawn', { state: 'attached' })
  })
  afterAll(() => browser?.close())

  const slider = () => page.getByRole('slider', { name: 'pass' })
  const side = (i: number) => page.locator('.side').nth(i)
  const fact = (i: number, name: string) => side(i).locator(`[data-fact="${name}"]`).textContent()
  const statesOf = (view: Locator) =>
    view
      .locator('.grid rect')
      .evaluateAll((squares) =>
        squares.map((square) => `${square.getAttribute('data-state')} ${square.getAttribute('data-level')}`),
      )

  /** What a recorded pass says of each position, by its own words. */
  function expectedStates({ passes }: RecordedTrajectory, pass: number): string[] {
    const { committedBefore, committed, accepted, windowStart, drafts, levels } = passes[pass]
    return Array.from({ length: 24 }, (_, position) => {
      const at = position - windowStart
      const level = at >= 0 && at < levels.length ? levels[at] : 0
      if (position < committedBefore) return 'committed 0'
      if (position < committedBefore + accepted) return `accepted ${level}`
      if (position < committed) return `drawn ${level}`
      if (at >= drafts.length) return 'outside 0'
      return level > 0 ? `noise ${level}` : 'draft 0'
    })
  }

  async function choose(image: string, ...specs: string[]) {
    const images = page.locator('.image select')
    const labels = await images.locator('option').allTextContents()
    await images.selectOption({ label: labels.find((label) => label.startsWith(image))! })
    for (const [i, spec] of specs.entries()) {
      const options = await side(i).locator('option').allTextContents()
      await side(i)
        .locator('select')
        .selectOption({ label: options.find((name) => name.startsWith(`${spec},`))! })
    }
  }

  async function expectShown(pass: number, ...shown: RecordedTrajectory[]) {
    for (const [i, trajectory] of shown.entries()) {
      const at = Math.min(pass, trajectory.passes.length) - 1
      const { committed, committedBefore, accepted } = trajectory.passes[at]
      expect(await statesOf(side(i)), `${trajectory.spec}, pass ${at + 1}`).toEqual(
        expectedStates(trajectory, at),
      )
      const drawn = committed - committedBefore - accepted
      expect(await fact(i, 'this pass')).toBe(
        `+${accepted + drawn}: ${accepted} drafts accepted, ${drawn} drawn`,
      )
      expect(await fact(i, 'committed')).toMatch(new RegExp(`^${committed} of 24 `))
    }
  }

  test('every plot is drawn, or says what is missing', async () => {
    const plots = await page
      .locator('.figures > figure')
      .evaluateAll((figures) =>
        figures.map((figure) => [figure.id, figure.querySelectorAll('.plot svg').length > 0]),
      )
    expect(plots).toEqual([
      ['compression', true],
      ['quality', false], // the tiny checkpoint draws no scenes
      ['acceptance', true],
      ['heat', true],
      ['tokens', true],
      ['time', true],
    ])
    expect(await page.locator('#quality .missing').textContent()).toMatch(/^Left out: .*no judgement/)
    const marks = ['exact', 'exact', 'exact', 'relaxed']
    expect(await page.locator('tbody tr .mark').allTextContents()).toEqual([...marks, ...marks])
    expect(await page.locator('#acceptance .small h4').allTextContents()).toEqual([
      'mc-sjd:window=3 exact',
      'mc-sjd:window=9 exact',
      'sjd2-paper:window=8 relaxed',
    ])
  })

  test('each setting has a table and plots of its own', async () => {
    expect(await page.locator('caption').allTextContents()).toEqual(['guidance 3', 'guidance 1'])
    const shown = () => page.locator('#tokens .plot').innerHTML()
    const first = await shown()
    await page.getByRole('radio', { name: 'guidance 1' }).check()
    const second = await shown()
    expect(second).not.toBe(first)
    await page.getByRole('radio', { name: 'guidance 3' }).check()
    expect(await shown()).toBe(first)
  })

  test.each(['red circle', 'blue square'])(
    'two policies’ passes of "%s" stand side by side as recorded',
    async (prompt) => {
      const pair = ['mc-sjd:window=9', 'sjd2-paper:window=8'].map((spec) => trajectoryOf(spec, prompt))
      const most = Math.max(...pair.map(({ passes }) => passes.length))
      await choose(prompt, ...pair.map(({ spec }) => spec))
      expect(await slider().getAttribute('max')).toBe(`${most}`)
      expect(await page.locator('.side .mark').allTextContents()).toEqual(['exact', 'relaxed'])
      for (let pass = 1; pass <= most; pass += 1) {
        await slider().fill(`${pass}`)
        await expectShown(pass, ...pair)
      }
      // at the end the picture is the whole one, without a strip over it
      expect(await side(0).locator('.picture image[href]').count()).toBe(1)
    },
  )

  test('noise, drafts and all other states occur in what was compared', async () => {
    const shown = ['mc-sjd:window=9', 'sjd2-paper:window=8'].flatMap((spec) => {
      const trajectory = trajectoryOf(spec, 'red circle')
      return trajectory.passes.flatMap((_, pass) => expectedStates(trajectory, pass))
    })
    const states = new Set(shown.map((state) => state.split(' ')[0]))
    expect([...states].sort()).toEqual(['accepted', 'committed', 'draft', 'drawn', 'noise', 'outside'])
  })

  test('the slider moves by arrow keys, Home and End, and the space bar plays', async () => {
    const pair = ['autoregressive', 'mc-sjd:window=3'].map((spec) => trajectoryOf(spec, 'red circle'))
    await choose('red circle', ...pair.map(({ spec }) => spec))
    await slider().focus()
    await page.keyboard.press('Home')
    await expectShown(1, ...pair)
    await page.keyboard.press('ArrowRight')
    await page.keyboard.press('ArrowRight')
    await expectShown(3, ...pair)
    await page.keyboard.press('ArrowLeft')
    await expectShown(2, ...pair)
    await page.keyboard.press('End')
    await expectShown(24, ...pair)
    // from anywhere on the page, too
    await page.locator('h1').click()
    await page.keyboard.press('Home')
    expect(await page.locator('.player output').textContent()).toBe('pass 1 of 24')
    await page.keyboard.press('Space')
    expect(await page.locator('.player button').textContent()).toContain('Pause')
    await page.locator('.player output', { hasText: 'pass 24 of 24' }).waitFor()
    await page.locator('.player button', { hasText: 'Play' }).waitFor()
    await expectShown(24, ...pair)
  })

  test('it fits a narrow screen, in the dark', async () => {
    await page.emulateMedia({ colorScheme: 'dark' })
    await page.setViewportSize({ width: 390, height: 800 })
    await page.locator('#compression svg[width="480"]').waitFor()
    const { width, background } = await page.locator('body').evaluate((body) => ({
      width: body.ownerDocument.documentElement.scrollWidth,
      background: body.ownerDocument.defaultView!.getComputedStyle(body).backgroundColor,
    }))
    expect(width).toBeLessThanOrEqual(390)
    expect(background).toBe('rgb(20, 24, 29)')
  })

  test('nothing is complained of, and nothing fetched', () => {
    expect(complaints).toEqual([])
    expect(requests.filter((url) => !url.startsWith('data:'))).toEqual([pathToFileURL(file).href])
    expect(statSync(file).size).toBeLessThan(2 * 2 ** 20)
  })
})
