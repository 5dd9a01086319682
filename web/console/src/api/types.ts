// SPDX-License-Identifier: Apache-2.0
// This is where it is written what the console reads of the server's answers; a test holds each against the description.
export interface MeBody {
  id: string
  login: string
  name: string
  officer: string | null
  unit: string | null
  roles: string[]
  acts: Record<string, string>
  sensitive: string[]
  proved_at: string | null
}

export interface SessionBody {
  user: string
  login: string
  name: string
  until_at: string
}

export interface Ways {
  passkey: boolean
  oidc: boolean
}

export interface PasskeyAsked {
  options: Record<string, unknown>
}

export interface LinkBody {
  login: string
  name: string
  until_at: string
  passkey: Record<string, unknown> | null
}

export interface CaseBrief {
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
}

export interface Slot {
  port: string
  docking: string
  device: string | null
  officer: string | null
  state: string
  refusal: string | null
  began_at: string
  ended_at: string | null
  files: number
  bytes: number
  came_files: number
  came_bytes: number
  bytes_per_s: number | null
  left_s: number | null
  offset_ms: number | null
  uncertainty_ms: number | null
}

export interface DockNow {
  id: string
  name: string
  kind: string
  unit: string
  state: string
  erases: boolean
  seen_at: string | null
  slots: Slot[]
}

export interface JobBody {
  id: string
  step: string
  subject: string
  state: string
  attempts: number
  failures: number
  due_at: string
  progress_permille: number
  error_code: string | null
  error_text: string | null
}

export interface PutAside {
  id: string
  name: string
  device: string | null
  officer: string | null
  start_at: string | null
  arrived_at: string
  problem_code: string | null
  problem_text: string | null
}

export interface DeviceBrief {
  serial: string
  kind: string
  label: string
  clock_offset_ms: number
  maker: string
  model: string
  unit: string
  officer: string
  status: string
  is_allowed: boolean
}

/** How surely a start is known: the truth lies from `early_ms` before it to `late_ms` after; null: any time. */
export interface Clock {
  early_ms: number | null
  late_ms: number | null
}

export interface RecordingBrief {
  id: string
  state: string
  kind: string | null
  device: string | null
  officer: string | null
  start: string | null
  end: string | null
  clock: Clock
  segments: number
  problem: string | null
}
