#!/usr/bin/env node
// The sjd2 command. A clone loads src/cli/main.ts, compiled on the way; an installed package, dist/cli/main.js.
import { existsSync } from 'node:fs'
import { isClone, root } from '../setup/installation.mjs'

const clone = isClone(root)

if (clone && !existsSync(new URL('../node_modules/commander', import.meta.url))) {
  console.error('The node modules are not installed.\n  What to do: npm start (it sets everything up)')
  process.exitCode = 1
} else {
  if (clone) await import('./typescript.mjs')
  const { main } = await import(clone ? '../src/cli/main.ts' : '../dist/cli/main.js')
  await main(process.argv.slice(2))
}
