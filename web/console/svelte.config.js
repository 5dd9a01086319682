// SPDX-License-Identifier: Apache-2.0
// This is where Svelte is told what it compiles: runes alone, TypeScript read by the compiler itself.
export default { compilerOptions: { runes: true } }
