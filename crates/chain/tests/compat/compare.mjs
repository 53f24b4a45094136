// node compare.mjs COMMAND...           starts the node under test with COMMAND; its output must name 127.0.0.1:PORT
// node compare.mjs --url http://...     uses a node that runs already
// Runs the checks against that node and against anvil, prints a table and compares the answers.
// Exits 1 when fewer than 85 checks pass, a required one fails, or an answer differs in a way that known.mjs does not
// give a reason for.

import { parseArgs } from 'node:util'
import { CHECK_COUNT, runAll } from './lib/run.mjs'
import { foundryTool, start } from './lib/process.mjs'
import { Node } from './lib/node.mjs'
import { ANSWERS_DIFFER, ANVIL_FAILS } from './known.mjs'

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
let isGood = false
try {
  const node = values.url ? { url: values.url } : await started(positionals)
  const { chainId } = await Node.connect(node.url)
  const anvil = await started([foundryTool('anvil'), '--port', '0', '--chain-id', String(chainId), '--hardfork', 'osaka', '--steps-tracing'])
  const [ours, theirs] = await Promise.all([runAll(node.url), runAll(anvil.url)])
  isGood = report(ours, theirs)
} finally {
  for (const { stop } of running) stop()
}
// Libraries may still hold sockets to nodes that are gone.
process.exit(isGood ? 0 : 1)

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
    return { ...our, anvil: their, differs, ...known(our.name, their.passed, differs) }
  })
  const count = (wanted) => rows.filter(wanted).length
  const passed = count((row) => row.passed)
  const missing = count((row) => row.required && !row.passed)
  const unexplained = count((row) => row.unexplained)
  if (values.output === 'json') {
    console.log(JSON.stringify({ passed, missing, unexplained, checks: rows }, null, 2))
  } else {
    print(rows)
    const required = count((row) => row.required)
    console.log(`${passed} of ${CHECK_COUNT} checks pass here, ${count((row) => row.anvil.passed)} on anvil`)
    console.log(`${required - missing} of the ${required} required checks pass here`)
    console.log(`${count((row) => row.passed && row.anvil.passed)} answers compared, ${count((row) => row.differs)} differ; differences without a reason: ${unexplained}`)
  }
  return passed >= PASSED_MIN && missing === 0 && unexplained === 0
}

/** The reason that known.mjs gives for a difference; `unexplained` when it gives none, or one for no difference. */
function known(name, anvilPassed, differs) {
  const reasons = [
    [!anvilPassed, ANVIL_FAILS[name]],
    [differs, ANSWERS_DIFFER[name]],
  ]
  return {
    why: reasons.map(([, why]) => why).find(Boolean),
    unexplained: reasons.some(([isThere, why]) => isThere !== Boolean(why)),
  }
}

function print(rows) {
  console.log('here anvil  check')
  for (const row of rows) {
    console.log(`${mark(row)}  ${mark(row.anvil)}    ${row.name} [${row.clients.join(', ')}]`)
    if (!row.passed) console.log(`              here: ${row.reason}${row.required ? '' : ' (not required)'}`)
    if (!row.anvil.passed) console.log(`              anvil: ${row.anvil.reason}`)
    if (row.differs) {
      console.log(`              answers differ, here:  ${JSON.stringify(row.answer)}`)
      console.log(`                              anvil: ${JSON.stringify(row.anvil.answer)}`)
    }
    if (row.why) console.log(`              because: ${row.why}`)
    if (row.unexplained) console.log(`              ${row.why ? 'but it does not differ any more: remove it from' : 'a new difference: mend it or give a reason in'} known.mjs`)
  }
}

function mark(row) {
  return row.passed ? 'yes ' : 'NO  '
}
