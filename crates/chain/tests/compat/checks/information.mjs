// What a client asks to know whom it talks to.

import { keccak256, toUtf8Bytes } from 'ethers'
import { check, hex, holds, isQuantity, same } from '../lib/check.mjs'

check('chain id, network id, client version and hash are answered', ['MetaMask', 'Remix', 'web3.js', 'ethers', 'viem', 'cast'], async (node) => {
  same([await node.rpc('eth_chainId'), await node.rpc('net_version')], [hex(node.chainId), String(node.chainId)], 'ids')
  same(await node.web3.eth.net.isListening(), true, 'whether the node listens')
  holds(/^[a-zA-Z]+\/v?\d+\.\d+/.test(await node.web3.eth.getNodeInfo()), 'the client version has a name and a number')
  const bytes = hex(`0x${Buffer.from('hash me').toString('hex')}`)
  same(await node.rpc('web3_sha3', bytes), keccak256(toUtf8Bytes('hash me')), 'hash')
  return true
})

check('questions about mining, syncing and uncles have the answers of a chain without them', ['web3.js', 'Remix'], async (node) => {
  same(await node.web3.eth.isSyncing(), false, 'whether it syncs')
  same(await node.rpc('eth_hashrate'), '0x0', 'hash rate')
  const { blockHash, blockNumber } = await node.send({ to: node.address(0), value: '0x1' })
  same(await node.rpc('eth_getUncleCountByBlockHash', blockHash), '0x0', 'uncles by hash')
  same(await node.rpc('eth_getUncleCountByBlockNumber', blockNumber), '0x0', 'uncles by number')
  same(await node.rpc('eth_getUncleByBlockNumberAndIndex', blockNumber, '0x0'), null, 'an uncle')
  holds(/^0x[0-9a-fA-F]{40}$/.test(await node.rpc('eth_coinbase')), 'the coinbase is an address')
  return true
})

check('peers, mining and the names of the modules are answered', ['geth console', 'Nethereum'], async (node) => {
  same(await node.rpc('net_peerCount'), '0x0', 'peers')
  same(await node.rpc('eth_mining'), false, 'whether it mines')
  const modules = await node.rpc('rpc_modules')
  for (const name of ['eth', 'net', 'web3', 'debug', 'txpool']) holds(typeof modules[name] === 'string', `${name} is among the modules`)
  const version = await node.rpc('eth_protocolVersion')
  holds(isQuantity(version), 'the protocol version is a quantity')
  return version
})

check('eth_config names the rules of the chain', ['cast', 'geth console'], async (node) => {
  const { current } = await node.rpc('eth_config')
  same(Number(current.chainId), node.chainId, 'chain id')
  const { blobSchedule, precompiles, systemContracts } = current
  return { blobSchedule, precompiles, systemContracts }
})
