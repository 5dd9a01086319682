// SPDX-License-Identifier: Apache-2.0
// This is where leave to fetch footage is asked for, and what was watched is told to whoever keeps the record.
import { get, post } from '../api/client'

export interface Leave {
  token: string
  urls: string[]
  until: string
}

/** Leave is asked for anew so long before it ends. */
export const RENEW_MS = 60_000
const JOINED_MS = 400

export function playback(recording: string, what: 'proxy' | 'thumbnails' | 'waveform' | 'track'): Promise<Leave> {
  return post<Leave>(`/v1/recordings/${encodeURIComponent(recording)}/playback`, { what })
}

/** The address of a proxy that answers ranges; the list of its parts where names are drawn into every picture. */
export function proxyOf(leave: Leave): string {
  return leave.urls.find((url) => url.endsWith('/proxy.mp4')) ?? leave.urls[0] ?? ''
}

export async function waveformOf(recording: string): Promise<number[]> {
  const leave = await playback(recording, 'waveform')
  const told = await get<{ peaks: number[] }>(leave.urls[0] ?? '')
  return told.peaks
}

/** Stretches of media time that were shown, told in a few requests. */
export class Watched {
  #stretches: [number, number][] = []

  constructor(readonly leave: Leave) {}

  /** This picture was on the screen. */
  shown(mediaS: number): void {
    const ms = Math.max(0, Math.round(mediaS * 1000))
    const last = this.#stretches.at(-1)
    if (last && ms >= last[1] - JOINED_MS && ms <= last[1] + JOINED_MS) last[1] = Math.max(last[1], ms)
    else this.#stretches.push([ms, ms + 1])
  }

  /** Tell what was not told yet; that it cannot be told takes nothing from what the server saw itself. */
  async tell(): Promise<void> {
    const stretches = this.#stretches.splice(0, 200)
    if (stretches.length === 0) return
    await post<void>(`/v1/media/${this.leave.token}/watched`, { stretches }).catch(() => undefined)
  }
}
