// Merkle-Patricia proofs, followed node by node from the root.

import { decodeRlp, encodeRlp, getBytes, hexlify, keccak256, toBeHex } from 'ethers'

const EMPTY_ROOT = keccak256(encodeRlp('0x'))
const EMPTY_CODE = keccak256('0x')

/** Whether the account proof of an eth_getProof answer fits a state root. */
export function accountProved(stateRoot, { address, balance, nonce, storageHash, codeHash, accountProof }) {
  const empty = BigInt(balance) === 0n && BigInt(nonce) === 0n && codeHash === EMPTY_CODE && storageHash === EMPTY_ROOT
  const found = lookUp(stateRoot, keccak256(address), accountProof)
  if (found === null) return empty
  return found === encodeRlp([quantity(nonce), quantity(balance), storageHash, codeHash])
}

/** Whether one storage proof of an eth_getProof answer fits a storage root. */
export function storageProved(storageHash, { key, value, proof }) {
  const found = lookUp(storageHash, keccak256(toBeHex(BigInt(key), 32)), proof)
  return BigInt(value) === 0n ? found === null : found === encodeRlp(quantity(value))
}

function quantity(value) {
  return BigInt(value) === 0n ? '0x' : toBeHex(BigInt(value))
}

/** The value at `key`, null when the proof shows that there is none; throws when the proof does not hold. */
function lookUp(root, key, proof) {
  if (root === EMPTY_ROOT) return null
  const nibbles = [...key.slice(2)]
  const nodes = [...proof]
  let reference = root
  for (;;) {
    let node = reference
    if (typeof reference === 'string') {
      if (reference === '0x') return null
      const encoded = nodes.shift()
      if (!encoded || keccak256(encoded) !== reference) throw new Error('the proof does not hold: a node is missing or wrong')
      node = decodeRlp(encoded)
    }
    if (node.length === 17) {
      if (nibbles.length === 0) return node[16] === '0x' ? null : hexlify(node[16])
      reference = node[Number.parseInt(nibbles.shift(), 16)]
      continue
    }
    const [flag, ...path] = hexlify(getBytes(node[0])).slice(2)
    const odd = Number.parseInt(flag, 16) & 1
    const shared = odd ? path : path.slice(1)
    if (shared.some((nibble, index) => nibble !== nibbles[index])) return null
    nibbles.splice(0, shared.length)
    if (Number.parseInt(flag, 16) & 2) return node[1]
    reference = node[1]
  }
}
