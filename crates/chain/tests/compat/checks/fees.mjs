// What a transaction will cost.

import { check, hex, holds, isQuantity, same, until } from '../lib/check.mjs'
import { SIGNER } from '../lib/node.mjs'

check('fee suggestions cover the base fee', ['MetaMask', 'ethers', 'web3.js', 'viem'], async (node) => {
  const { gasPrice, maxFeePerGas, maxPriorityFeePerGas } = await node.ethers.getFeeData()
  const { baseFeePerGas } = await node.ethers.getBlock('latest')
  holds(gasPrice >= baseFeePerGas, `gas price ${gasPrice} covers the base fee ${baseFeePerGas}`)
  holds(maxFeePerGas >= baseFeePerGas + maxPriorityFeePerGas, 'the largest fee covers base fee and tip')
  holds(isQuantity(await node.rpc('eth_maxPriorityFeePerGas')), 'the tip is a quantity')
  const viem = await node.viem.estimateFeesPerGas()
  holds(viem.maxFeePerGas >= baseFeePerGas, 'the fee that viem estimates covers the base fee')
  return true
})

check('eth_feeHistory reports base fees, fill, tips and blob fees', ['MetaMask', 'viem', 'web3.js'], async (node) => {
  const { blockNumber } = await node.send({ to: node.address(0), value: '0x1' })
  // Anvil's history follows its blocks a moment later.
  const history = await until(async () => {
    const answer = await node.rpc('eth_feeHistory', '0x3', blockNumber, [10, 50, 90])
    return answer.gasUsedRatio.length === 3 && answer
  }, 'the history of three blocks')
  same(Number(history.oldestBlock), Number(blockNumber) - 2, 'oldest block')
  same([history.baseFeePerGas.length, history.reward.length], [4, 3], 'lengths')
  same([history.baseFeePerBlobGas.length, history.blobGasUsedRatio.length], [4, 3], 'lengths of the blob part')
  const block = await node.rpc('eth_getBlockByNumber', blockNumber, false)
  same(history.baseFeePerGas[2], block.baseFeePerGas, 'base fee of the block')
  const ratio = Number(block.gasUsed) / Number(block.gasLimit)
  holds(Math.abs(history.gasUsedRatio[2] - ratio) < 1e-6, `fill ${history.gasUsedRatio[2]} is ${ratio}`)
  holds(history.reward.every((tips) => tips.length === 3 && tips.every(isQuantity)), 'three tips for each block')
  const next = await node.send({ to: node.address(0), value: '0x1' })
  const after = await node.rpc('eth_getBlockByNumber', next.blockNumber, false)
  same(history.baseFeePerGas[3], after.baseFeePerGas, 'base fee of the next block')
  return history.baseFeePerBlobGas
})

check('eth_blobBaseFee answers the price of blob gas', ['viem', 'cast'], async (node) => {
  const fee = await node.viem.getBlobBaseFee()
  same(hex(fee), await node.rpc('eth_blobBaseFee'), 'fee')
  holds(fee >= 1n, 'it is at least one wei')
  return fee
})

check('eth_estimateGas is enough and not much more than needed', ['MetaMask', 'Remix', 'ethers', 'web3.js', 'viem'], async (node) => {
  const contract = await node.probe()
  const call = { from: node.address(SIGNER.raw), to: contract.target, data: contract.interface.encodeFunctionData('tick', [20n]) }
  const estimate = BigInt(await node.rpc('eth_estimateGas', call))
  const receipt = await node.send({ ...call, gas: hex(estimate) })
  same(receipt.status, '0x1', 'status with the estimated gas')
  const used = BigInt(receipt.gasUsed)
  holds(estimate * 100n <= used * 105n, `the estimate ${estimate} is within 5 % of ${used}`)
  const transfer = BigInt(await node.rpc('eth_estimateGas', { from: node.address(0), to: node.address(1), value: '0x1' }))
  holds(transfer >= 21000n && transfer <= 22050n, `the estimate of a transfer ${transfer} is within 5 % of 21000`)
  return used
})

check('eth_createAccessList names the slots that a call touches', ['viem', 'cast', 'ethers'], async (node) => {
  const contract = await node.probe()
  const call = { from: node.address(SIGNER.raw), to: contract.target, data: contract.interface.encodeFunctionData('set', [5n]) }
  const { accessList, gasUsed } = await node.rpc('eth_createAccessList', call, 'latest')
  const own = accessList.find((entry) => entry.address.toLowerCase() === contract.target.toLowerCase())
  holds(own?.storageKeys.includes(`0x${'00'.repeat(32)}`), 'slot 0 is in the list')
  same(own.storageKeys.length, 2, 'number of slots')
  const receipt = await node.send({ ...call, accessList })
  same(receipt.status, '0x1', 'status with the list')
  holds(BigInt(gasUsed) >= 21000n, 'gas is named')
  return [...own.storageKeys].sort()
})
