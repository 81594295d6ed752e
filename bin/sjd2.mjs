#!/usr/bin/env node
// The sjd2 command: loads src/cli/main.ts, compiled on the way.
import { existsSync } from 'node:fs'

if (existsSync(new URL('../node_modules/commander', import.meta.url))) {
  await import('./typescript.mjs')
  // @ts-expect-error: the hooks compile it
  const { main } = await import('../src/cli/main.ts')
  await main(process.argv.slice(2))
} else {
  console.error('The node modules are not installed.\n  What to do: npm start (it sets everything up)')
  process.exitCode = 1
}
