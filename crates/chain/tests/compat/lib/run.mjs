// Runs every check against one node.

import '../checks/index.mjs'
import { checks, plain, within } from './check.mjs'
import { Node } from './node.mjs'

export const CHECK_COUNT = 90
const CHECK_TIMEOUT_MS = 120_000

if (checks.length !== CHECK_COUNT) throw new Error(`there are ${checks.length} checks, not ${CHECK_COUNT}`)

/**
 * @param {string} url of the node
 * @param {string | undefined} only run the checks whose name contains this
 * @returns {Promise<{name: string, clients: string[], required: boolean, passed: boolean, reason?: string, answer?: unknown}[]>}
 */
export async function runAll(url, only) {
  const node = await Node.connect(url)
  const results = []
  for (const { name, clients, required, run } of checks) {
    if (only && !name.includes(only)) continue
    const result = { name, clients, required }
    try {
      const answer = await within(run(node), CHECK_TIMEOUT_MS, 'the check')
      results.push({ ...result, passed: true, answer: plain(answer ?? null) })
    } catch (error) {
      results.push({ ...result, passed: false, reason: reason(error) })
    }
  }
  node.close()
  return results
}

/** One line that says why a check failed. */
function reason(error) {
  const text = error?.shortMessage ?? error?.message ?? String(error)
  const details = error?.details && error.details !== text ? ` (${error.details})` : ''
  return `${text}${details}`.replace(/\s+/g, ' ').slice(0, 300)
}
