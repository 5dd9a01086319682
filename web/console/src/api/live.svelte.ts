// SPDX-License-Identifier: Apache-2.0
// This is where it is heard what goes on at the server, as long as somebody looks.
const EVENTS = '/v1/events'
const AGAIN_MS = 5000

/** What is told of, and by whom it is heard: `reset` says that something was missed. */
export interface Hears {
  dock?: (body: unknown) => void
  job?: (body: unknown) => void
  approval?: (body: unknown) => void
  reset: () => void
}

/** Hears until `close`. `isLive` is false while nothing can be heard; the browser asks again by itself. */
export class Live {
  isLive = $state(false)
  #source: EventSource | null = null
  #again: ReturnType<typeof setTimeout> | undefined

  constructor(readonly hears: Hears) {
    this.#open()
  }

  close(): void {
    clearTimeout(this.#again)
    this.#source?.close()
    this.isLive = false
  }

  #open(): void {
    const source = new EventSource(EVENTS)
    this.#source = source
    source.onopen = () => {
      this.isLive = true
    }
    source.onerror = () => {
      this.isLive = false
      // A refusal ends the source for good; the server may be back, or have room, in a while.
      if (source.readyState === EventSource.CLOSED) this.#again = setTimeout(() => this.#reopen(), AGAIN_MS)
    }
    source.addEventListener('reset', () => this.hears.reset())
    for (const kind of ['dock', 'job', 'approval'] as const) {
      source.addEventListener(kind, (event) => this.hears[kind]?.(JSON.parse((event as MessageEvent<string>).data)))
    }
  }

  #reopen(): void {
    this.hears.reset()
    this.#open()
  }
}
