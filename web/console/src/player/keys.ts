// SPDX-License-Identifier: Apache-2.0
// This is where keys mean something to a player: those that editors know.
export type Act =
  | { act: 'toggle' }
  | { act: 'faster'; by: 1 | -1 }
  | { act: 'step'; pictures: number }
  | { act: 'jump'; seconds: number }
  | { act: 'mark'; what: 'in' | 'out' }
  | { act: 'nudge'; ms: number }
  | { act: 'choose'; place: number }
  | { act: 'speed'; by: 1 | -1 }

/** What a key asks for, or null. J and L: backward and forward, faster each time; K and space: stop or go. */
export function actOf(event: Pick<KeyboardEvent, 'key' | 'shiftKey'>): Act | null {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key
  if (/^[1-9]$/.test(key)) return { act: 'choose', place: Number(key) - 1 }
  const way = event.shiftKey ? 10 : 1
  const acts: Record<string, Act> = {
    ' ': { act: 'toggle' },
    k: { act: 'toggle' },
    j: { act: 'faster', by: -1 },
    l: { act: 'faster', by: 1 },
    ArrowLeft: { act: 'step', pictures: -way },
    ArrowRight: { act: 'step', pictures: way },
    ArrowDown: { act: 'jump', seconds: -5 },
    ArrowUp: { act: 'jump', seconds: 5 },
    i: { act: 'mark', what: 'in' },
    o: { act: 'mark', what: 'out' },
    '[': { act: 'nudge', ms: -40 },
    ']': { act: 'nudge', ms: 40 },
    ',': { act: 'speed', by: -1 },
    '.': { act: 'speed', by: 1 },
  }
  return acts[key] ?? null
}

export const SPEEDS = [0.1, 0.25, 0.5, 1, 1.5, 2, 4, 8, 16] as const

/** The next speed up or down. */
export function speedBeside(now: number, by: 1 | -1): number {
  const place = SPEEDS.findIndex((one) => one >= now)
  return SPEEDS[Math.min(Math.max(place + by, 0), SPEEDS.length - 1)] ?? 1
}
