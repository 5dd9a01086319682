// SPDX-License-Identifier: Apache-2.0
// This is where the console asks the server: JSON below /v1, by the cookie that no script reads.
import { spoken } from '../words/words.svelte'
import { OFFLINE, Problem, problemOf } from './problem'
import { proving } from './proving.svelte'

export type Query = Record<string, string | number | boolean | null | undefined>

export interface Asked {
  query?: Query
  body?: unknown
  /** The state that was seen (`ETag`): a change is refused when the thing has changed meanwhile. */
  seen?: string
  signal?: AbortSignal
}

/** A page of a list, and what to ask for the page behind it. */
export interface Listed<T> {
  items: T[]
  next: string | null
}

/** Told when a request finds that nobody is signed in any more. */
export const onSignedOut: { now: () => void } = { now: () => {} }

const PROVE_AGAIN = 'prove-again'
const NOT_SIGNED_IN = 401

export function get<T>(path: string, asked: Asked = {}): Promise<T> {
  return request<T>('GET', path, asked)
}

/** POST with a key of its own, so that an answer that got lost is not an act done twice. */
export function post<T>(path: string, body: unknown = {}, asked: Asked = {}): Promise<T> {
  return request<T>('POST', path, { ...asked, body })
}

export function patch<T>(path: string, body: unknown, asked: Asked = {}): Promise<T> {
  return request<T>('PATCH', path, { ...asked, body })
}

export function remove<T>(path: string, asked: Asked = {}): Promise<T> {
  return request<T>('DELETE', path, asked)
}

/** One request. An act that wants a fresh proof asks the person for it, and is then done. Throws a Problem. */
async function request<T>(method: string, path: string, asked: Asked): Promise<T> {
  const answer = await sent(method, path, asked)
  if (answer.ok) return (answer.status === 204 ? undefined : await answer.json()) as T
  const problem = await problemOf(answer)
  if (problem.code === PROVE_AGAIN && (await proving.ask())) return request<T>(method, path, asked)
  if (problem.status === NOT_SIGNED_IN && !path.startsWith('/v1/session')) onSignedOut.now()
  throw problem
}

async function sent(method: string, path: string, asked: Asked): Promise<Response> {
  const headers: Record<string, string> = { Accept: 'application/json', 'Accept-Language': spoken.now }
  if (asked.body !== undefined) headers['Content-Type'] = 'application/json'
  if (method === 'POST') headers['Idempotency-Key'] = crypto.randomUUID()
  if (asked.seen !== undefined) headers['If-Match'] = asked.seen
  try {
    return await fetch(path + queryOf(asked.query), {
      method,
      headers,
      body: asked.body === undefined ? null : JSON.stringify(asked.body),
      signal: asked.signal ?? null,
      credentials: 'same-origin',
      redirect: 'error',
    })
  } catch (thrown) {
    if (asked.signal?.aborted) throw thrown
    throw new Problem(0, OFFLINE, '', '')
  }
}

function queryOf(query: Query = {}): string {
  const told = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== '')
  return told.length === 0 ? '' : `?${new URLSearchParams(told.map(([name, value]) => [name, String(value)]))}`
}
