// Blocks, transactions and receipts: every way of asking gives the same, complete answer.

import { encodeRlp, keccak256, toBeHex } from 'ethers'
import { check, holds, isHash, isQuantity, same } from '../lib/check.mjs'
import { SIGNER } from '../lib/node.mjs'

const HEADER_FIELDS = [
  'parentHash', 'sha3Uncles', 'miner', 'stateRoot', 'transactionsRoot', 'receiptsRoot', 'logsBloom', 'difficulty', 'number', 'gasLimit',
  'gasUsed', 'timestamp', 'extraData', 'mixHash', 'nonce', 'baseFeePerGas', 'withdrawalsRoot', 'blobGasUsed', 'excessBlobGas',
  'parentBeaconBlockRoot', 'requestsHash',
]
const NUMBERS = ['difficulty', 'number', 'gasLimit', 'gasUsed', 'timestamp', 'baseFeePerGas', 'blobGasUsed', 'excessBlobGas']

check('a block has every header field and its hash is the hash of them', ['ethers', 'viem', 'cast'], async (node) => {
  await node.probe()
  const block = await node.rpc('eth_getBlockByNumber', 'latest', false)
  const fields = HEADER_FIELDS.map((name) => {
    holds(block[name] !== undefined, `the block has ${name}`)
    return NUMBERS.includes(name) ? (BigInt(block[name]) === 0n ? '0x' : toBeHex(block[name])) : block[name]
  })
  same(block.hash, keccak256(encodeRlp(fields)), 'hash')
  const parent = await node.rpc('eth_getBlockByHash', block.parentHash, false)
  same(BigInt(parent.number) + 1n, BigInt(block.number), 'number of the parent')
  return { withdrawals: block.withdrawals, uncles: block.uncles, difficulty: block.difficulty }
})

check('a block by number and by hash agree, with hashes and with whole transactions', ['ethers', 'web3.js', 'viem'], async (node) => {
  const receipt = await node.send({ to: node.address(0), value: '0x1' })
  const hashes = await node.rpc('eth_getBlockByNumber', receipt.blockNumber, false)
  same(await node.rpc('eth_getBlockByHash', receipt.blockHash, false), hashes, 'block by hash')
  const whole = await node.rpc('eth_getBlockByNumber', receipt.blockNumber, true)
  same(whole.transactions.map(({ hash }) => hash), hashes.transactions, 'hashes of the transactions')
  same(hashes.transactions, [receipt.transactionHash], 'transactions')
  same(await node.rpc('eth_getBlockTransactionCountByNumber', receipt.blockNumber), '0x1', 'count by number')
  same(await node.rpc('eth_getBlockTransactionCountByHash', receipt.blockHash), '0x1', 'count by hash')
  same(await node.rpc('eth_getBlockByNumber', '0xffffff', false), null, 'block of the future')
  const { from, to, value, input, type } = whole.transactions[0]
  return { from, to, value, input, type }
})

check('a transaction by hash, by block hash and by block number agree', ['web3.js', 'ethers', 'MetaMask'], async (node) => {
  const receipt = await node.send({ to: node.address(0), value: '0x2' })
  const transaction = await node.rpc('eth_getTransactionByHash', receipt.transactionHash)
  same(await node.rpc('eth_getTransactionByBlockHashAndIndex', receipt.blockHash, '0x0'), transaction, 'by block hash')
  same(await node.rpc('eth_getTransactionByBlockNumberAndIndex', receipt.blockNumber, '0x0'), transaction, 'by block number')
  same(await node.rpc('eth_getTransactionByBlockNumberAndIndex', receipt.blockNumber, '0x1'), null, 'beyond the last')
  same(await node.rpc('eth_getTransactionByHash', `0x${'11'.repeat(32)}`), null, 'unknown transaction')
  same(await node.rpc('eth_getTransactionReceipt', `0x${'11'.repeat(32)}`), null, 'unknown receipt')
  for (const name of ['nonce', 'gas', 'gasPrice', 'maxFeePerGas', 'maxPriorityFeePerGas', 'v', 'r', 's', 'chainId']) {
    holds(isQuantity(transaction[name]), `${name} is a quantity`)
  }
  return { input: transaction.input, transactionIndex: transaction.transactionIndex, accessList: transaction.accessList }
})

check('a receipt has every field', ['ethers', 'web3.js', 'viem', 'MetaMask'], async (node) => {
  const contract = await node.probe()
  const receipt = await node.send({ to: contract.target, data: contract.interface.encodeFunctionData('set', [77n]) })
  for (const name of ['transactionHash', 'blockHash']) holds(isHash(receipt[name]), `${name} is a hash`)
  for (const name of ['blockNumber', 'cumulativeGasUsed', 'gasUsed', 'effectiveGasPrice', 'transactionIndex', 'status', 'type']) {
    holds(isQuantity(receipt[name]), `${name} is a quantity`)
  }
  same(receipt.contractAddress ?? null, null, 'contract address')
  holds(receipt.logsBloom.length === 514 && BigInt(receipt.logsBloom) !== 0n, 'the bloom has the event')
  const [log] = receipt.logs
  same([log.transactionHash, log.blockHash, log.blockNumber], [receipt.transactionHash, receipt.blockHash, receipt.blockNumber], 'place of the log')
  const { from, to, type, status, gasUsed, cumulativeGasUsed, logsBloom } = receipt
  return { from, to, type, status, gasUsed, cumulativeGasUsed, logsBloom, log: [log.address, log.topics, log.data, log.logIndex, log.removed] }
})

check('receipts and logs of a block with three transactions are complete and in order', ['viem', 'ethers'], async (node) => {
  const contract = await node.probe()
  const data = contract.interface.encodeFunctionData('tick', [2n])
  const hashes = await node.withoutSealing(async () => {
    const sent = []
    for (const account of [SIGNER.raw, SIGNER.unlocked, SIGNER.evm]) {
      sent.push(await node.rpc('eth_sendTransaction', { from: node.address(account), to: contract.target, data, gas: '0x30d40', gasPrice: '0x12a05f200' }))
    }
    return sent
  })
  const receipts = await Promise.all(hashes.map((hash) => node.receipt(hash)))
  const [{ blockNumber, blockHash }] = receipts
  holds(receipts.every((receipt) => receipt.blockHash === blockHash), 'all are in one block')
  const byIndex = [...receipts].sort((a, b) => a.transactionIndex - b.transactionIndex)
  same(await node.rpc('eth_getBlockReceipts', blockNumber), byIndex, 'receipts of the block')
  const logs = byIndex.flatMap((receipt) => receipt.logs)
  same(logs.map((log) => Number(log.logIndex)), [0, 1, 2, 3, 4, 5], 'log indexes')
  same(await node.rpc('eth_getLogs', { blockHash }), logs, 'logs of the block')
  const gas = byIndex.map((receipt) => BigInt(receipt.gasUsed))
  same(byIndex.map((receipt) => BigInt(receipt.cumulativeGasUsed)), [gas[0], gas[0] + gas[1], gas[0] + gas[1] + gas[2]], 'cumulative gas')
  return gas
})
