// SPDX-License-Identifier: Apache-2.0
// This is where a list of the server's grows page by page, as far as somebody looks.
import { get, type Listed, type Query } from '../api/client'
import { asProblem, type Problem } from '../api/problem'

const AT_ONCE = 200

export class Listing<Row> {
  rows = $state.raw<Row[]>([])
  isBusy = $state(false)
  isWhole = $state(false)
  problem = $state<Problem | null>(null)
  #next: string | null = null
  #asking: AbortController | null = null

  constructor(readonly path: string) {}

  /** Begin anew with what is asked now. */
  async load(query: Query = {}): Promise<void> {
    this.#asking?.abort()
    this.#next = null
    this.isWhole = false
    this.isBusy = false
    await this.#page(query, true)
  }

  /** The page behind, if there is one and nothing is under way. */
  async more(query: Query = {}): Promise<void> {
    if (this.isBusy || this.isWhole || this.#next === null || this.problem !== null) return
    await this.#page(query, false)
  }

  async #page(query: Query, isFirst: boolean): Promise<void> {
    const asking = new AbortController()
    this.#asking = asking
    this.isBusy = true
    this.problem = null
    try {
      const told = { ...query, limit: AT_ONCE, after: isFirst ? null : this.#next }
      const page = await get<Listed<Row>>(this.path, { query: told, signal: asking.signal })
      this.rows = isFirst ? page.items : [...this.rows, ...page.items]
      this.#next = page.next
      this.isWhole = page.next === null
    } catch (thrown) {
      if (asking.signal.aborted) return
      this.problem = asProblem(thrown)
    }
    this.isBusy = false
  }
}
