// SPDX-License-Identifier: Apache-2.0
// This is where a case's records are read and put in rows: a camera a row, its recordings side by side.
import { get, type Listed } from '../../api/client'
import type { Clock } from '../../api/types'
import { furthest } from '../../format'

export interface TimelineLine {
  what: 'recording' | 'document' | 'gap'
  id: string
  name: string
  from: string | null
  to: string | null
}

export interface CaseBody {
  id: string
  number: string
  title: string
  kind: string
  type: string | null
  unit: string | null
  from: string
  to: string
  officers: string[]
  segments: number
  closed: boolean
  restricted: boolean
  documents: { id: string; name: string }[]
  gaps: { start_at: string; end_at: string; why: string }[]
  conditions: { code: string; why: string }[]
}

export interface RecordingBody {
  id: string
  state: string
  kind: string | null
  device: string | null
  officer: string | null
  start: string | null
  end: string | null
  duration: string | null
  name: string
  clock: Clock
  derivatives: { kind: string; removed_at: string | null }[]
}

export interface Take {
  id: string
  camera: string
  officer: string
  name: string
  kind: string
  fromMs: number
  toMs: number
  durationS: number
  /** How far the stated time may be from the truth, either way; null: nobody knows. */
  unsureMs: number | null
  canPlay: boolean
}

export interface Row {
  camera: string
  takes: Take[]
}

const AT_ONCE = 6

export function readCase(id: string): Promise<CaseBody> {
  return get<CaseBody>(`/v1/cases/${encodeURIComponent(id)}`)
}

/** Recordings of a case whose time is known, by camera; and those that have no time. */
export async function readRows(id: string): Promise<{ rows: Row[]; others: TimelineLine[] }> {
  const { items } = await get<Listed<TimelineLine>>(`/v1/cases/${encodeURIComponent(id)}/timeline`)
  const takes: Take[] = []
  const recordings = items.filter((line) => line.what === 'recording')
  for (let at = 0; at < recordings.length; at += AT_ONCE) {
    const some = recordings.slice(at, at + AT_ONCE)
    const read = some.map((line) => get<RecordingBody>(`/v1/recordings/${encodeURIComponent(line.id)}`))
    takes.push(...(await Promise.all(read)).map(taken).filter((take) => take !== null))
  }
  const cameras = [...new Set(takes.map((take) => take.camera))].sort()
  const rows = cameras.map((camera) => ({
    camera,
    takes: takes.filter((take) => take.camera === camera).sort((one, other) => one.fromMs - other.fromMs),
  }))
  return { rows, others: items.filter((line) => line.what !== 'recording') }
}

function taken(body: RecordingBody): Take | null {
  if (body.start === null || body.end === null) return null
  const [fromMs, toMs] = [Date.parse(body.start), Date.parse(body.end)]
  return {
    id: body.id,
    camera: body.device ?? body.id,
    officer: body.officer ?? '',
    name: body.name,
    kind: body.kind ?? '',
    fromMs,
    toMs,
    durationS: seconds(body.duration) ?? (toMs - fromMs) / 1000,
    unsureMs: furthest(body.clock),
    canPlay: body.derivatives.some((one) => one.kind.startsWith('proxy') && one.removed_at === null),
  }
}

function seconds(text: string | null): number | null {
  if (text === null) return null
  const [above, below = '1'] = text.split('/')
  return Number(above) / Number(below)
}
