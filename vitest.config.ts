import { defineConfig } from 'vitest/config'

// Tests start real workers that load torch, on machines with few cores: few at once, and long patience.
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    maxWorkers: 2,
    env: { npm_lifecycle_event: '' }, // by `npx vitest`, commands are still run as a terminal does
    testTimeout: 240_000,
    hookTimeout: 240_000,
  },
})
