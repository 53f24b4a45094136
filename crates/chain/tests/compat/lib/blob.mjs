// Blobs with their commitments and proofs.

import { sha256, toBeHex } from 'ethers'
import { loadKZG } from 'kzg-wasm'
import { toBlobs } from 'viem'

const FIELD_ELEMENTS = 4096
const FIELD_MODULUS = 0x73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001n

export const kzg = await loadKZG()

/** The same in the form that viem asks for: bytes in, bytes out. */
export const viemKzg = {
  blobToKzgCommitment: (blob) => bytes(kzg.blobToKZGCommitment(text(blob))),
  computeBlobKzgProof: (blob, commitment) => bytes(kzg.computeBlobKZGProof(text(blob), text(commitment))),
}

/** Proof of every claim p(z) = z about the blob of [identityBlob]: the quotient is 1, so it is the generator of G1. */
export const IDENTITY_PROOF = '0x97f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb'

/** A blob that holds a text, with commitment and proofs of its cells. */
export function textBlob(content) {
  const [data] = toBlobs({ data: `0x${Buffer.from(content).toString('hex')}` })
  const { proofs } = kzg.computeCellsAndKZGProofs(data)
  return { data, commitment: kzg.blobToKZGCommitment(data), cellProofs: proofs }
}

/** The blob of the polynomial p(x) = x: its elements are the roots of unity in bit-reversed order. */
export function identityBlob() {
  const root = power(7n, (FIELD_MODULUS - 1n) / BigInt(FIELD_ELEMENTS))
  const powers = [1n]
  while (powers.length < FIELD_ELEMENTS) powers.push((powers.at(-1) * root) % FIELD_MODULUS)
  const bits = Math.log2(FIELD_ELEMENTS)
  const elements = powers.map((_, index) => {
    const reversed = Number.parseInt(index.toString(2).padStart(bits, '0').split('').reverse().join(''), 2)
    return toBeHex(powers[reversed], 32).slice(2)
  })
  const data = `0x${elements.join('')}`
  return { data, commitment: kzg.blobToKZGCommitment(data) }
}

export function versionedHash(commitment) {
  return `0x01${sha256(commitment).slice(4)}`
}

function power(base, exponent) {
  let result = 1n
  for (let bit = base; exponent > 0n; exponent >>= 1n, bit = (bit * bit) % FIELD_MODULUS) {
    if (exponent & 1n) result = (result * bit) % FIELD_MODULUS
  }
  return result
}

const bytes = (text) => Uint8Array.from(Buffer.from(text.slice(2), 'hex'))
const text = (value) => (typeof value === 'string' ? value : `0x${Buffer.from(value).toString('hex')}`)
