// SPDX-License-Identifier: Apache-2.0
// This is where light or dark is chosen; as the system has it, unless the person says otherwise.
export type Theme = 'system' | 'light' | 'dark'

const KEPT = 'evidock.theme'
const THEMES: readonly Theme[] = ['system', 'light', 'dark']

class Chosen {
  now = $state<Theme>(THEMES.find((one) => one === localStorage.getItem(KEPT)) ?? 'system')

  choose(theme: Theme): void {
    this.now = theme
    localStorage.setItem(KEPT, theme)
    this.show()
  }

  show(): void {
    if (this.now === 'system') delete document.documentElement.dataset.theme
    else document.documentElement.dataset.theme = this.now
  }

  /** The one behind this one. */
  next(): void {
    this.choose(THEMES[(THEMES.indexOf(this.now) + 1) % THEMES.length] ?? 'system')
  }
}

export const theme = new Chosen()
