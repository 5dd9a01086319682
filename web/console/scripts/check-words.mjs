// SPDX-License-Identifier: Apache-2.0
// This is where the build fails on a sentence that one language lacks, that nobody says, or that stands in a template.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse } from 'svelte/compiler'

const ROOT = process.argv[2] ?? join(dirname(fileURLToPath(import.meta.url)), '..', 'src')
const LANGUAGES = ['en', 'zh-CN']
const SHELL = 'words'
/** Names that are no language's own. */
const NAMES = new Set(['evidock', 'g', '/', '?', '↑', '↓', '↵', '%', ' %'])
const SPOKEN = new Set(['aria-label', 'alt', 'placeholder', 'title', 'label', 'word', 'hint', 'empty'])
const faults = []

const files = readdirSync(ROOT, { recursive: true, encoding: 'utf-8' }).filter((one) =>
  statSync(join(ROOT, one)).isFile(),
)
const told = (name) => readFileSync(join(ROOT, name), 'utf-8')
const holes = (text) =>
  [...text.matchAll(/\{(\w+)\}/g)]
    .map((one) => one[1])
    .sort()
    .join()

function catalogs(folder) {
  return LANGUAGES.map((one) => {
    const path = join(folder, `${one}.json`)
    if (existsSync(join(ROOT, path))) return JSON.parse(told(path))
    faults.push(`${path}: is not there`)
    return {}
  })
}

/** Every key that sources say, and every group of which they say some by name. */
function said(names) {
  const text = names.map(told).join('\n')
  const keys = new Set([...text.matchAll(/\b(?:t|shell)\(\s*'([^']+)'/g)].map((one) => one[1]))
  const groups = [...text.matchAll(/\b(?:t|shell)\.of\(\s*'([^']+)'/g)].map((one) => `${one[1]}.`)
  return { keys, groups, text }
}

function checkCatalogs(folder, sources) {
  const [en, zh] = catalogs(folder)
  const { keys, groups } = said(sources)
  for (const key of new Set([...Object.keys(en), ...Object.keys(zh)])) {
    for (const [place, one] of [en, zh].entries()) {
      if (!one[key]?.trim()) faults.push(`${folder}/${LANGUAGES[place]}.json: lacks ${key}`)
    }
    if (holes(en[key] ?? '') !== holes(zh[key] ?? '')) faults.push(`${folder}: ${key} is filled differently`)
    if (!keys.has(key) && !groups.some((one) => key.startsWith(one))) faults.push(`${folder}: nobody says ${key}`)
  }
}

function walk(node, name) {
  if (Array.isArray(node)) for (const one of node) walk(one, name)
  if (node === null || typeof node !== 'object' || Array.isArray(node)) return
  if (node.type === 'Text') checkText(node.data ?? node.raw, name)
  if (node.type === 'Attribute') {
    const parts = Array.isArray(node.value) ? node.value : []
    if (SPOKEN.has(node.name)) for (const one of parts) if (one.type === 'Text') checkText(one.data, name)
    for (const one of parts) if (one.type === 'ExpressionTag') walk(one, name)
    return
  }
  for (const [key, one] of Object.entries(node))
    if (!['css', 'instance', 'module', 'parent'].includes(key)) walk(one, name)
}

function checkText(text, name) {
  const bare = text.trim()
  if (/\p{L}/u.test(bare) && !NAMES.has(bare)) faults.push(`${name}: "${bare}" stands in the template`)
}

const folders = [
  ...new Set(files.filter((one) => one.endsWith('en.json') || one.endsWith('zh-CN.json')).map((one) => dirname(one))),
]
for (const folder of folders) {
  const isShell = folder === SHELL
  checkCatalogs(
    folder,
    files.filter((one) => /\.(svelte|ts)$/.test(one) && (isShell || one.startsWith(`${folder}/`))),
  )
}
for (const name of files.filter((one) => one.endsWith('.svelte')))
  walk(parse(told(name), { modern: true }).fragment, name)

for (const one of faults) console.error(`${relative(process.cwd(), ROOT)}/${one}`)
if (faults.length > 0) process.exit(1)
console.log(`words: ${folders.length} catalogs in ${LANGUAGES.join(' and ')}, nothing missing, nothing idle`)
