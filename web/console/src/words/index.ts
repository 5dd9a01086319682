// SPDX-License-Identifier: Apache-2.0
// This is where the words of the shell and of all parts are; a page brings its own.
import en from './en.json'
import { words } from './words.svelte'
import zh from './zh-CN.json'

export const t = words(en, zh)
