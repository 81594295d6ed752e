// Lets this Node process import TypeScript: `node --import ./bin/typescript.mjs file.ts`.
import { register } from 'node:module'

process.setSourceMapsEnabled(true)
register('./typescript-hooks.mjs', import.meta.url)
