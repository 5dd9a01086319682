// SPDX-License-Identifier: Apache-2.0
// This is where one to nine cameras are played in step.
//
// All seek together and start together, in one task; then each is left alone. A camera is corrected only when it has
// been more than one picture away from the others for half a second: pulling at it earlier makes it worse. Who waits
// for data holds up all.

import { axisAt, covers, extent, type Lane, mediaAt } from './axis'
import { isApart, pull } from './step'

/** A camera and the element that shows it. */
export interface Camera {
  lane: Lane
  video: HTMLVideoElement
}

export interface Told {
  axisMs: number
  isPlaying: boolean
  isWaiting: boolean
}

interface Follower extends Camera {
  /** The picture on the screen: when it begins in media time, and when it was shown by the page's clock. */
  shown: { mediaS: number; atMs: number } | null
  /** How many pictures the element has shown; two that follow one another tell how long one lasts. */
  count: number
  apartSinceMs: number | null
  isIn: boolean
  stop: () => void
}

const READY_TIMEOUT_MS = 8000
const WAIT_NOTICED_MS = 250
const LOST_S = 0.5

/** Plays cameras in step. Nothing is thrown by what a viewer does; `tell` hears of every change, at most once a frame. */
export class Ensemble {
  #followers: Follower[]
  #tell: (told: Told) => void
  #axisMs: number
  #anchorMs = 0
  #rate = 1
  #isPlaying = false
  #isWaiting = false
  #waitingSinceMs: number | null = null
  #turn = 0
  #frame = 0

  constructor(cameras: readonly Camera[], tell: (told: Told) => void) {
    this.#tell = tell
    this.#followers = cameras.map((camera) => this.#followed(camera))
    this.#axisMs = extent(this.lanes).fromMs
  }

  get lanes(): Lane[] {
    return this.#followers.map((one) => one.lane)
  }

  lane(id: string): Lane | null {
    return this.#followers.find((one) => one.lane.id === id)?.lane ?? null
  }

  get isPlaying(): boolean {
    return this.#isPlaying
  }

