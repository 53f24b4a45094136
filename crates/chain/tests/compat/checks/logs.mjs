// Logs: queries and polled filters.

import { check, failure, hex, holds, isHash, same, until } from '../lib/check.mjs'
import { probe } from '../lib/contract.mjs'
import { SIGNER } from '../lib/node.mjs'

/** Emits `count` ticks and returns the receipt. */
async function tick(node, count) {
  const contract = await node.probe()
  return node.send({ to: contract.target, data: contract.interface.encodeFunctionData('tick', [BigInt(count)]) })
}

const number = (value) => hex(value).replace('0x', '0x'.padEnd(66 - (hex(value).length - 2), '0'))

async function topics(node) {
  const { interface: abi } = await node.probe()
  return { tick: abi.getEvent('Tick').topicHash, valueSet: abi.getEvent('ValueSet').topicHash }
}

check('eth_getLogs filters by address and topic', ['ethers', 'web3.js', 'viem'], async (node) => {
  const { target } = await node.probe()
  const { blockNumber } = await tick(node, 4)
  const event = (await topics(node)).tick
  const range = { fromBlock: blockNumber, toBlock: blockNumber }
  const logs = await node.rpc('eth_getLogs', { ...range, address: target, topics: [event, number(2)] })
  same(logs.length, 1, 'number of logs')
  same(await node.rpc('eth_getLogs', { ...range, address: node.address(0) }), [], 'logs of another address')
  same(await node.rpc('eth_getLogs', { ...range, topics: [event, number(9)] }), [], 'logs with another topic')
  return logs.map((log) => [log.address, log.topics, log.data, log.logIndex, log.transactionIndex, log.removed])
})

check('eth_getLogs takes alternatives, gaps, several addresses and a block hash', ['ethers', 'viem'], async (node) => {
  const { target } = await node.probe()
  const { blockHash } = await tick(node, 5)
  const event = await topics(node)
  const address = [node.address(0), target]
  const query = (topics) => node.rpc('eth_getLogs', { blockHash, address, topics })
  const alternatives = await query([[event.valueSet, event.tick], [number(1), number(3)]])
  const gap = await query([null, number(4)])
  same([alternatives.length, gap.length, (await query([])).length, (await query([event.valueSet])).length], [2, 1, 5, 0], 'numbers of logs')
  const both = node.rpc('eth_getLogs', { blockHash, fromBlock: '0x0' })
  const error = await failure(both, 'a block hash together with a range')
  holds(typeof error.code === 'number', 'the refusal has a code')
  return [alternatives, gap].map((logs) => logs.map((log) => log.topics))
})

check('ethers queries events by filter', ['ethers'], async (node) => {
  const contract = await node.probe()
  const { blockNumber } = await tick(node, 3)
  const events = await contract.queryFilter(contract.filters.Tick(1n), Number(blockNumber), Number(blockNumber))
  same(events.map((event) => event.args.number), [1n], 'events')
  return events.map((event) => [event.index, event.topics])
})

check('web3.js gets past events', ['web3.js', 'Remix'], async (node) => {
  const { target } = await node.probe()
  const { blockNumber } = await tick(node, 3)
  const contract = new node.web3.eth.Contract(probe.abi, target)
  const events = await contract.getPastEvents('Tick', { filter: { number: [0, 2] }, fromBlock: blockNumber, toBlock: blockNumber })
  same(events.map((event) => event.returnValues.number), [0n, 2n], 'events')
  return events.map((event) => event.logIndex)
})

check('viem gets contract events and polls its event filter', ['viem'], async (node) => {
  const { target } = await node.probe()
  const at = { abi: probe.abi, address: target, eventName: 'Tick' }
  const filter = await node.viem.createContractEventFilter(at)
  const { blockNumber } = await tick(node, 2)
  const changes = await node.viem.getFilterChanges({ filter })
  same(changes.map((log) => log.args.number), [0n, 1n], 'changes')
  same(await node.viem.getFilterChanges({ filter }), [], 'changes when asked again')
  const events = await node.viem.getContractEvents({ ...at, fromBlock: BigInt(blockNumber), toBlock: BigInt(blockNumber) })
  same(events.map((log) => log.args.number), [0n, 1n], 'events')
  return await node.viem.uninstallFilter({ filter })
})

check('a log filter reports each new log once', ['ethers', 'web3.js'], async (node) => {
  const { target } = await node.probe()
  const filter = await node.rpc('eth_newFilter', { address: target, topics: [(await topics(node)).tick] })
  same(await node.rpc('eth_getFilterChanges', filter), [], 'changes before')
  const first = await tick(node, 1)
  const second = await tick(node, 2)
  const changes = await node.rpc('eth_getFilterChanges', filter)
  same(changes, [...first.logs, ...second.logs], 'changes')
  same(await node.rpc('eth_getFilterChanges', filter), [], 'changes after')
  return changes.map((log) => log.topics[1])
})

check('eth_getFilterLogs answers every log of a filter each time', ['web3.js', 'viem'], async (node) => {
  const { target } = await node.probe()
  const { blockNumber, logs } = await tick(node, 3)
  const filter = await node.rpc('eth_newFilter', { address: target, fromBlock: blockNumber, toBlock: 'latest' })
  same(await node.rpc('eth_getFilterLogs', filter), logs, 'logs')
  same(await node.rpc('eth_getFilterLogs', filter), logs, 'logs when asked again')
  const blockFilter = await node.rpc('eth_newBlockFilter')
  await failure(node.rpc('eth_getFilterLogs', blockFilter), 'a block filter')
  return logs.length
})

check('a block filter reports the hash of each new block', ['ethers', 'web3.js', 'viem'], async (node) => {
  const filter = await node.rpc('eth_newBlockFilter')
  const first = await tick(node, 1)
  const second = await tick(node, 1)
  same(await node.rpc('eth_getFilterChanges', filter), [first.blockHash, second.blockHash], 'changes')
  same(await node.rpc('eth_getFilterChanges', filter), [], 'changes when asked again')
  return true
})

check('a pending transaction filter reports the hash of each new transaction', ['web3.js', 'viem'], async (node) => {
  const filter = await node.rpc('eth_newPendingTransactionFilter')
  const { transactionHash } = await tick(node, 1)
  const seen = []
  await until(async () => {
    seen.push(...(await node.rpc('eth_getFilterChanges', filter)))
    return seen.includes(transactionHash)
  }, 'the transaction')
  holds(seen.every(isHash), 'all are hashes')
  return seen.length
})

check('a filter that was removed, and one that never was, are unknown', ['ethers', 'web3.js'], async (node) => {
  const filter = await node.rpc('eth_newFilter', {})
  same(await node.rpc('eth_uninstallFilter', filter), true, 'first removal')
  same(await node.rpc('eth_uninstallFilter', filter), false, 'second removal')
  const unknown = '0x123456'
  same(await node.rpc('eth_uninstallFilter', unknown), false, 'removal of an unknown filter')
  // anvil answers an empty list here, where ethers and web3.js expect the error to create the filter again.
  await failure(node.rpc('eth_getFilterChanges', filter), 'a removed filter')
  return true
})

check('events sent while ethers listens arrive at the listener', ['ethers'], async (node) => {
  const contract = await node.probe(SIGNER.ethers)
  const seen = []
  await contract.on('ValueSet', (account, value) => seen.push([account, value]))
  try {
    await (await contract.set(314n)).wait()
    await until(() => seen.length > 0, 'the event')
  } finally {
    await contract.off('ValueSet')
  }
  same(seen, [[node.address(SIGNER.ethers), 314n]], 'events')
  return seen
})
