// What a node reports by itself over a WebSocket.

import { Contract, Network, WebSocketProvider } from 'ethers'
import { createPublicClient, webSocket } from 'viem'
import { Web3 } from 'web3'
import { check, failure, holds, isHash, same, until } from '../lib/check.mjs'
import { probe } from '../lib/contract.mjs'

async function tick(node, count) {
  const contract = await node.probe()
  return node.send({ to: contract.target, data: contract.interface.encodeFunctionData('tick', [BigInt(count)]) })
}

check('a WebSocket reports new blocks', ['ethers', 'viem', 'web3.js'], async (node) =>
  node.withSocket(async (socket) => {
    const id = await socket.rpc(1, 'eth_subscribe', 'newHeads')
    const receipt = await tick(node, 1)
    const head = await socket.notified(id, ({ hash }) => hash === receipt.blockHash)
    const block = await node.rpc('eth_getBlockByHash', receipt.blockHash, false)
    for (const name of ['number', 'parentHash', 'timestamp', 'stateRoot', 'logsBloom', 'baseFeePerGas', 'gasLimit', 'gasUsed']) {
      same(head[name], block[name], name)
    }
    return true
  }),
)

check('a WebSocket reports the log events that a filter asks for', ['ethers', 'viem', 'web3.js'], async (node) =>
  node.withSocket(async (socket) => {
    const contract = await node.probe()
    const topic = contract.interface.getEvent('Tick').topicHash
    const second = `0x${'1'.padStart(64, '0')}`
    const wanted = await socket.rpc(1, 'eth_subscribe', 'logs', { address: contract.target, topics: [topic, second] })
    const other = await socket.rpc(2, 'eth_subscribe', 'logs', { address: node.address(0) })
    const receipt = await tick(node, 3)
    same(await socket.notified(wanted), receipt.logs[1], 'log event')
    const all = await socket.rpc(3, 'eth_subscribe', 'logs', {})
    const next = await tick(node, 1)
    same(await socket.notified(all), next.logs[0], 'log event without a filter')
    same(socket.notifications.filter(({ subscription }) => subscription === other), [], 'events of another address')
    same(socket.notifications.filter(({ subscription }) => subscription === wanted).length, 1, 'number of wanted events')
    return receipt.logs[1].topics
  }),
)

check('a WebSocket reports transactions that wait', ['viem', 'web3.js'], async (node) =>
  node.withSocket(async (socket) => {
    const id = await socket.rpc(1, 'eth_subscribe', 'newPendingTransactions')
    const { transactionHash } = await tick(node, 1)
    return isHash(await socket.notified(id, (hash) => hash === transactionHash))
  }),
)

check('a subscription ends when asked, and an unknown kind is refused', ['ethers', 'web3.js'], async (node) =>
  node.withSocket(async (socket) => {
    const id = await socket.rpc(1, 'eth_subscribe', 'newHeads')
    const kept = await socket.rpc(2, 'eth_subscribe', 'newHeads')
    same(await socket.rpc(3, 'eth_unsubscribe', id), true, 'answer to the end')
    const receipt = await tick(node, 1)
    await socket.notified(kept, ({ hash }) => hash === receipt.blockHash)
    same(socket.notifications.filter(({ subscription }) => subscription === id), [], 'notifications after the end')
    holds(id !== kept, 'subscriptions have ids of their own')
    await failure(socket.rpc(4, 'eth_subscribe', 'newNonsense'), 'an unknown kind')
    return true
  }),
)

check('ethers, viem and web3.js listen over their WebSockets', ['ethers', 'viem', 'web3.js'], async (node) => {
  const { target } = await node.probe()
  const ethers = new WebSocketProvider(node.webSocketUrl, Network.from(node.chainId), { staticNetwork: true })
  const transport = webSocket(node.webSocketUrl, { retryCount: 0, reconnect: false })
  const viem = createPublicClient({ chain: node.viem.chain, transport })
  const web3 = new Web3(node.webSocketUrl)
  const seen = { ethers: [], viem: [], web3: [] }
  let unwatch
  try {
    const contract = new Contract(target, probe.abi, ethers)
    await contract.on('Tick', (number) => seen.ethers.push(number))
    unwatch = viem.watchBlockNumber({ onBlockNumber: (number) => seen.viem.push(number) })
    const subscription = await new web3.eth.Contract(probe.abi, target).events.Tick({})
    subscription.on('data', (event) => seen.web3.push(event.returnValues.number))
    // Libraries say that they listen before the chain has heard of it, so the event comes until all have seen one.
    await until(async () => {
      const all = seen.viem.length && seen.ethers.length && seen.web3.length
      if (!all) await tick(node, 1)
      return all
    }, 'ethers, viem and web3.js to see the event')
  } finally {
    unwatch?.()
    await ethers.destroy()
    const { socket } = await transport({ chain: node.viem.chain }).value?.getRpcClient?.() ?? {}
    socket?.close()
    web3.currentProvider.disconnect()
  }
  return [seen.ethers[0], seen.web3[0]]
})
