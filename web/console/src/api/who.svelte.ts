// SPDX-License-Identifier: Apache-2.0
// This is where it is known who is signed in, and what they may do.
import { get, onSignedOut, post, remove } from './client'
import { asProblem, type Problem } from './problem'
import type { MeBody, SessionBody } from './types'

const NOT_SIGNED_IN = 401

class Who {
  me = $state<MeBody | null>(null)
  /** False until the server was asked once. */
  isKnown = $state(false)
  problem = $state<Problem | null>(null)

  /** Ask the server who this is; nobody is an answer too. */
  async look(): Promise<void> {
    this.problem = null
    try {
      this.me = await get<MeBody>('/v1/me')
    } catch (thrown) {
      this.me = null
      const problem = asProblem(thrown)
      if (problem.status !== NOT_SIGNED_IN) this.problem = problem
    }
    this.isKnown = true
  }

  /** Whether the person may do an act somewhere. */
  may(act: string): boolean {
    return this.me !== null && act in this.me.acts
  }

  async signIn(login: string, password: string, code: string): Promise<void> {
    await post<SessionBody>('/v1/session', { login, password, code })
    await this.look()
  }

  async signOut(): Promise<void> {
    await remove<void>('/v1/session')
    this.me = null
  }
}

export const who = new Who()
onSignedOut.now = () => {
  who.me = null
}
