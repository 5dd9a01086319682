// SPDX-License-Identifier: Apache-2.0
// This is where an answer that is no success becomes one error, with the server's stable code.
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly title: string,
    readonly detail: string,
    readonly retryS: number | null = null,
  ) {
    super(detail || title || code)
  }
}

/** The code of a server that gave no answer at all. */
export const OFFLINE = 'offline'

export async function problemOf(answer: Response): Promise<Problem> {
  const told = await answer.json().catch(() => ({}))
  const retry = Number(answer.headers.get('retry-after'))
  return new Problem(
    answer.status,
    told.code ?? `http-${answer.status}`,
    told.title ?? '',
    told.detail ?? '',
    Number.isFinite(retry) && retry > 0 ? retry : null,
  )
}

/** Whatever was thrown, as a problem. */
export function asProblem(thrown: unknown): Problem {
  return thrown instanceof Problem ? thrown : new Problem(0, 'defect', '', String(thrown))
}
