// SPDX-License-Identifier: Apache-2.0
// This is where instants, spans and sizes become text: an instant always with its offset, and how sure it is.
const SECOND = 1000
const MINUTE = 60 * SECOND
const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const

function two(value: number): string {
  return String(value).padStart(2, '0')
}

/** The offset of the reader's zone at an instant, as `+08:00`. */
export function offsetOf(at: Date): string {
  const minutes = -at.getTimezoneOffset()
  const whole = Math.abs(minutes)
  return `${minutes < 0 ? '-' : '+'}${two(Math.floor(whole / 60))}:${two(whole % 60)}`
}

/** `2026-06-19 12:01:30 +08:00`: an instant in the reader's zone. Text that is no instant is returned as it is. */
export function instant(text: string): string {
  const at = new Date(text)
  if (Number.isNaN(at.getTime())) return text
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())} ${offsetOf(at)}`
}

/** The further of both sides of an interval, in milliseconds; null where one of them is open. */
export function furthest(clock: { early_ms: number | null; late_ms: number | null }): number | null {
  const { early_ms: early, late_ms: late } = clock
  return early === null || late === null ? null : Math.max(Math.abs(early), Math.abs(late))
}

/** `± 0.4 s`: how far from the truth an instant may be; empty where nobody said. */
export function uncertainty(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return ''
  return ms < MINUTE ? `± ${(ms / SECOND).toFixed(ms < 10 * SECOND ? 1 : 0)} s` : `± ${Math.ceil(ms / MINUTE)} min`
}

/** `1:02:03.5`: a span of media, given as exact seconds (`31`, `1001/30`). */
export function span(seconds: string | number): string {
  const [above, below] = String(seconds).split('/')
  const whole = Number(above) / Number(below ?? 1)
  if (!Number.isFinite(whole)) return String(seconds)
  const tenths = Math.round(whole * 10)
  const [hours, minutes, rest] = [Math.floor(tenths / 36_000), Math.floor(tenths / 600) % 60, tenths % 600]
  const tail = `${two(Math.floor(rest / 10))}${rest % 10 === 0 ? '' : `.${rest % 10}`}`
  return hours > 0 ? `${hours}:${two(minutes)}:${tail}` : `${minutes}:${tail}`
}

/** `1.4 GiB`: a number of bytes. */
export function bytes(count: number): string {
  let value = count
  let unit = 0
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024
    unit += 1
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`
}
