/** What stands in a report, as the page's script reads it. */
import type { Estimate } from '../common/statistics.js'

export interface PageData {
  readonly settings: readonly Setting[]
  readonly viewer: Viewer | null
}

/** Rows that differ in nothing but their policies. */
export interface Setting {
  /** `guidance 3, top-k 100` */
  readonly label: string
  /** The picture's grid of codes, where it is known. */
  readonly grid: Grid | null
  readonly rows: readonly PlotRow[]
}

export interface Grid {
  readonly rows: number
  readonly columns: number
}

/** A policy's figures. */
export interface PlotRow {
  readonly spec: string
  readonly exact: boolean
  /** The spec without its window: rows of one family differ in nothing else. */
  readonly family: string
  /** null: neither its spec nor a recorded trajectory says. */
  readonly window: number | null
  readonly compression: Estimate
  /** The judge's; null where there was nothing to judge. */
  readonly facts: Estimate | null
  readonly right: Estimate | null
  readonly time: readonly PartTime[]
  readonly byPosition: readonly Progress[]
  readonly distribution: readonly CommitBin[]
  /** [rows * columns] mean codes of the pass that committed the cell; null where the grid is not known. */
  readonly byCell: readonly number[] | null
}

/** Seconds of a picture that went into a part of the work, mean over the pictures. */
export interface PartTime {
  readonly name: TimePart
  readonly seconds: number
}

export const timeParts = ['forward', 'bridge', 'policy', 'the rest'] as const
export type TimePart = (typeof timeParts)[number]

export interface Viewer {
  readonly grid: Grid
  /** At least one, in the results' order. */
  readonly trajectories: readonly ShownTrajectory[]
}

/** One image's passes, position by position of the grid. */
export interface ShownTrajectory {
  readonly spec: string
  readonly exact: boolean
  /** Tells the image from others: prompt and setting. */
  readonly image: string
  /** [cells] final codes. */
  readonly codes: readonly number[]
  readonly passes: readonly ShownPass[]
  readonly film: Film
}

/**
 * Pictures of passes. What a frame shows above its strip is what the whole picture shows there; below the strip, it
 * shows nothing.
 */
export interface Film {
  /** Pixels. */
  readonly width: number
  readonly height: number
  /** The finished picture, as a data: URL. */
  readonly whole: string
  /** Ascending by pass; the first pass and the last have one. */
  readonly frames: readonly Frame[]
}

export interface Frame {
  /** From 0. */
  readonly pass: number
  /** First row of pixels of the strip, and how many it has. */
  readonly top: number
  readonly rows: number
  /** A data: URL; null where the strip is empty. */
  readonly strip: string | null
}

/** Cells are counted from 0 in raster order. */
export interface ShownPass {
  /** Cells that were final before and after it. */
  readonly before: number
  readonly after: number
  /** Drafts accepted. */
  readonly accepted: number
  /** Entries fed. */
  readonly entries: number
  /** [window] codes held by the cells from `before` on, -1: none. */
  readonly drafts: readonly number[]
  /** [window] levels of noise, 0: clean. */
  readonly levels: readonly number[]
}

/** A share of the image, and the mean codes that a pass commits which begins in it; null where none does. */
export interface Progress {
  /** Bounds, on [0, 1]. */
  readonly from: number
  readonly to: number
  readonly committed: Estimate | null
}

/** A range of codes for each pass, and the share of passes that commit so many. */
export interface CommitBin {
  readonly label: string
  readonly share: Estimate
}
