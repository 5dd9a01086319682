// SPDX-License-Identifier: Apache-2.0
// This is where an instant of the axis becomes text to the millisecond, with the offset of the reader's zone.
import { offsetOf } from '../../format'

function digits(value: number, many: number): string {
  return String(value).padStart(many, '0')
}

/** `12:01:30.040 +08:00`, with the day before it where `isWhole`. */
export function clockOf(axisMs: number, isWhole = true): string {
  const at = new Date(axisMs)
  const day = `${at.getFullYear()}-${digits(at.getMonth() + 1, 2)}-${digits(at.getDate(), 2)} `
  const time = [at.getHours(), at.getMinutes(), at.getSeconds()].map((one) => digits(one, 2)).join(':')
  return isWhole ? `${day}${time}.${digits(at.getMilliseconds(), 3)} ${offsetOf(at)}` : time
}
