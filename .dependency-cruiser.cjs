// Which folder of src ("room") may import from which. `npm run check` holds all imports to it, those of types included.

/** Each room, and the rooms that it may import from besides `common`. */
const rooms = {
  numerics: [],
  decoding: ['numerics'],
  policies: ['numerics', 'decoding'],
  bridge: [],
  engine: ['numerics', 'decoding', 'bridge'],
  'user-modules': ['numerics', 'decoding', 'policies'],
  judge: [],
  experiment: ['numerics', 'decoding', 'policies', 'engine', 'user-modules', 'judge'],
  report: ['numerics', 'decoding', 'policies', 'engine', 'experiment'],
  cli: ['numerics', 'decoding', 'policies', 'bridge', 'engine', 'user-modules', 'experiment', 'report'],
}

/** Rooms that are closed to another, as a pattern of paths. */
const closedTo = (/** @type {string} */ room, /** @type {string[]} */ open) =>
  Object.keys(rooms)
    .filter((other) => other !== room && !open.includes(other))
    .join('|')

const direction = Object.entries(rooms).map(([room, open]) => ({
  name: `${room}-imports-only-from-${['common', ...open].join('-')}`,
  severity: 'error',
  comment: `The room ${room} may import from ${['common', ...open].join(', ')}.`,
  from: { path: `^src/${room}/` },
  to: { path: `^src/(${closedTo(room, open)})/` },
}))

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    ...direction,
    {
      name: 'common-imports-from-no-room',
      severity: 'error',
      from: { path: '^src/common/' },
      to: { path: '^src/', pathNot: '^src/common/' },
    },
    {
      name: 'no-circle',
      severity: 'error',
      comment: 'No file imports from itself by way of others, types included.',
      from: { path: '^src/' },
      to: { circular: true },
    },
    {
      name: 'by-the-index',
      severity: 'error',
      comment: "What a room offers to others is in its index.ts. Of common's files, each stands for itself.",
      from: { path: '^src/([^/]+)/' },
      to: { path: '^src/[^/]+/.', pathNot: ['^src/$1/', '^src/common/', '^src/[^/]+/index\\.ts$'] },
    },
    {
      name: 'library-by-the-index',
      severity: 'error',
      comment: 'So do the files above the rooms.',
      from: { path: '^src/[^/]+$' },
      to: { path: '^src/[^/]+/.', pathNot: ['^src/common/', '^src/[^/]+/index\\.ts$'] },
    },
    {
      name: 'rooms-without-the-library',
      severity: 'error',
      comment: "The library's entries stand above the rooms; only users' files are given the library.",
      from: { path: '^src/[^/]+/', pathNot: '^src/user-modules/' },
      to: { path: '^src/[^/]+\\.ts$' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '\\.wasm$' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
  },
}
