// Steering the chain in tests: time, sealing, snapshots, assumed senders and states.

import { check, failure, hex, holds, same, until } from '../lib/check.mjs'
import { SIGNER } from '../lib/node.mjs'

const ACCOUNT = '0x000000000000000000000000000000000071e501'

async function head(node) {
  const { number, timestamp } = await node.rpc('eth_getBlockByNumber', 'latest', false)
  return { number: Number(number), timestamp: Number(timestamp) }
}

check('blocks are sealed on request, one or many', ['ethers', 'viem', 'Remix'], async (node) => {
  const { number } = await head(node)
  await node.rpc('evm_mine')
  same((await head(node)).number, number + 1, 'number after one')
  const before = await head(node)
  await node.viemTest.mine({ blocks: 5, interval: 60 })
  const after = await head(node)
  same(after.number, number + 6, 'number after five more')
  holds(after.timestamp - before.timestamp >= 240, 'the five are a minute apart')
  return after.number - number
})

check('time moves forward and the next timestamp can be set', ['ethers', 'viem', 'Remix'], async (node) => {
  const before = await head(node)
  await node.rpc('evm_increaseTime', 3600)
  await node.rpc('evm_mine')
  const moved = (await head(node)).timestamp - before.timestamp
  holds(moved >= 3600 && moved < 3660, `an hour has passed: ${moved} s`)
  const next = (await head(node)).timestamp + 1000
  await node.viemTest.setNextBlockTimestamp({ timestamp: BigInt(next) })
  const contract = await node.probe()
  const { blockNumber } = await node.send({ to: contract.target, data: contract.interface.encodeFunctionData('tick', [1n]) })
  same(Number((await node.rpc('eth_getBlockByNumber', blockNumber, false)).timestamp), next, 'timestamp')
  await failure(node.rpc('evm_setNextBlockTimestamp', next - 500), 'a timestamp of the past')
  await node.rpc('evm_increaseTime', hex(60))
  await node.rpc('evm_mine')
  holds((await head(node)).timestamp >= next + 60, 'time runs on from there')
  return true
})

check('a snapshot brings balance, blocks and time back', ['viem', 'ethers'], async (node) => {
  const before = await head(node)
  const balance = await node.rpc('eth_getBalance', ACCOUNT, 'latest')
  const id = await node.viemTest.snapshot()
  const { transactionHash } = await node.send({ to: ACCOUNT, value: '0x123' })
  await node.rpc('evm_mine')
  await node.viemTest.revert({ id })
  same(await head(node), before, 'head')
  same(await node.rpc('eth_getBalance', ACCOUNT, 'latest'), balance, 'balance')
  same(await node.rpc('eth_getTransactionByHash', transactionHash), null, 'the transaction that never was')
  same((await node.send({ to: ACCOUNT, value: '0x124' })).status, '0x1', 'status of a new transaction')
  same(BigInt(await node.rpc('eth_getBalance', ACCOUNT, 'latest')), BigInt(balance) + 0x124n, 'balance after it')
  return await node.rpc('evm_revert', id).catch(() => false)
})

check('sealing is switched off, to intervals, and on', ['viem', 'Remix'], async (node) => {
  same(await node.viemTest.getAutomine(), true, 'whether it seals at once at first')
  const { number } = await head(node)
  await node.rpc('evm_setAutomine', false)
  const hash = await node.rpc('eth_sendTransaction', { from: node.address(SIGNER.evm), to: ACCOUNT, value: '0x1', gas: '0x5208' })
  same([(await head(node)).number, await node.rpc('eth_getTransactionReceipt', hash)], [number, null], 'head and receipt without sealing')
  same(await node.viemTest.getAutomine(), false, 'whether it seals at once')
  await node.viemTest.setIntervalMining({ interval: 1 })
  same((await node.receipt(hash)).status, '0x1', 'status once the interval is over')
  const first = (await head(node)).number
  await until(async () => (await head(node)).number > first, 'an empty block of the interval')
  await node.viemTest.setIntervalMining({ interval: 0 })
  await node.rpc('evm_setAutomine', true)
  same((await node.send({ to: ACCOUNT, value: '0x1' })).status, '0x1', 'status when it seals at once again')
  return true
})

check('a foreign account sends while it is impersonated', ['viem', 'ethers'], async (node) => {
  const address = '0x00000000000000000000000000000000000f0e19'
  await node.viemTest.setBalance({ address, value: 10n ** 18n })
  await failure(node.rpc('eth_sendTransaction', { from: address, to: ACCOUNT, value: '0x1', gas: '0x5208' }), 'a foreign account')
  await node.viemTest.impersonateAccount({ address })
  const receipt = await node.receipt(await node.rpc('eth_sendTransaction', { from: address, to: ACCOUNT, value: '0x1', gas: '0x5208' }))
  same([receipt.status, receipt.from.toLowerCase()], ['0x1', address], 'status and sender')
  const contract = await node.probe()
  const call = { from: address, to: contract.target, data: contract.interface.encodeFunctionData('set', [5n]) }
  await node.receipt(await node.rpc('eth_sendTransaction', call))
  same(await contract.notes(address), 5n, 'note of the impersonated sender')
  await node.viemTest.stopImpersonatingAccount({ address })
  await failure(node.rpc('eth_sendTransaction', { from: address, to: ACCOUNT, value: '0x1', gas: '0x5208' }), 'a foreign account again')
  return await node.rpc('eth_getTransactionCount', address, 'latest')
})

check('balance, nonce, code and storage are set', ['viem', 'ethers'], async (node) => {
  const address = '0x00000000000000000000000000000000000c0de1'
  await node.viemTest.setBalance({ address, value: 777n })
  await node.viemTest.setCode({ address, bytecode: '0x60005460005260206000f3' })
  await node.viemTest.setStorageAt({ address, index: 0, value: `0x${'2a'.padStart(64, '0')}` })
  await node.viemTest.setNonce({ address, nonce: 9 })
  same(BigInt(await node.rpc('eth_getBalance', address, 'latest')), 777n, 'balance')
  same(await node.rpc('eth_getTransactionCount', address, 'latest'), '0x9', 'nonce')
  same(BigInt(await node.rpc('eth_call', { to: address }, 'latest')), 42n, 'answer of the code')
  await node.rpc('hardhat_setBalance', address, hex(778))
  same(await node.viem.getBalance({ address }), 778n, 'balance by the name of another tool')
  return await node.rpc('eth_getCode', address, 'latest')
})
