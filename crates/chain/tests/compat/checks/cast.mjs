// cast, the command-line client.

import { check, holds, same } from '../lib/check.mjs'
import { probe } from '../lib/contract.mjs'
import { SIGNER } from '../lib/node.mjs'

const ACCOUNT = '0x0000000000000000000000000000000000ca5701'

check('cast reads the chain: block, transaction, receipt, balance, nonce, storage', ['cast'], async (node) => {
  const { target } = await node.probe()
  const receipt = await node.send({ to: ACCOUNT, value: '0x9' })
  same(Number(await node.cast('chain-id')), node.chainId, 'chain id')
  same((await node.castJson('block', String(Number(receipt.blockNumber)))).hash, receipt.blockHash, 'block')
  same((await node.castJson('tx', receipt.transactionHash)).hash, receipt.transactionHash, 'transaction')
  same((await node.castJson('receipt', receipt.transactionHash)).transactionHash, receipt.transactionHash, 'receipt')
  same(await node.cast('balance', ACCOUNT), BigInt(await node.rpc('eth_getBalance', ACCOUNT, 'latest')).toString(), 'balance')
  same(await node.cast('code', target), probe.runtime, 'code')
  const slot = await node.cast('storage', target, '0')
  same(slot, await node.rpc('eth_getStorageAt', target, '0x0', 'latest'), 'storage')
  return [await node.cast('nonce', ACCOUNT), Number(await node.cast('rpc', 'eth_hashrate').then(JSON.parse))]
})

check('cast sends: signed, from an unlocked account, a new contract, a blob', ['cast'], async (node) => {
  const { target } = await node.probe()
  const key = ['--private-key', node.accounts[SIGNER.cast].key]
  const signed = await node.castJson('send', ...key, target, 'set(uint256)', '71')
  same([signed.status, signed.logs.length], ['0x1', 1], 'signed')
  const unlocked = await node.castJson('send', '--unlocked', '--from', node.address(SIGNER.unlocked), target, 'set(uint256)', '72')
  same(unlocked.status, '0x1', 'unlocked')
  const created = await node.castJson('send', ...key, '--create', `${probe.bytecode}${(5).toString(16).padStart(64, '0')}`)
  same(await node.cast('call', created.contractAddress, 'value()(uint256)'), '5', 'value of the new contract')
  const blob = await node.castJson('send', ...key, '--blob', '--path', new URL('../Probe.sol', import.meta.url).pathname, target, 'recordBlobHash()')
  same([blob.status, blob.type], ['0x1', '0x3'], 'blob')
  return [signed.gasUsed, unlocked.gasUsed, created.contractAddress]
})

check('cast calls, estimates, lists accesses, finds logs and proofs', ['cast'], async (node) => {
  const { target } = await node.probe()
  const from = ['--from', node.address(SIGNER.raw)]
  same(await node.cast('call', target, 'requireSmall(uint256)(uint256)', '44'), '44', 'call')
  const gas = Number(await node.cast('estimate', ...from, target, 'set(uint256)', '45'))
  holds(gas > 21_000, 'an estimate')
  const list = await node.castJson('access-list', ...from, target, 'set(uint256)', '45')
  holds(JSON.stringify(list).toLowerCase().includes(target.toLowerCase()), 'the access list names the contract')
  const sent = await node.send({ to: target, data: `0x60fe47b1${(46).toString(16).padStart(64, '0')}` })
  const block = String(Number(sent.blockNumber))
  const logs = await node.castJson('logs', '--from-block', block, '--to-block', block, '--address', target)
  same(logs.map((log) => log.transactionHash), [sent.transactionHash], 'logs')
  const proof = await node.castJson('proof', target, '0x0')
  same(BigInt(proof.storageProof[0].value), 46n, 'proved value')
  return logs[0].topics
})

check('cast replays a transaction and traces it', ['cast'], async (node) => {
  const { target, interface: abi } = await node.probe()
  const { transactionHash } = await node.send({ to: target, data: abi.encodeFunctionData('setThroughCall', [47n]) })
  const replay = await node.cast('run', '--quick', transactionHash)
  holds(/Transaction successfully executed/i.test(replay), `the replay succeeds: ${replay.slice(-200)}`)
  const { gasUsed } = await node.rpc('eth_getTransactionReceipt', transactionHash)
  holds(replay.includes(String(Number(gasUsed))), 'the replay uses the same gas')
  const calls = await node.castJson('rpc', 'debug_traceTransaction', transactionHash, '{"tracer":"callTracer"}')
  return calls.calls.length
})
