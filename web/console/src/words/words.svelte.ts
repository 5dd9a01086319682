// SPDX-License-Identifier: Apache-2.0
// This is where every sentence comes from: two catalogs beside each page, with the same keys, told in one language.
export type Language = 'zh-CN' | 'en'

const KEPT = 'evidock.language'

function first(): Language {
  const asked = new URLSearchParams(location.search).get('lang') ?? localStorage.getItem(KEPT)
  if (asked === 'en' || asked === 'zh-CN') return asked
  const spoken = navigator.languages.find((one) => /^(zh|en)\b/i.test(one))
  return spoken?.toLowerCase().startsWith('en') ? 'en' : 'zh-CN'
}

/** The language that is spoken now; reading `now` in a template makes it follow a change. */
class Spoken {
  now = $state<Language>(first())

  choose(language: Language): void {
    this.now = language
    localStorage.setItem(KEPT, language)
  }
}

export const spoken = new Spoken()

export type Values = Record<string, string | number>

export interface Words<K extends string> {
  /** The sentence of a key, with `{name}` filled in. */
  (key: K, values?: Values): string
  /** The sentence of `GROUP.NAME` where the name comes from the server; the name itself where there is none. */
  of(group: string, name: string): string
}

/** The words of one folder. A key that one language lacks is an error of types; `npm run check` finds the rest. */
export function words<K extends string>(en: Record<K, string>, zh: Record<NoInfer<K>, string>): Words<K> {
  const catalogs: Record<Language, Record<string, string>> = { en, 'zh-CN': zh }
  const say = (key: K, values: Values = {}): string => filled(catalogs[spoken.now][key] ?? key, values)
  say.of = (group: string, name: string): string => catalogs[spoken.now][`${group}.${name}`] ?? name
  return say
}

function filled(sentence: string, values: Values): string {
  return sentence.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole))
}
