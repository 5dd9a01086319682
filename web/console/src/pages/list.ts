// SPDX-License-Identifier: Apache-2.0
// This is where every page is listed, one line each: its address, its name, who may see it, and the key that goes there.
import type { Component } from 'svelte'
import type { Language } from '../words/words.svelte'

/** What a page is given: what its address names. */
export interface PageProps {
  named: Record<string, string>
}

export interface PageEntry {
  path: string
  title: Record<Language, string>
  /** The act without which a page is not in the navigation; empty: everybody's. */
  act: string
  /** `g` and this letter go there; empty: not in the navigation. */
  key: string
  load: () => Promise<{ default: Component<PageProps> }>
}

function page(path: string, zh: string, en: string, act: string, key: string, load: PageEntry['load']): PageEntry {
  return { path, title: { 'zh-CN': zh, en }, act, key, load }
}

// biome-ignore format: one page a line
export const PAGES: readonly PageEntry[] = [
  page('/wall', '采集墙', 'Dock wall', 'dock.read', 'w', () => import('./wall/Page.svelte')),
  page('/unfiled', '待关联', 'Unfiled', 'search', 'u', () => import('./unfiled/Page.svelte')),
  page('/cases', '案件', 'Cases', 'case.read', 'c', () => import('./cases/Page.svelte')),
  page('/cases/:case', '案件', 'Case', 'case.read', '', () => import('./case/Page.svelte')),
  page('/devices', '设备', 'Devices', 'device.read', 'd', () => import('./devices/Page.svelte')),
  page('/jobs', '作业与隔离', 'Jobs and quarantine', 'quarantine.read', 'j', () => import('./jobs/Page.svelte')),
]
