// An independent client: imports the blocks of a chain with full validation and says to which state they lead.
//
// node oracle.mjs FILE, where FILE is { chainId, alloc: { address: { nonce, balance, code } }, blocks: [rlp, …] } and
// blocks[0] is the first block. Prints { blocks: [{ hash, stateRoot, receiptsRoot, gasUsed }, …] }, one entry for
// each block that was executed, and ends with an error at the first one that is not valid.

import { readFileSync } from 'node:fs'
import { createBlockFromRLP } from '@ethereumjs/block'
import { createBlockchain } from '@ethereumjs/blockchain'
import { Hardfork, Mainnet, createCustomCommon } from '@ethereumjs/common'
import { MerkleStateManager } from '@ethereumjs/statemanager'
import { bytesToHex, createAccount, createAddressFromString, equalsBytes, hexToBytes } from '@ethereumjs/util'
import { createVM, runBlock } from '@ethereumjs/vm'
import { loadKZG } from 'kzg-wasm'

const { chainId, alloc, blocks: encoded } = JSON.parse(readFileSync(process.argv[2], 'utf8'))

// Every rule up to Osaka holds from the first block on, whatever its time.
const hardforks = Mainnet.hardforks
  .filter(({ name }) => !name.startsWith('bpo'))
  .map(({ name }) => ({ name, block: 0 }))
const kzg = await loadKZG()
const common = createCustomCommon({ chainId, hardforks }, Mainnet, { hardfork: Hardfork.Osaka, customCrypto: { kzg } })
const decode = (rlp) => createBlockFromRLP(hexToBytes(rlp), { common, setHardfork: false })

const all = encoded.map(decode)
const [genesisBlock, ...blocks] = all
const blockchain = await createBlockchain({ common, genesisBlock, validateBlocks: true, validateConsensus: false })
// The instruction BLOCKHASH asks for blocks by number, under which the library does not find every one of its own.
const find = blockchain.getBlock.bind(blockchain)
blockchain.getBlock = async (id) => (typeof id === 'number' ? all[id] : find(id))
const stateManager = new MerkleStateManager({ common })
const vm = await createVM({ common, blockchain, stateManager, setHardfork: false })

await stateManager.checkpoint()
for (const [text, { nonce, balance, code }] of Object.entries(alloc)) {
  const address = createAddressFromString(text)
  await stateManager.putAccount(address, createAccount({ nonce: BigInt(nonce), balance: BigInt(balance) }))
  if (code !== '0x') await stateManager.putCode(address, hexToBytes(code))
}
await stateManager.commit()
const genesisRoot = await stateManager.getStateRoot()
if (!equalsBytes(genesisRoot, genesisBlock.header.stateRoot)) {
  throw new Error(`first block: state root ${bytesToHex(genesisRoot)}, header ${bytesToHex(genesisBlock.header.stateRoot)}`)
}

const outcomes = []
let root = genesisRoot
for (const block of blocks) {
  const { stateRoot, receiptsRoot, gasUsed } = await runBlock(vm, { block, root, validateBlockSize: true })
  await blockchain.putBlock(block)
  const outcome = { hash: block.hash(), stateRoot, receiptsRoot }
  outcomes.push({ ...Object.fromEntries(Object.entries(outcome).map(([key, bytes]) => [key, bytesToHex(bytes)])), gasUsed: Number(gasUsed) })
  root = stateRoot
}
console.log(JSON.stringify({ blocks: outcomes }))
