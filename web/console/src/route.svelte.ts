// SPDX-License-Identifier: Apache-2.0
// This is where the address says what is shown: path and query are the state of a page, and back goes back.
class Route {
  path = $state(location.pathname)
  query = $state.raw(new URLSearchParams(location.search))
  hash = $state(location.hash.slice(1))

  read(): void {
    this.path = location.pathname
    this.query = new URLSearchParams(location.search)
    this.hash = location.hash.slice(1)
  }
}

export const route = new Route()

/** Go to an address of the console. `isInstead`: the one that is left is not kept for going back. */
export function go(address: string, isInstead = false): void {
  const to = new URL(address, location.href)
  if (to.origin !== location.origin) return
  if (isInstead) history.replaceState(null, '', to)
  else history.pushState(null, '', to)
  route.read()
}

/** Change parts of the query where one is; an empty value takes it out. */
export function ask(changed: Record<string, string | null | undefined>): void {
  const query = new URLSearchParams(route.query)
  for (const [name, value] of Object.entries(changed)) {
    if (value === null || value === undefined || value === '') query.delete(name)
    else query.set(name, value)
  }
  const text = query.toString()
  go(`${route.path}${text === '' ? '' : `?${text}`}`, true)
}

/** What a pattern such as `/cases/:case` finds in a path; null where it does not fit. */
export function matched(pattern: string, path: string): Record<string, string> | null {
  const [wanted, told] = [pattern.split('/'), path.replace(/(.)\/+$/, '$1').split('/')]
  if (wanted.length !== told.length) return null
  const found: Record<string, string> = {}
  for (const [place, part] of wanted.entries()) {
    const given = told[place] ?? ''
    if (part.startsWith(':')) found[part.slice(1)] = decodeURIComponent(given)
    else if (part !== given) return null
  }
  return found
}

/** Has plain links of the console go through the route; what a person asks of the browser itself is left to it. */
export function followLinks(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
    return
  const link = event.target instanceof Element ? event.target.closest('a') : null
  if (link === null || link.target !== '' || link.hasAttribute('download') || link.origin !== location.origin) return
  if (/^\/(v1|axis|auth)\//.test(link.pathname) || link.getAttribute('href')?.startsWith('#')) return
  event.preventDefault()
  go(link.href)
}
