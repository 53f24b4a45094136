// Accounts whose keys the node holds.

import { hashMessage, recoverAddress, verifyMessage, verifyTypedData } from 'ethers'
import { check, failure, hex, holds, isHash, same } from '../lib/check.mjs'
import { SIGNER } from '../lib/node.mjs'

const ACCOUNT = '0x00000000000000000000000000000000000acc01'

check('the node lists its ten accounts and refuses to sign for others', ['Remix', 'web3.js', 'ethers', 'MetaMask'], async (node) => {
  const accounts = await node.web3.eth.getAccounts()
  same(accounts, node.accounts.map(({ address }) => address), 'accounts')
  same((await node.ethers.listAccounts()).length, 10, 'number of signers in ethers')
  same((await node.rpc('eth_requestAccounts')).length, 10, 'number of accounts that a page is offered')
  await failure(node.rpc('eth_sendTransaction', { from: ACCOUNT, to: ACCOUNT, gas: '0x5208' }), 'a transaction of an unknown account')
  await failure(node.rpc('eth_sign', ACCOUNT, '0x00'), 'a signature of an unknown account')
  return accounts
})

check('a signer of ethers and an unlocked account send without saying nonce, gas and fees', ['ethers', 'Remix', 'web3.js'], async (node) => {
  const signer = await node.ethers.getSigner(SIGNER.unlocked)
  const before = await node.ethers.getBalance(ACCOUNT)
  const receipt = await (await signer.sendTransaction({ to: ACCOUNT, value: 4n })).wait()
  const bare = await node.receipt(await node.rpc('eth_sendTransaction', { from: node.address(SIGNER.unlocked), to: ACCOUNT, value: '0x5' }))
  same([receipt.status, bare.status, bare.gasUsed], [1, '0x1', '0x5208'], 'statuses and gas')
  same(await node.ethers.getBalance(ACCOUNT), before + 9n, 'balance')
  return [receipt.type, bare.type]
})

check('eth_sign and personal_sign sign messages that verify', ['MetaMask', 'ethers', 'web3.js', 'viem'], async (node) => {
  const address = node.address(SIGNER.unlocked)
  const message = hex(0x6d65746572)
  const bytes = Buffer.from('meter')
  const signed = await node.rpc('eth_sign', address, message)
  same(recoverAddress(hashMessage(bytes), signed), address, 'signer by eth_sign')
  const personal = await node.rpc('personal_sign', message, address)
  same(verifyMessage(bytes, personal), address, 'signer by personal_sign')
  const signer = await node.ethers.getSigner(address)
  same(verifyMessage('meter', await signer.signMessage('meter')), address, 'signer by ethers')
  return [signed, personal]
})

check('eth_signTypedData_v4 signs what verifies', ['MetaMask', 'ethers', 'viem'], async (node) => {
  const address = node.address(SIGNER.unlocked)
  const domain = { name: 'probe', version: '1', chainId: node.chainId, verifyingContract: ACCOUNT }
  const types = {
    Party: [{ name: 'wallet', type: 'address' }, { name: 'name', type: 'string' }],
    Reading: [{ name: 'from', type: 'Party' }, { name: 'energy', type: 'int256' }, { name: 'slots', type: 'uint32[]' }, { name: 'proof', type: 'bytes' }],
  }
  const value = { from: { wallet: address, name: 'household' }, energy: -12n, slots: [1, 2, 3], proof: '0x0102' }
  const signature = await (await node.ethers.getSigner(address)).signTypedData(domain, types, value)
  same(verifyTypedData(domain, types, value, signature), address, 'signer')
  return signature
})

check('eth_signTransaction answers a transaction that can be sent', ['web3.js', 'ethers'], async (node) => {
  const from = node.address(SIGNER.unlocked)
  const nonce = await node.rpc('eth_getTransactionCount', from, 'pending')
  const fields = { from, to: ACCOUNT, value: '0x6', gas: '0x5208', nonce, maxFeePerGas: '0x2540be400', maxPriorityFeePerGas: '0x3b9aca00', chainId: hex(node.chainId), type: '0x2' }
  const answer = await node.rpc('eth_signTransaction', fields)
  const hash = await node.rpc('eth_sendRawTransaction', answer.raw ?? answer)
  holds(isHash(hash), 'the hash')
  same((await node.receipt(hash)).status, '0x1', 'status')
  // geth, and web3.js after it, have `raw` beside the fields of the transaction; anvil answers the bytes alone.
  return typeof answer
})
