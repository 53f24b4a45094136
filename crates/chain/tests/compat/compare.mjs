// node compare.mjs COMMAND...           starts the node under test with COMMAND; its output must name 127.0.0.1:PORT
// node compare.mjs --url http://...     uses a node that runs already
// Runs the checks against that node and against anvil, prints a table and compares the answers.
// Exits 1 when fewer than 85 checks pass, a required one fails, or an answer differs.

import { parseArgs } from 'node:util'
import { CHECK_COUNT, runAll } from './lib/run.mjs'
import { foundryTool, start } from './lib/process.mjs'
import { Node } from './lib/node.mjs'

const PASSED_MIN = 85

const { values, positionals } = parseArgs({
  options: { url: { type: 'string' }, output: { type: 'string', default: 'text' } },
  allowPositionals: true,
})
if (!values.url && positionals.length === 0) {
  console.error('missing: --url or the command that starts the node under test')
  process.exit(2)
}

const running = []
try {
  const node = values.url ? { url: values.url } : await started(positionals)
  const { chainId } = await Node.connect(node.url)
  const anvil = await started([foundryTool('anvil'), '--port', '0', '--chain-id', String(chainId), '--hardfork', 'osaka'])
  const [ours, theirs] = await Promise.all([runAll(node.url), runAll(anvil.url)])
  process.exitCode = report(ours, theirs) ? 0 : 1
} finally {
  for (const { stop } of running) stop()
}

async function started(command) {
  const node = await start(command)
  running.push(node)
  return node
}

/** Prints the comparison and answers whether the node under test is good enough. */
function report(ours, theirs) {
  const rows = ours.map((our, index) => {
    const their = theirs[index]
    const differs = our.passed && their.passed && JSON.stringify(our.answer) !== JSON.stringify(their.answer)
    return { ...our, anvil: their, differs }
  })
  const passed = rows.filter((row) => row.passed).length
  const missing = rows.filter((row) => row.required && !row.passed).length
  const different = rows.filter((row) => row.differs).length
  if (values.output === 'json') {
    console.log(JSON.stringify({ passed, missing, different, checks: rows }, null, 2))
  } else {
    console.log('here anvil  check')
    for (const row of rows) {
      console.log(`${mark(row)}  ${mark(row.anvil)}    ${row.name} [${row.clients.join(', ')}]`)
      if (!row.passed) console.log(`              here: ${row.reason}${row.required ? '' : ' (not required)'}`)
      if (!row.anvil.passed) console.log(`              anvil: ${row.anvil.reason}`)
      if (row.differs) {
        console.log(`              answers differ, here:  ${JSON.stringify(row.answer)}`)
        console.log(`                              anvil: ${JSON.stringify(row.anvil.answer)}`)
      }
    }
    const anvilPassed = theirs.filter((row) => row.passed).length
    console.log(`${passed} of ${CHECK_COUNT} checks pass here, ${anvilPassed} on anvil; required but failed: ${missing}; different answers: ${different}`)
  }
  return passed >= PASSED_MIN && missing === 0 && different === 0
}

function mark(row) {
  return row.passed ? 'yes ' : 'NO  '
}
