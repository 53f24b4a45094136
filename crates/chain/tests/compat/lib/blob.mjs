// Two blobs whose commitments and proofs follow from algebra, so that no KZG library is needed, which takes longer to
// load than all other checks to run. Real data with computed proofs is what `cast send --blob` sends.

import { sha256, toBeHex } from 'ethers'

const FIELD_ELEMENTS = 4096
const FIELD_MODULUS = 0x73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001n
const CELL_COUNT = 128

/** The generator of G1 and its neutral element. */
const GENERATOR = '0x97f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb'
const NEUTRAL = `0xc0${'00'.repeat(47)}`
/** The generator times the secret of the KZG ceremony: g1_monomial[1] of its trusted setup. */
const TAU = '0xad3eb50121139aa34db1d545093ac9374ab7bca2c0f3bf28e27c8dcd8fc7cb42d25926fc0c97b336e9f0fb35e5a04c81'

/** The polynomial 1: what is left when its value is taken away is nothing, and so is every proof. */
export const ONE = blob(GENERATOR, NEUTRAL, () => 1n)

/**
 * The polynomial x, given by its values at the roots of unity in bit-reversed order. At z its value is z, and what is
 * left is x - z times 1, so the proof is the generator. Cells divide by polynomials of a higher degree: nothing is left.
 */
export const IDENTITY = blob(TAU, GENERATOR, rootOfUnity)

function blob(commitment, proof, element) {
  const elements = Array.from({ length: FIELD_ELEMENTS }, (_, index) => toBeHex(element(index), 32).slice(2))
  const versionedHash = `0x01${sha256(commitment).slice(4)}`
  return { data: `0x${elements.join('')}`, commitment, proof, cellProofs: Array(CELL_COUNT).fill(NEUTRAL), versionedHash }
}

function rootOfUnity(index) {
  const bits = Math.log2(FIELD_ELEMENTS)
  const reversed = Number.parseInt(index.toString(2).padStart(bits, '0').split('').reverse().join(''), 2)
  return power(7n, ((FIELD_MODULUS - 1n) / BigInt(FIELD_ELEMENTS)) * BigInt(reversed))
}

function power(base, exponent) {
  let result = 1n
  for (let bit = base; exponent > 0n; exponent >>= 1n, bit = (bit * bit) % FIELD_MODULUS) {
    if (exponent & 1n) result = (result * bit) % FIELD_MODULUS
  }
  return result
}

/** What viem asks of a KZG library, for these two blobs. */
export const kzg = {
  blobToKzgCommitment: (data) => bytes(known(data).commitment),
  computeBlobKzgProof: (data) => bytes(known(data).proof),
}

function known(data) {
  const found = [ONE, IDENTITY].find((blob) => blob.data === `0x${Buffer.from(data).toString('hex')}`)
  if (!found) throw new Error('not one of the two blobs')
  return found
}

const bytes = (text) => Uint8Array.from(Buffer.from(text.slice(2), 'hex'))
