// SPDX-License-Identifier: Apache-2.0
// This is where a passkey is asked for or made: the browser's own dialog, between two answers of the server.
// Source: Web Authentication Level 3, 5.1.8 to 5.1.10 (JSON of options and credentials).
import { post } from './client'
import { Problem } from './problem'
import type { PasskeyAsked } from './types'

/** The code of a browser's dialog that was closed, or that found no passkey. */
export const NO_PASSKEY = 'no-passkey'

type Options = Record<string, unknown>

/** Whether this browser knows passkeys, and tells them as JSON. */
export function hasPasskeys(): boolean {
  return (
    typeof PublicKeyCredential !== 'undefined' && typeof PublicKeyCredential.parseRequestOptionsFromJSON === 'function'
  )
}

/** What a passkey signs to sign in or to prove; throws a Problem. */
export async function askPasskey(): Promise<unknown> {
  const { options } = await post<PasskeyAsked>('/v1/session/passkey/options')
  const asked = PublicKeyCredential.parseRequestOptionsFromJSON(inside(options) as never)
  return told(() => navigator.credentials.get({ publicKey: asked }))
}

/** A new passkey by these options of the server; throws a Problem. */
export function makePasskey(options: Options): Promise<unknown> {
  const asked = PublicKeyCredential.parseCreationOptionsFromJSON(inside(options) as never)
  return told(() => navigator.credentials.create({ publicKey: asked }))
}

function inside(options: Options): Options {
  return (options.publicKey as Options | undefined) ?? options
}

async function told(ask: () => Promise<Credential | null>): Promise<unknown> {
  try {
    const made = await ask()
    if (made instanceof PublicKeyCredential) return made.toJSON()
  } catch (thrown) {
    if (!(thrown instanceof DOMException)) throw thrown
  }
  throw new Problem(0, NO_PASSKEY, '', '')
}
