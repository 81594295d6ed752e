import { defineConfig } from 'vitest/config'

// Tests start real workers that load torch, on machines with few cores: few at once, and long patience.
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    maxWorkers: 2,
    testTimeout: 240_000,
    hookTimeout: 240_000,
  },
})
