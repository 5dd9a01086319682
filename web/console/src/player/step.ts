// SPDX-License-Identifier: Apache-2.0
// This is where it is decided when a camera is out of step, and how hard it is pulled.

const PATIENCE_MS = 500
const HARDEST = 0.08

/** Whether a camera is so far from the others, in seconds, that another picture of it is on the screen. */
export function isApart(awayS: number, frameS: number): boolean {
  return Math.abs(awayS) > frameS / 2
}

/**
 * The factor of its speed for a camera that has been apart for so long: 1 while one is patient, then so that it is
 * back in about a second, slower when it is ahead.
 */
export function pull(awayS: number, frameS: number, apartMs: number): number {
  if (apartMs < PATIENCE_MS || !isApart(awayS, frameS)) return 1
  return 1 - Math.min(HARDEST, Math.max(-HARDEST, awayS))
}
