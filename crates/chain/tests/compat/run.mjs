// node run.mjs --url http://127.0.0.1:8545 [--output text|json] [--only TEXT]
// Runs the checks against one node. Exits 1 when a check fails.

import { parseArgs } from 'node:util'
import { runAll } from './lib/run.mjs'

const { values } = parseArgs({
  options: { url: { type: 'string' }, output: { type: 'string', default: 'text' }, only: { type: 'string' } },
})
if (!values.url) {
  console.error('missing: --url, the address of the node, for example http://127.0.0.1:8545')
  process.exit(2)
}
const results = await runAll(values.url, values.only)
const failed = results.filter((result) => !result.passed)
if (values.output === 'json') {
  console.log(JSON.stringify({ passed: results.length - failed.length, failed: failed.length, results }, null, 2))
} else {
  for (const { name, passed, reason } of results) console.log(`${passed ? 'yes' : 'NO '}  ${name}${reason ? `: ${reason}` : ''}`)
  console.log(`${results.length - failed.length} of ${results.length} checks passed`)
}
process.exit(failed.length ? 1 : 0)
