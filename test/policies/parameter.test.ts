import { describe, expect, test } from 'vitest'
import {
  composePolicy,
  createPolicy,
  PolicyError,
  type PolicyOverrides,
  parameter,
  policyNames,
} from '../../src/index.js'
import { builtInParameters, findPolicy } from '../../src/policies/by-name.js'
import { parseValue, valuesOf } from '../../src/policies/parameter.js'
import { toy } from '../support/toy-model.js'

const parameters = {
  width: parameter.integer(8, 'how wide', { least: 1, most: 16 }),
  epsilon: parameter.number(0.2, 'how near', { least: 0 }),
  start: parameter.oneOf(['left', 'above'], 'left', 'from where'),
  again: parameter.flag(false, 'whether again'),
}

describe('values of parameters', () => {
  test('are the defaults, but for what the user gives', () => {
    expect(valuesOf('mine', parameters, {})).toEqual({ width: 8, epsilon: 0.2, start: 'left', again: false })
    const values = valuesOf('mine', parameters, {
      width: 16,
      start: 'above',
      again: true,
      epsilon: undefined,
    })
    expect(values).toEqual({ width: 16, epsilon: 0.2, start: 'above', again: true })
    // by type: a number, one of the names, a flag
    const { width, start, again }: { width: number; start: 'left' | 'above'; again: boolean } = values
    expect([width, start, again]).toEqual([16, 'above', true])
  })

  test.each<[Record<string, number | string | boolean>, string, string]>([
    [{ widht: 3 }, 'mine has no widht.', 'Did you mean width? It takes width, epsilon, start, again.'],
    [{ toString: 3 }, 'mine has no toString.', 'It takes width'],
    [{ width: 17 }, 'width is 17.', 'Give a whole number, 1 to 16.'],
    [{ width: 2.5 }, 'width is 2.5.', 'Give a whole number, 1 to 16.'],
    [{ width: 'wide' }, 'width takes a number, not "wide".', 'Give a number.'],
    [{ epsilon: -1 }, 'epsilon is -1.', 'Give a number, 0 or more.'],
    [{ epsilon: Number.NaN }, 'epsilon is NaN.', 'Give a number, 0 or more.'],
    [{ start: 'abov' }, 'There is no start "abov".', 'Did you mean above? Choose one of left, above.'],
    [{ start: 3 }, 'start takes a string, not 3.', 'Give a string.'],
    [{ again: 1 }, 'again takes a boolean, not 1.', 'Give a boolean.'],
  ])('%o are refused by name, with what there is', (overrides, message, remedy) => {
    const of = () => valuesOf('mine', parameters, overrides)
    expect(of).toThrow(PolicyError)
    expect(of).toThrow(expect.objectContaining({ message, remedy: expect.stringContaining(remedy) }))
  })

  test('are read from text by their kind', () => {
    expect(parseValue(parameters.epsilon, '1e-3')).toBe(0.001)
    expect(parseValue(parameters.again, 'true')).toBe(true)
    expect(parseValue(parameters.start, 'anything')).toBe('anything') // which of the names there is, is checked later
    for (const text of ['', ' ', 'wide', 'NaN', 'Infinity'])
      expect(parseValue(parameters.width, text)).toBe(undefined)
    expect(parseValue(parameters.again, 'yes')).toBe(undefined)
    expect(parseValue(parameters.start, '')).toBe(undefined)
  })
})

describe('policies by name', () => {
  test.each(policyNames)(
    '%s has a default in range for each of its parameters, and pieces made of these',
    (name) => {
      const { parameters, pieces } = findPolicy(name)
      const defaults = valuesOf(name, parameters, {})
      expect(Object.keys(defaults)).toEqual(Object.keys(parameters))
      // what decides the codes: of a wave front, which verifies nothing, how they are drawn
      expect(Object.keys(pieces({}))).toContain(name === 'zipar' ? 'draw' : 'verify')
    },
  )

  test.each(policyNames)('%s calls a parameter what others call it', (name) => {
    for (const [key, { kind, values, description }] of Object.entries(findPolicy(name).parameters)) {
      expect(builtInParameters[key]).toMatchObject({ kind, values, description })
      expect(description).not.toContain('\n')
    }
  })

  test.each<[string, PolicyOverrides]>([
    ['mc-sjd', { init: 'above', coupling: 'maximal', accept: 'coupling', verify: 'exact' }],
    ['gsd', { init: 'random', coupling: 'independent', accept: 'group', group: 13, distance: 0.5 }],
    ['sjd++', { coupling: 'reuse', threshold: 1 }],
    ['sjd-pac', { siblings: 3, depth: 2 }],
    ['sjd2-tree', { init: 'gaussian', levels: 1, denoise: 'passes', coupling: 'gumbel', branches: 120 }],
    ['sjd2-paper', { verify: 'relaxed', keepNoisyKeys: false, levels: 20, coupling: 'independent' }],
  ])('%s declares as defaults what its pieces are: %o', (name, overrides) => {
    const { parameters, pieces } = findPolicy(name)
    expect(valuesOf(name, parameters, {})).toMatchObject(overrides)
    // functions are made anew, so pieces are compared by what they are called
    const named = (of: PolicyOverrides) => JSON.stringify(pieces(of))
    expect(named(overrides)).toBe(named({}))
  })

  test('scd is another name of mc-sjd', () => {
    const { model } = toy({ layout: [-1, -1, -1], rowLength: 3 })
    expect(createPolicy('scd', { window: 2 }, model).name).toBe('mc-sjd')
    expect(composePolicy('scd', {}).exact).toBe(true)
    expect(policyNames).not.toContain('scd')
  })
})
