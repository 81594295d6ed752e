import { describe, expect, test } from 'vitest'
import { checkTokens } from '../../../src/experiment/replay/checks.js'
import { toy } from '../../support/toy-model.js'

describe('recorded tokens', () => {
  // a row of two codes, then a forced token
  const { model } = toy({ layout: [-1, -1, 0], rowLength: 3 })
  const { first, count } = model.image
  const check = (...tokens: number[]) => checkTokens(model, [{ tokens }])

  test('that the model could have drawn can be compared', () => {
    expect(() => check(first, first + count - 1, 0)).not.toThrow()
  })

  test.each([
    ['fewer', [first, first]],
    ['codes beyond its own', [first, first + count, 0]],
    ['codes before its own', [first, first - 1, 0]],
    ['others where its layout forces one', [first, first, first]],
  ])('are refused where they are %s', (_, tokens) => {
    expect(() => check(...tokens)).toThrow('nothing can be compared')
  })
})
