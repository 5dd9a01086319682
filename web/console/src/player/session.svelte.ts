// SPDX-License-Identifier: Apache-2.0
// This is where a viewer's cameras are held while they are played: leave for each, what was seen, where one is.
import { asProblem, type Problem } from '../api/problem'
import type { Lane } from './axis'
import { type Camera, Ensemble } from './ensemble'
import { type Leave, playback, proxyOf, RENEW_MS, Watched } from './leave'

const TELL_MS = 10_000
const LOOK_MS = 5_000

interface Held {
  leave: Leave
  watched: Watched
  video: HTMLVideoElement
}

/** Plays these cameras until `close`; what it shows is told to the server as it goes. */
export class Session {
  axisMs = $state(0)
  isPlaying = $state(false)
  isWaiting = $state(false)
  rate = $state(1)
  problem = $state<Problem | null>(null)
  isReady = $state(false)
  #ensemble: Ensemble | null = null
  #held = new Map<string, Held>()
  #rounds: ReturnType<typeof setInterval>[] = []
  #isClosed = false

  /** Get leave for each and show `axisMs`. */
  async open(lanes: readonly Lane[], videos: ReadonlyMap<string, HTMLVideoElement>, axisMs: number): Promise<void> {
    try {
      const cameras: Camera[] = []
      for (const lane of lanes) {
        const video = videos.get(lane.id)
        if (video === undefined) continue
        await this.#lend(lane.id, video)
        cameras.push({ lane, video })
      }
      if (this.#isClosed) return
      this.#ensemble = new Ensemble(cameras, (told) => this.#told(told))
      await this.#ensemble.seek(axisMs)
      this.isReady = true
      this.#rounds = [setInterval(() => this.#tell(), TELL_MS), setInterval(() => void this.#renew(), LOOK_MS)]
    } catch (thrown) {
      this.problem = asProblem(thrown)
    }
  }

  lane(id: string): Lane | null {
    return this.#ensemble?.lane(id) ?? null
  }

  shownS(id: string): number | null {
    return this.#ensemble?.shownS(id) ?? null
  }

  async toggle(): Promise<void> {
    if (this.isPlaying) this.#ensemble?.pause()
    else await this.#ensemble?.play()
    if (!this.isPlaying) this.#tell()
  }

  pause(): void {
    this.#ensemble?.pause()
    this.#tell()
  }

  async play(): Promise<void> {
    await this.#ensemble?.play()
  }

  async seek(axisMs: number): Promise<void> {
    await this.#ensemble?.seek(axisMs)
  }

  async speed(rate: number): Promise<void> {
    this.rate = rate
    await this.#ensemble?.setRate(rate)
  }

  async nudge(id: string, nudgeMs: number): Promise<void> {
    await this.#ensemble?.nudge(id, nudgeMs)
  }

  close(): void {
    this.#isClosed = true
    for (const round of this.#rounds) clearInterval(round)
    this.#ensemble?.close()
    this.#tell()
  }

  #told(told: { axisMs: number; isPlaying: boolean; isWaiting: boolean }): void {
    this.axisMs = told.axisMs
    this.isPlaying = told.isPlaying
    this.isWaiting = told.isWaiting
    for (const [id, held] of this.#held) {
      const shown = this.#ensemble?.shownS(id)
      if (shown !== null && shown !== undefined) held.watched.shown(shown)
    }
  }

  async #lend(id: string, video: HTMLVideoElement): Promise<void> {
    const leave = await playback(id, 'proxy')
    this.#held.set(id, { leave, watched: new Watched(leave), video })
    video.src = proxyOf(leave)
  }

  /** Leave ends after some minutes: new leave is had before, and the picture goes on where it is. */
  async #renew(): Promise<void> {
    const ending = [...this.#held].filter(([, one]) => Date.parse(one.leave.until) - Date.now() < RENEW_MS)
    if (ending.length === 0) return
    try {
      for (const [id, held] of ending) {
        void held.watched.tell()
        await this.#lend(id, held.video)
      }
      await this.#ensemble?.seek(this.#ensemble.axisMs)
    } catch (thrown) {
      this.pause()
      this.problem = asProblem(thrown)
    }
  }

  #tell(): void {
    for (const held of this.#held.values()) void held.watched.tell()
  }
}