  /** The instant that is shown. */
  get axisMs(): number {
    if (!this.#isPlaying || this.#isWaiting) return this.#axisMs
    return this.#axisMs + (performance.now() - this.#anchorMs) * this.#rate
  }

  /** Media time at which the picture of a camera begins that is on the screen, or null while it shows none. */
  shownS(id: string): number | null {
    return this.#followers.find((one) => one.lane.id === id)?.shown?.mediaS ?? null
  }

  /** Show this instant; plays on from there if it was playing. */
  async seek(axisMs: number): Promise<void> {
    const { fromMs, toMs } = extent(this.lanes)
    await this.#show(Math.min(Math.max(axisMs, fromMs), toMs - 1), this.#isPlaying)
  }

  async play(): Promise<void> {
    const { fromMs, toMs } = extent(this.lanes)
    await this.#show(this.axisMs >= toMs - 1 ? fromMs : this.axisMs, true)
  }

  pause(): void {
    this.#axisMs = this.axisMs
    this.#turn += 1
    this.#halt()
    this.#say()
  }

  /** 0.1 to 16; goes on playing, or standing still. */
  async setRate(rate: number): Promise<void> {
    this.#axisMs = this.axisMs
    this.#rate = rate
    await this.#show(this.#axisMs, this.#isPlaying)
  }

  /** Move one camera against the others, for this view. */
  async nudge(id: string, nudgeMs: number): Promise<void> {
    const one = this.#followers.find((other) => other.lane.id === id)
    if (one === undefined) return
    one.lane = { ...one.lane, nudgeMs }
    await this.#show(this.axisMs, this.#isPlaying)
  }

  /** Let go of the elements; nothing is told any more. */
  close(): void {
    this.#turn += 1
    this.#tell = () => undefined
    this.#halt()
    for (const one of this.#followers) one.stop()
  }

  #halt(): void {
    this.#isPlaying = false
    this.#isWaiting = false
    cancelAnimationFrame(this.#frame)
    for (const one of this.#followers) one.video.pause()
  }

  async #show(axisMs: number, isPlaying: boolean): Promise<void> {
    this.#turn += 1
    const turn = this.#turn
    this.#halt()
    this.#axisMs = axisMs
    this.#isPlaying = isPlaying
    this.#isWaiting = true
    this.#say()
    await Promise.all(this.#followers.map((one) => this.#cue(one, axisMs)))
    if (turn !== this.#turn) return
    this.#isWaiting = false
    if (isPlaying) this.#start()
    this.#say()
  }

  async #cue(one: Follower, axisMs: number): Promise<void> {
    one.isIn = covers(one.lane, axisMs)
    one.apartSinceMs = null
    one.video.playbackRate = this.#rate
    if (!one.isIn) {
      one.shown = null
      return
    }
    await seeked(one.video, mediaAt(one.lane, axisMs))
  }

  #start(): void {
    this.#anchorMs = performance.now()
    this.#waitingSinceMs = null
    for (const one of this.#followers) if (one.isIn) begin(one.video)
    this.#frame = requestAnimationFrame(() => this.#look())
  }

  #look(): void {
    const now = performance.now()
    const axisMs = this.axisMs
    const { toMs } = extent(this.lanes)
    if (axisMs >= toMs) {
      this.#axisMs = toMs - 1
      this.#turn += 1
      this.#halt()
      this.#say()
      return
    }
    for (const one of this.#followers) this.#enterOrLeave(one, axisMs)
    if (this.#mustWait(now)) {
      void this.#show(axisMs, true)
      return
    }
    this.#keepInStep(now)
    this.#say()
    this.#frame = requestAnimationFrame(() => this.#look())
  }

  #enterOrLeave(one: Follower, axisMs: number): void {
    const isIn = covers(one.lane, axisMs)
    if (isIn && !one.isIn) {
      one.isIn = true
      one.video.currentTime = mediaAt(one.lane, axisMs)
      begin(one.video)
    } else if (!isIn && one.isIn) {
      one.isIn = false
      one.shown = null
      one.video.pause()
    }
  }

  #mustWait(now: number): boolean {
    const isShort = this.#followers.some((one) => one.isIn && !one.video.ended && one.video.readyState < 3)
    if (!isShort) this.#waitingSinceMs = null
    else this.#waitingSinceMs ??= now
    return this.#waitingSinceMs !== null && now - this.#waitingSinceMs > WAIT_NOTICED_MS
  }

  #keepInStep(now: number): void {
    const running = this.#followers.filter((one) => one.isIn && one.shown !== null && !one.video.ended)
    const clocks = running.map((one) => axisAt(one.lane, one.video.currentTime))
    const among = median(clocks)
    if (among === null) return
    // The axis follows its cameras: what a machine plays late is shown late, in step.
    this.#axisMs = among
    this.#anchorMs = now
    running.forEach((one, at) => {
      const awayS = ((clocks[at] ?? among) - among) / 1000
      const frameS = one.lane.frameS * Math.max(1, this.#rate)
      one.apartSinceMs = isApart(awayS, frameS) ? (one.apartSinceMs ?? now) : null
      if (Math.abs(awayS) > LOST_S) one.video.currentTime = mediaAt(one.lane, among) + 0.05
      const rate = this.#rate * pull(awayS, frameS, one.apartSinceMs === null ? 0 : now - one.apartSinceMs)
      if (Math.abs(one.video.playbackRate - rate) > 0.001) one.video.playbackRate = rate
    })
  }

  #followed(camera: Camera): Follower {
    const one: Follower = { ...camera, shown: null, count: 0, apartSinceMs: null, isIn: false, stop: () => undefined }
    let handle = 0
    const seen = (_: number, frame: VideoFrameCallbackMetadata): void => {
      learn(one, frame)
      one.shown = { mediaS: frame.mediaTime, atMs: frame.expectedDisplayTime }
      handle = one.video.requestVideoFrameCallback(seen)
    }
    handle = one.video.requestVideoFrameCallback(seen)
    one.stop = () => one.video.cancelVideoFrameCallback(handle)
    return one
  }

  #say(): void {
    this.#tell({ axisMs: this.axisMs, isPlaying: this.#isPlaying, isWaiting: this.#isWaiting })
  }
}

/** How long a picture lasts, from one that followed another without any left out. */
function learn(one: Follower, frame: VideoFrameCallbackMetadata): void {
  const lasted = one.shown === null ? 0 : frame.mediaTime - one.shown.mediaS
  const isNext = frame.presentedFrames === one.count + 1
  one.count = frame.presentedFrames
  if (isNext && lasted > 0.004 && lasted < one.lane.frameS * 1.2) one.lane = { ...one.lane, frameS: lasted }
}

/** Begin; that a browser says no (the page was never touched, or the element was stopped meanwhile) changes nothing. */
function begin(video: HTMLVideoElement): void {
  video.play().catch(() => undefined)
}

/** The picture of this media time is there, with more to go on; or so much time passed that others must not wait. */
function seeked(video: HTMLVideoElement, mediaS: number): Promise<void> {
  return new Promise((done) => {
    const events = ['loadedmetadata', 'seeked', 'canplay', 'error']
    let isSought = false
    const end = (): void => {
      clearTimeout(timer)
      for (const name of events) video.removeEventListener(name, look)
      done()
    }
    const look = (): void => {
      if (video.error !== null) {
        end()
        return
      }
      if (video.readyState < 1) return
      if (!isSought) {
        isSought = true
        if (Math.abs(video.currentTime - mediaS) > 0.0005) video.currentTime = mediaS
      }
      if (!video.seeking && video.readyState >= 3) end()
    }
    const timer = setTimeout(end, READY_TIMEOUT_MS)
    for (const name of events) video.addEventListener(name, look)
    look()
  })
}

function median(of: readonly number[]): number | null {
  const sorted = [...of].sort((a, b) => a - b)
  return sorted[(sorted.length - 1) >> 1] ?? null
}
