/** `sjd2 setup`: makes the Python environment in which the worker runs. */
import type { Command } from 'commander'
import { root } from '../../setup/installation.mjs'
import { SetupError } from '../../setup/run.mjs'
import { setUpPython } from '../../setup/setup.mjs'
import { Interrupted } from './failure.js'

export function addSetup(program: Command): void {
  program
    .command('setup')
    .description('Set up a Python with torch and the worker, once; with --python: say what that one lacks.')
    .option('--python <path>', 'a Python of your own to use instead')
    .action(setup)
}

/** @throws SetupError what went wrong in a step, and how to go on; Interrupted. */
async function setup({ python }: { readonly python?: string }): Promise<void> {
  try {
    const ready = await setUpPython({ root, env: process.env, python, log: (line) => console.error(line) })
    console.log(`The worker runs on ${ready}.`)
  } catch (error) {
    if (!(error instanceof SetupError) || error.exitCode === 1) throw error
    throw new Interrupted(`${error.message} ${error.remedy}`, error.exitCode)
  }
}
