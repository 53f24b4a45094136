// What happened inside a transaction.

import { decodeRlp, keccak256 } from 'ethers'
import { check, hex, holds, isQuantity, same } from '../lib/check.mjs'
import { SIGNER } from '../lib/node.mjs'

/** Sends a transaction whose call has a nested call and answers its receipt. */
async function nested(node, value = 64n) {
  const contract = await node.probe()
  return node.send({ to: contract.target, data: contract.interface.encodeFunctionData('setThroughCall', [value]) })
}

check('debug_traceTransaction without a tracer answers every step', ['Remix', 'cast'], async (node) => {
  const receipt = await nested(node)
  const trace = await node.rpc('debug_traceTransaction', receipt.transactionHash, {})
  same([trace.failed, trace.gas], [false, Number(receipt.gasUsed)], 'result and gas')
  holds(trace.structLogs.length > 100, 'there are steps')
  const [first] = trace.structLogs
  same([first.pc, first.op, first.depth, first.stack], [0, 'PUSH1', 1, []], 'first step')
  holds(trace.structLogs.some(({ depth }) => depth === 2), 'the nested call is one deeper')
  const store = trace.structLogs.find(({ op }) => op === 'SSTORE')
  holds(store.storage && Object.keys(store.storage).length > 0, 'a write shows the storage')
  const small = await node.rpc('debug_traceTransaction', receipt.transactionHash, { disableStack: true, disableStorage: true, enableMemory: true })
  holds(small.structLogs.every(({ stack, storage }) => !stack && !storage), 'stack and storage are left out when asked')
  holds(small.structLogs.some(({ memory }) => memory?.length > 0), 'memory is there when asked')
  const failed = await nested(node, 1001n)
  same((await node.rpc('debug_traceTransaction', failed.transactionHash, {})).failed, true, 'result of a reverted transaction')
  return trace.structLogs.map(({ op }) => op).join(' ')
})

check('the call tracer shows nested calls and reverts', ['viem', 'cast'], async (node) => {
  const contract = await node.probe()
  const receipt = await nested(node)
  const call = await node.rpc('debug_traceTransaction', receipt.transactionHash, { tracer: 'callTracer', tracerConfig: { withLog: true } })
  same([call.type, call.from.toLowerCase(), call.to.toLowerCase()], ['CALL', node.address(SIGNER.raw).toLowerCase(), contract.target.toLowerCase()], 'outer call')
  same([call.calls.length, call.calls[0].type, call.calls[0].input.slice(0, 10)], [1, 'CALL', contract.interface.getFunction('set').selector], 'inner call')
  same([call.calls[0].logs.length, BigInt(call.gasUsed)], [1, BigInt(receipt.gasUsed)], 'log events and gas')
  const top = await node.rpc('debug_traceTransaction', receipt.transactionHash, { tracer: 'callTracer', tracerConfig: { onlyTopCall: true } })
  same(top.calls ?? [], [], 'inner calls when only the outer one is asked for')
  const failed = await nested(node, 1001n)
  const reverted = await node.rpc('debug_traceTransaction', failed.transactionHash, { tracer: 'callTracer' })
  same(reverted.error, 'execution reverted', 'error')
  return { ...call, from: undefined, gas: undefined }
})

check('the prestate tracer shows accounts before and after', ['geth console'], async (node) => {
  const contract = await node.probe()
  await nested(node, 3n)
  const receipt = await nested(node, 4n)
  const options = { tracer: 'prestateTracer' }
  const before = await node.rpc('debug_traceTransaction', receipt.transactionHash, options)
  const target = contract.target.toLowerCase()
  const slot = `0x${'00'.repeat(32)}`
  same(BigInt(before[target].storage[slot]), 3n, 'slot before')
  const diff = await node.rpc('debug_traceTransaction', receipt.transactionHash, { ...options, tracerConfig: { diffMode: true } })
  same([BigInt(diff.pre[target].storage[slot]), BigInt(diff.post[target].storage[slot])], [3n, 4n], 'slot before and after')
  return [Object.keys(before[target].storage), diff.post[target]]
})

check('the 4-byte tracer counts the functions that are called', ['geth console'], async (node) => {
  const contract = await node.probe()
  const receipt = await nested(node)
  const counts = await node.rpc('debug_traceTransaction', receipt.transactionHash, { tracer: '4byteTracer' })
  const key = (name) => `${contract.interface.getFunction(name).selector}-32`
  same([counts[key('setThroughCall')], counts[key('set')]], [1, 1], 'counts')
  return counts
})

