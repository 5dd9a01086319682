// SPDX-License-Identifier: Apache-2.0
// This is where it is kept for a moment what was done, for people to be told.
const FOR_MS = 6000

class Toasts {
  all = $state<{ id: number; text: string }[]>([])
  #made = 0

  tell(text: string): void {
    this.#made += 1
    const id = this.#made
    this.all.push({ id, text })
    setTimeout(() => {
      this.all = this.all.filter((one) => one.id !== id)
    }, FOR_MS)
  }
}

export const toasts = new Toasts()
