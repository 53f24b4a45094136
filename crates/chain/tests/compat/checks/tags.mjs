// Which block is meant: tags, waiting transactions, and the state at old blocks.

import { check, hex, holds, isHash, same } from '../lib/check.mjs'
import { SIGNER } from '../lib/node.mjs'

check('latest, earliest, safe and finalized name blocks', ['ethers', 'viem', 'web3.js'], async (node) => {
  const numbers = {}
  for (const tag of ['earliest', 'finalized', 'safe', 'latest']) {
    const block = await node.viem.getBlock({ blockTag: tag })
    holds(isHash(block.hash), `${tag} has a hash`)
    numbers[tag] = block.number
    await node.rpc('eth_getBalance', node.address(0), tag)
  }
  same(numbers.earliest, 0n, 'number of the earliest')
  holds(numbers.finalized <= numbers.safe && numbers.safe <= numbers.latest, 'finalized, safe and latest follow each other')
  same(numbers.latest, BigInt(await node.rpc('eth_blockNumber')), 'number of the latest')
  return true
})

check('the pending block, calls on it and the pending nonce see waiting transactions', ['ethers', 'viem', 'MetaMask'], async (node) => {
  const contract = await node.probe()
  const from = node.address(SIGNER.unlocked)
  const before = await node.rpc('eth_getTransactionCount', from, 'latest')
  await node.send({ to: contract.target, data: contract.interface.encodeFunctionData('set', [1n]) })
  return node.withoutSealing(async () => {
    const data = contract.interface.encodeFunctionData('set', [88n])
    const hash = await node.rpc('eth_sendTransaction', { from, to: contract.target, data, gas: hex(200_000) })
    const pending = await node.rpc('eth_getBlockByNumber', 'pending', false)
    same(pending.transactions, [hash], 'transactions of the pending block')
    same(BigInt(pending.number), BigInt(await node.rpc('eth_blockNumber')) + 1n, 'its number')
    same(await contract.value({ blockTag: 'pending' }), 88n, 'pending value')
    same(await contract.value({ blockTag: 'latest' }), 1n, 'latest value')
    same(BigInt(await node.rpc('eth_getTransactionCount', from, 'pending')), BigInt(before) + 1n, 'pending nonce')
    same(await node.rpc('eth_getTransactionCount', from, 'latest'), before, 'latest nonce')
    const waiting = await node.rpc('eth_getTransactionByHash', hash)
    same([waiting.blockHash, waiting.blockNumber, waiting.transactionIndex], [null, null, null], 'place of the waiting transaction')
    same(await node.rpc('eth_getTransactionReceipt', hash), null, 'its receipt')
    return Number(await node.rpc('eth_getBlockTransactionCountByNumber', 'pending'))
  })
})

check('state at an old block is answered by number and by hash', ['ethers', 'viem', 'web3.js'], async (node) => {
  const contract = await node.probe()
  const set = (value) => node.send({ to: contract.target, data: contract.interface.encodeFunctionData('set', [value]) })
  const old = await set(101n)
  await set(102n)
  const call = { to: contract.target, data: contract.interface.encodeFunctionData('value') }
  for (const block of [old.blockNumber, { blockNumber: old.blockNumber }, { blockHash: old.blockHash }]) {
    same(BigInt(await node.rpc('eth_call', call, block)), 101n, 'old value by call')
    same(BigInt(await node.rpc('eth_getStorageAt', contract.target, '0x0', block)), 101n, 'old value by slot')
  }
  same(BigInt(await node.rpc('eth_call', call, 'latest')), 102n, 'latest value')
  same(await node.rpc('eth_getCode', contract.target, '0x0'), '0x', 'code before the contract was there')
  same(await node.rpc('eth_getStorageAt', contract.target, '0x0', 'latest'), `0x${(102).toString(16).padStart(64, '0')}`, 'form of a slot')
  return (await node.viem.getBalance({ address: node.address(0), blockNumber: 0n })).toString()
})

check('the block may be left out and is then the latest', ['web3.js', 'cast'], async (node) => {
  const { target } = await node.probe()
  same(await node.rpc('eth_getBalance', target), await node.rpc('eth_getBalance', target, 'latest'), 'balance')
  same(await node.rpc('eth_getCode', target), await node.rpc('eth_getCode', target, 'latest'), 'code')
  same(await node.rpc('eth_call', { to: target, data: '0x3fa4f245' }), await node.rpc('eth_call', { to: target, data: '0x3fa4f245' }, 'latest'), 'answer of a call')
  return node.rpc('eth_getTransactionCount', target)
})
