/** How this program was called, for commands that it prints: what npx runs is not on the PATH. */
export const commandName = process.env.npm_lifecycle_event === 'npx' ? 'npx sjd2' : 'sjd2'
