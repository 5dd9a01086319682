// SPDX-License-Identifier: Apache-2.0
// This is where it is said what colours and signs mean.
/** good: as it should be; busy: something goes on; warn: look at it; bad: it went wrong; quiet: nothing to say. */
export type Tone = 'good' | 'busy' | 'warn' | 'bad' | 'quiet'