check('all transactions of a block are traced at once', ['geth console', 'cast'], async (node) => {
  const receipt = await nested(node)
  const options = { tracer: 'callTracer' }
  const alone = await node.rpc('debug_traceTransaction', receipt.transactionHash, options)
  const byNumber = await node.rpc('debug_traceBlockByNumber', receipt.blockNumber, options)
  const byHash = await node.rpc('debug_traceBlockByHash', receipt.blockHash, options)
  same(byNumber.map(({ txHash, result }) => [txHash, result]), [[receipt.transactionHash, alone]], 'traces')
  same(byHash, byNumber, 'traces by hash')
  return byNumber.length
})

check('debug_traceCall traces what was never sent, also with assumptions', ['viem', 'cast', 'Remix'], async (node) => {
  const contract = await node.probe()
  const call = { from: node.address(SIGNER.raw), to: contract.target, data: contract.interface.encodeFunctionData('setThroughCall', [9n]) }
  const trace = await node.rpc('debug_traceCall', call, 'latest', { tracer: 'callTracer' })
  same([trace.type, trace.calls.length], ['CALL', 1], 'calls')
  const steps = await node.rpc('debug_traceCall', call, 'latest', {})
  holds(steps.structLogs.length > 100 && steps.failed === false, 'steps without a tracer')
  const account = '0x000000000000000000000000000000000000beef'
  const data = contract.interface.encodeFunctionData('balanceOf', [account])
  const assumed = await node.rpc('debug_traceCall', { ...call, data }, 'latest', { tracer: 'callTracer', stateOverrides: { [account]: { balance: '0x77' } } })
  same(BigInt(assumed.output), 0x77n, 'assumed balance')
  return [trace.calls[0].gasUsed, steps.structLogs.length]
})

check('trace_block and trace_transaction list the calls', ['Nethereum', 'Blockscout'], async (node) => {
  const contract = await node.probe()
  const receipt = await nested(node)
  const traces = await node.rpc('trace_transaction', receipt.transactionHash)
  same(traces.map(({ traceAddress, subtraces, type }) => [traceAddress, subtraces, type]), [[[], 1, 'call'], [[0], 0, 'call']], 'places')
  const [outer] = traces
  same([outer.action.callType, outer.action.to.toLowerCase(), outer.transactionHash], ['call', contract.target.toLowerCase(), receipt.transactionHash], 'outer call')
  holds(isQuantity(outer.result.gasUsed), 'gas is named')
  same(await node.rpc('trace_block', receipt.blockNumber), traces, 'traces of the block')
  return [Number(outer.blockNumber) === Number(receipt.blockNumber), outer.transactionPosition]
})

check('blocks, headers, receipts and transactions are answered as bytes', ['geth console'], async (node) => {
  const { blockNumber, blockHash, transactionHash } = await nested(node)
  const header = await node.rpc('debug_getRawHeader', blockNumber)
  same(keccak256(header), blockHash, 'hash of the header')
  const block = decodeRlp(await node.rpc('debug_getRawBlock', blockNumber))
  same(block[1].length, 1, 'transactions of the block')
  const transaction = await node.rpc('debug_getRawTransaction', transactionHash)
  same(keccak256(transaction), transactionHash, 'hash of the transaction')
  same(await node.rpc('eth_getRawTransactionByHash', transactionHash), transaction, 'the transaction under its other name')
  const receipts = await node.rpc('debug_getRawReceipts', blockNumber)
  same([receipts.length, receipts[0].slice(0, 4)], [1, '0x02'], 'receipts')
  return receipts
})

check('debug_storageRangeAt lists slots as they were before a transaction', ['Remix'], async (node) => {
  const contract = await node.probe()
  await nested(node, 13n)
  const { blockHash } = await nested(node, 14n)
  const range = (index, start, count) => node.rpc('debug_storageRangeAt', blockHash, index, contract.target, start, count)
  const { storage } = await range(0, `0x${'00'.repeat(32)}`, 1000)
  const slot = storage[keccak256(`0x${'00'.repeat(32)}`)]
  same([BigInt(slot.key), BigInt(slot.value)], [0n, 13n], 'slot 0 before the transaction')
  const one = await range(0, `0x${'00'.repeat(32)}`, 1)
  const [key] = Object.keys(one.storage)
  const rest = await range(0, one.nextKey, 1000)
  same(Object.keys({ ...one.storage, ...rest.storage }).sort(), Object.keys(storage).sort(), 'slots page by page')
  holds(BigInt(one.nextKey) > BigInt(key), 'the next page begins later')
  return Number(hex(Object.keys(storage).length))
})
