// Deploying, calling and sending, as each library does it.

import { Contract, ContractFactory, isError } from 'ethers'
import { decodeErrorResult } from 'viem'
import { check, failure, holds, isQuantity, same } from '../lib/check.mjs'
import { probe } from '../lib/contract.mjs'
import { SIGNER } from '../lib/node.mjs'

check('ethers deploys a contract, finds its code and calls it', ['ethers', 'Remix'], async (node) => {
  const contract = await new ContractFactory(probe.abi, probe.bytecode, node.wallet(SIGNER.ethers)).deploy(41n, { value: 5n })
  await contract.waitForDeployment()
  const address = await contract.getAddress()
  const receipt = await contract.deploymentTransaction().wait()
  same(receipt.contractAddress, address, 'contract address of the receipt')
  same(await node.ethers.getCode(address), probe.runtime, 'code')
  same(await contract.value(), 41n, 'value')
  same(await node.ethers.getBalance(address), 5n, 'balance')
  return { address, gasUsed: receipt.gasUsed }
})

check('ethers sends to a contract and reads the event from the receipt', ['ethers', 'Remix'], async (node) => {
  const contract = await node.probe()
  const receipt = await (await contract.set(42n)).wait()
  const event = contract.interface.parseLog(receipt.logs[0])
  same([event.name, event.args.account, event.args.value, event.args.text], ['ValueSet', node.address(SIGNER.ethers), 42n, 'set'], 'event')
  same(await contract.value(), 42n, 'value')
  return { gasUsed: receipt.gasUsed, logs: receipt.logs.length, status: receipt.status }
})

check('ethers decodes the custom error of a call', ['ethers', 'Remix'], async (node) => {
  const contract = await node.probe()
  const error = await failure(contract.set.staticCall(1001n), 'a value above the limit')
  holds(isError(error, 'CALL_EXCEPTION'), `${error.code} is CALL_EXCEPTION`)
  same([error.revert?.name, [...(error.revert?.args ?? [])]], ['TooLarge', [1001n, 1000n]], 'error')
  return error.data
})

check('eth_estimateGas of a call that reverts answers code 3 and the revert data', ['ethers', 'viem', 'MetaMask'], async (node) => {
  const contract = await node.probe()
  const data = contract.interface.encodeFunctionData('set', [2000n])
  const error = await failure(node.rpc('eth_estimateGas', { from: node.address(0), to: contract.target, data }), 'the estimate')
  same(error.code, 3, 'error code')
  holds(error.rpcMessage.startsWith('execution reverted'), `"${error.rpcMessage}" starts with "execution reverted"`)
  const { errorName, args } = decodeErrorResult({ abi: probe.abi, data: error.data })
  same([errorName, args], ['TooLarge', [2000n, 1000n]], 'error')
  return { code: error.code, data: error.data }
})

check('ethers decodes a reason string and a division by zero', ['ethers', 'Remix', 'MetaMask'], async (node) => {
  const contract = await node.probe()
  const reason = await failure(contract.requireSmall(1001n), 'a number above the limit')
  same(reason.reason, 'number is too large', 'reason')
  const panic = await failure(contract.divide(1n, 0n), 'a division by zero')
  same([panic.revert?.name, BigInt(panic.revert?.args[0] ?? 0)], ['Panic', 0x12n], 'error')
  return [reason.data, panic.data]
})

check('web3.js deploys, calls, sends and reads the event', ['web3.js', 'Remix'], async (node) => {
  const from = node.address(SIGNER.web3)
  const factory = new node.web3.eth.Contract(probe.abi)
  const contract = await factory.deploy({ data: probe.bytecode, arguments: [11] }).send({ from, gas: '2000000' })
  same(await contract.methods.value().call(), 11n, 'value')
  const receipt = await contract.methods.set(12).send({ from, gas: '200000' })
  same(receipt.events.ValueSet.returnValues.value, 12n, 'value of the event')
  same(await contract.methods.value().call(), 12n, 'value')
  return { address: contract.options.address, gasUsed: receipt.gasUsed, status: receipt.status }
})

