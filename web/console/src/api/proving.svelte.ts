// SPDX-License-Identifier: Apache-2.0
// This is where an act that matters waits until its person has proved themselves anew, or turned away.
class Proving {
  isAsked = $state(false)
  #settle: ((isProved: boolean) => void)[] = []

  /** True once the person proved themselves; false when they turned away. Acts that wait together are asked once. */
  ask(): Promise<boolean> {
    this.isAsked = true
    return new Promise((settle) => this.#settle.push(settle))
  }

  end(isProved: boolean): void {
    this.isAsked = false
    for (const settle of this.#settle.splice(0)) settle(isProved)
  }
}

export const proving = new Proving()
