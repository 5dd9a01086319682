// SPDX-License-Identifier: Apache-2.0
// This is where footage of several cameras gets its place on one axis of time.

/** One camera's footage. `startMs` and all times of the axis are milliseconds since 1970 (UTC). */
export interface Lane {
  id: string
  startMs: number
  /** Seconds of media time. */
  durationS: number
  /** Seconds that one picture is shown, on the whole. */
  frameS: number
  /** What a viewer moved this camera by, later is positive: for this view alone, it changes no record. */
  nudgeMs: number
}

/** Media time, in seconds, that this camera shows at an instant of the axis; outside of the footage when it has none. */
export function mediaAt(lane: Lane, axisMs: number): number {
  return (axisMs - lane.startMs - lane.nudgeMs) / 1000
}

/** The instant of the axis at which this camera shows a media time. */
export function axisAt(lane: Lane, mediaS: number): number {
  return lane.startMs + lane.nudgeMs + mediaS * 1000
}

/** Whether the camera was recording at that instant. */
export function covers(lane: Lane, axisMs: number): boolean {
  const at = mediaAt(lane, axisMs)
  return at >= 0 && at < lane.durationS
}

/** From the first picture of any camera to the last. */
export function extent(lanes: readonly Lane[]): { fromMs: number; toMs: number } {
  return {
    fromMs: Math.min(...lanes.map((lane) => axisAt(lane, 0))),
    toMs: Math.max(...lanes.map((lane) => axisAt(lane, lane.durationS))),
  }
}

/**
 * The next or previous picture of a lane: an instant in its middle, so that no rounding falls on a neighbour.
 * `shownS` is the media time at which the present picture begins.
 */
export function stepped(lane: Lane, shownS: number, pictures: number): number {
  const middle = shownS + (pictures + 0.5) * lane.frameS
  return axisAt(lane, Math.min(Math.max(middle, 0), Math.max(lane.durationS - lane.frameS / 2, 0)))
}

/**
 * What to ask of a clip for the pictures from `inS` to `outS`, both shown: cuts lie between pictures, a quarter of one
 * before the first and three quarters after the last begins, so that the rounding of players decides nothing.
 */
export function cutOf(lane: Lane, inS: number, outS: number): { from: string; to: string } {
  const from = Math.max(0, Math.min(inS, outS) - lane.frameS / 4)
  const to = Math.max(inS, outS) + (lane.frameS * 3) / 4
  return { from: from.toFixed(6), to: to.toFixed(6) }
}
