// Transactions that wait for a block.

import { check, hex, same } from '../lib/check.mjs'
import { SIGNER } from '../lib/node.mjs'

const ACCOUNT = '0x0000000000000000000000000000000000b00b01'

/** Runs `run` while one transaction waits for a block and another for a nonce before its own. */
async function whileTwoWait(node, run) {
  const from = node.address(SIGNER.pool)
  const nonce = Number(await node.rpc('eth_getTransactionCount', from, 'latest'))
  const send = (nonce) => node.rpc('eth_sendTransaction', { from, to: ACCOUNT, value: '0x7', gas: '0x5208', gasPrice: '0x2540be400', nonce: hex(nonce) })
  let later
  const answer = await node.withoutSealing(async () => {
    await send(nonce)
    later = await send(nonce + 2)
    return run({ from, nonce })
  })
  await send(nonce + 1)
  await node.receipt(later)
  return answer
}

check('txpool_status and txpool_content show what waits, and for what', ['viem', 'cast'], async (node) =>
  whileTwoWait(node, async ({ from, nonce }) => {
    const status = await node.rpc('txpool_status')
    same([status.pending, status.queued], ['0x1', '0x1'], 'numbers')
    const { pending, queued } = await node.viemTest.getTxpoolContent()
    const of = (part) => Object.entries(part).find(([address]) => address.toLowerCase() === from.toLowerCase())?.[1] ?? {}
    same([Object.keys(of(pending)), Object.keys(of(queued))], [[String(nonce)], [String(nonce + 2)]], 'nonces')
    const waiting = of(pending)[nonce]
    same([waiting.value, waiting.to.toLowerCase(), waiting.blockHash], ['0x7', ACCOUNT, null], 'fields')
    return status
  }),
)

check('txpool_inspect tells it in words', ['viem', 'cast'], async (node) =>
  whileTwoWait(node, async ({ nonce }) => {
    const { pending } = await node.rpc('txpool_inspect')
    const [[, words]] = Object.entries(pending)
    same(words[nonce].toLowerCase(), `${ACCOUNT}: 7 wei + 21000 gas × 10000000000 wei`, 'words')
    return words[nonce].toLowerCase()
  }),
)