check('web3.js names the custom error of a call', ['web3.js'], async (node) => {
  const contract = await node.probe()
  const same3 = new node.web3.eth.Contract(probe.abi, contract.target)
  const error = await failure(same3.methods.set(1001).call({ from: node.address(SIGNER.web3) }), 'a value above the limit')
  same([error.cause?.errorName, error.cause?.errorArgs?.value, error.cause?.errorArgs?.limit], ['TooLarge', 1001n, 1000n], 'error')
  return error.cause.data
})

check('viem deploys, reads, simulates and writes', ['viem'], async (node) => {
  const wallet = node.viemWallet(SIGNER.viem)
  const hash = await wallet.deployContract({ abi: probe.abi, bytecode: probe.bytecode, args: [21n] })
  const { contractAddress: address, gasUsed } = await node.viem.waitForTransactionReceipt({ hash })
  const at = { abi: probe.abi, address }
  same(await node.viem.readContract({ ...at, functionName: 'value' }), 21n, 'value')
  const { request } = await node.viem.simulateContract({ ...at, functionName: 'set', args: [22n], account: wallet.account })
  const receipt = await node.viem.waitForTransactionReceipt({ hash: await wallet.writeContract(request) })
  same(receipt.status, 'success', 'status')
  same(await node.viem.readContract({ ...at, functionName: 'value' }), 22n, 'value')
  return { address, gasUsed: [gasUsed, receipt.gasUsed] }
})

check('viem names the custom error of a simulation', ['viem'], async (node) => {
  const contract = await node.probe()
  const call = { abi: probe.abi, address: contract.target, functionName: 'set', args: [1001n], account: node.address(SIGNER.viem) }
  const error = await failure(node.viem.simulateContract(call), 'a value above the limit')
  const revert = error.walk((cause) => cause.name === 'ContractFunctionRevertedError')
  same([revert?.data?.errorName, revert?.data?.args], ['TooLarge', [1001n, 1000n]], 'error')
  return revert.raw
})

check('a transfer moves the amount and costs 21000 gas', ['MetaMask', 'ethers', 'Remix'], async (node) => {
  const from = node.address(SIGNER.ethers)
  const to = '0x00000000000000000000000000000000000a11ce'
  const before = await node.ethers.getBalance(from)
  const owned = await node.ethers.getBalance(to)
  const receipt = await (await node.wallet(SIGNER.ethers).sendTransaction({ to, value: 10n ** 18n })).wait()
  same(await node.ethers.getBalance(to), owned + 10n ** 18n, 'balance of the recipient')
  same(await node.ethers.getBalance(from), before - 10n ** 18n - receipt.fee, 'balance of the sender')
  same(receipt.gasUsed, 21000n, 'gas used')
  return { status: receipt.status, nonce: await node.ethers.getTransactionCount(from) }
})

check('a reverted transaction has a receipt with status 0 and keeps the state', ['ethers', 'MetaMask', 'Remix'], async (node) => {
  const contract = await node.probe()
  const value = await contract.value()
  const receipt = await node.send({ to: contract.target, data: contract.interface.encodeFunctionData('set', [1001n]) })
  same([receipt.status, receipt.logs], ['0x0', []], 'status and logs')
  holds(isQuantity(receipt.gasUsed) && BigInt(receipt.gasUsed) > 21000n, 'gas was used')
  same(await contract.value(), value, 'value')
  return receipt.gasUsed
})

check('a call with code instead of a contract runs the code', ['viem'], async (node) => {
  const { data } = await node.viem.call({ code: `${probe.bytecode}${'00'.repeat(32)}`, data: new Contract(node.address(0), probe.abi).interface.encodeFunctionData('requireSmall', [33n]) })
  same(BigInt(data), 33n, 'answer')
  return data
})
