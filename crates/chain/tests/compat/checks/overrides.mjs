// Calls on a state or in a block that is not there.

import { check, hex, holds, same } from '../lib/check.mjs'
import { probe } from '../lib/contract.mjs'
import { SIGNER } from '../lib/node.mjs'

const ACCOUNT = '0x000000000000000000000000000000000000beef'
const word = (value) => `0x${BigInt(value).toString(16).padStart(64, '0')}`

async function ask(node) {
  const { target, interface: abi } = await node.probe()
  const call = async (name, args, ...rest) => {
    const data = abi.encodeFunctionData(name, args)
    return abi.decodeFunctionResult(name, await node.rpc('eth_call', { to: target, data }, ...rest))
  }
  return { target, abi, call }
}

check('eth_call sees balance and code that are only assumed', ['viem', 'ethers', 'Remix'], async (node) => {
  const { target, abi, call } = await ask(node)
  const [balance] = await call('balanceOf', [ACCOUNT], 'latest', { [ACCOUNT]: { balance: '0x1234' } })
  same(balance, 0x1234n, 'balance')
  same((await call('balanceOf', [ACCOUNT], 'latest'))[0], 0n, 'balance without the assumption')
  const data = abi.encodeFunctionData('requireSmall', [7n])
  const answer = await node.rpc('eth_call', { to: ACCOUNT, data }, 'latest', { [ACCOUNT]: { code: probe.runtime } })
  same(BigInt(answer), 7n, 'answer of the assumed code')
  same(await node.rpc('eth_getCode', target, 'latest'), probe.runtime, 'code afterwards')
  const viem = await node.viem.readContract({ abi: probe.abi, address: target, functionName: 'balanceOf', args: [ACCOUNT], stateOverride: [{ address: ACCOUNT, balance: 99n }] })
  return [balance, viem]
})

check('eth_call sees slots that are only assumed, alone or among the others', ['viem', 'ethers'], async (node) => {
  const { target, call } = await ask(node)
  const contract = await node.probe()
  await node.send({ to: target, data: contract.interface.encodeFunctionData('set', [500n]) })
  const from = node.address(SIGNER.raw)
  const [changed] = await call('value', [], 'latest', { [target]: { stateDiff: { [word(0)]: word(9) } } })
  const [kept] = await call('notes', [from], 'latest', { [target]: { stateDiff: { [word(0)]: word(9) } } })
  const [gone] = await call('notes', [from], 'latest', { [target]: { state: { [word(0)]: word(9) } } })
  same([changed, kept, gone], [9n, 500n, 0n], 'values')
  return [changed, kept, gone]
})

check('eth_call sees an assumed block, eth_estimateGas an assumed state', ['ethers', 'viem', 'cast'], async (node) => {
  const { target, abi, call } = await ask(node)
  const block = { number: '0x123456', time: '0x7fffffff', feeRecipient: ACCOUNT }
  const [number, timestamp, coinbase] = await call('environment', [], 'latest', {}, block)
  same([number, timestamp, coinbase.toLowerCase()], [0x123456n, 0x7fffffffn, ACCOUNT], 'environment')
  const transfer = { from: ACCOUNT, to: node.address(0), value: '0xde0b6b3a7640000' }
  const gas = await node.rpc('eth_estimateGas', transfer, 'latest', { [ACCOUNT]: { balance: '0x1bc16d674ec80000' } })
  holds(BigInt(gas) >= 21_000n && BigInt(gas) < 22_050n, `the estimate of a transfer with assumed money is ${BigInt(gas)}`)
  const data = abi.encodeFunctionData('set', [1n])
  const failed = await node.rpc('eth_estimateGas', { from: node.address(SIGNER.raw), to: target, data, gas: hex(1_000_000) }, 'latest')
  holds(BigInt(failed) > 21_000n, 'an estimate without assumptions')
  return timestamp
})

check('eth_simulateV1 runs calls in blocks that follow each other', ['viem'], async (node) => {
  const { target } = await ask(node)
  const account = ACCOUNT
  const at = { abi: probe.abi, to: target }
  const [first, second] = await node.viem.simulateBlocks({
    blocks: [
      {
        stateOverrides: [{ address: account, balance: 10n ** 20n }],
        blockOverrides: { time: BigInt(2 ** 33) },
        calls: [{ ...at, account, functionName: 'set', args: [12n] }, { ...at, account, functionName: 'set', args: [1001n] }],
      },
      { calls: [{ ...at, account, functionName: 'value' }, { account, to: node.address(0), value: 5n }] },
    ],
  })
  same(first.timestamp, BigInt(2 ** 33), 'time of the first block')
  same(second.number, first.number + 1n, 'number of the second block')
  same([first.calls[0].status, first.calls[1].status], ['success', 'failure'], 'statuses')
  same([second.calls[0].result, second.calls[1].status], [12n, 'success'], 'value in the second block')
  holds(first.calls[0].logs.length === 1, 'the event of the first call')
  same(await node.rpc('eth_getTransactionCount', account, 'latest'), '0x0', 'nonce afterwards')
  const calls = await node.viem.simulateCalls({ account, calls: [{ ...at, functionName: 'requireSmall', args: [3n] }] })
  return [first.calls[0].gasUsed, calls.results[0].result]
})
