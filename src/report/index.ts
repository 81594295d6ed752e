/** Results as tables, and as one page. */
export { type Run, readRun, writeReport } from './report.js'
export { csv, mark, NOTES, table } from './table.js'
