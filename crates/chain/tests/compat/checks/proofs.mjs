// Proofs, verified here against the state root of the block.

import { check, holds, same } from '../lib/check.mjs'
import { accountProved, storageProved } from '../lib/merkle.mjs'

check('eth_getProof proves an account against the state root, also at an old block', ['viem', 'web3.js', 'cast'], async (node) => {
  const target = '0x00000000000000000000000000000000000b0b0b'
  const before = BigInt(await node.rpc('eth_getBalance', target, 'latest'))
  const first = await node.send({ to: target, value: '0x5' })
  await node.send({ to: target, value: '0x6' })
  for (const [tag, balance] of [[first.blockNumber, before + 5n], ['latest', before + 11n]]) {
    const { stateRoot } = await node.rpc('eth_getBlockByNumber', tag, false)
    const proof = await node.rpc('eth_getProof', target, [], tag)
    same(BigInt(proof.balance), balance, `balance at ${tag}`)
    holds(accountProved(stateRoot, proof), `the proof at ${tag} fits the state root`)
  }
  const { stateRoot } = await node.rpc('eth_getBlockByNumber', 'latest', false)
  const absent = await node.rpc('eth_getProof', '0x00000000000000000000000000000000000c0c0c', [], 'latest')
  holds(accountProved(stateRoot, absent), 'the absence of an account is proved')
  return [absent.balance, absent.nonce, absent.codeHash, absent.storageHash]
})

check('eth_getProof proves storage slots, present and absent', ['viem', 'web3.js', 'cast'], async (node) => {
  const contract = await node.probe()
  await node.send({ to: contract.target, data: contract.interface.encodeFunctionData('set', [123n]) })
  const absent = `0x${'00'.repeat(31)}63`
  const proof = await node.viem.getProof({ address: contract.target, storageKeys: [`0x${'00'.repeat(32)}`, absent] })
  same(proof.storageProof.map((slot) => slot.value), [123n, 0n], 'values')
  holds(proof.storageProof.every((slot) => storageProved(proof.storageHash, slot)), 'the proofs fit the storage root')
  const { stateRoot } = await node.rpc('eth_getBlockByNumber', 'latest', false)
  holds(accountProved(stateRoot, proof), 'the account proof fits the state root')
  const web3 = await node.web3.eth.getProof(contract.target, [`0x${'00'.repeat(32)}`], 'latest')
  same(BigInt(web3.storageProof[0].value), 123n, 'value that web3.js reads')
  return true
})
