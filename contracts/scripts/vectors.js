// Writes test/vectors/direct.json: packed records, amounts, EIP-712 digests, signatures and a tariff table, computed
// with ethers and BigInt alone, so that the contract and the Rust side each have somebody else to agree with; and
// test/vectors/settlement-a.json, the vectors of batch settlement in the form that Solidity reads.
// With --check it fails when a committed file differs.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { concat, id, keccak256, solidityPacked, toBeHex, toTwos, TypedDataEncoder, Wallet } from "ethers";
import { sealedInput, settlementInput, setupPoints, snapshotInput } from "./settlement-vectors.js";

const WH_PER_KWH = 1000n;
const INT32_MIN = -(2n ** 31n);
const INT32_MAX = 2n ** 31n - 1n;

// Keys are for tests only: keccak256 of their names.
const meter = new Wallet(id("gridtally test meter"));
const operator = new Wallet(id("gridtally test metering operator"));

const domain = {
  name: "gridtally",
  version: "1",
  chainId: 31337n,
  verifyingContract: "0x5FbDB2315678afecb367f032d93F642f64180aa3",
};
const types = {
  Settlement: [
    { name: "from", type: "uint32" },
    { name: "to", type: "uint32" },
    { name: "period", type: "uint32" },
    { name: "run", type: "uint16" },
    { name: "slot", type: "uint16" },
    { name: "code", type: "uint8" },
    { name: "energy", type: "int32" },
  ],
};

const cases = [
  ["consumption at a positive price", record(1, 0, 1, 0, 0, 32, 1000n), 123_400n, meter],
  ["feed-in at a positive price", record(0, 1, 1, 0, 95, 1, 2_345n), 81_234n, meter],
  ["a negative price truncates toward zero", record(1, 0, 1, 0, 7, 32, 328n), -12_345n, meter],
  ["a negative correction truncates toward zero", record(1, 0, 1, 1, 11, 32, -1n), 1_999n, meter],
  ["a negative correction at a negative price pays forward", record(1, 0, 1, 2, 7, 32, -328n), -12_345n, operator],
  ["less than a micro-unit is nothing", record(1, 0, 1, 0, 8, 32, 1n), -999n, meter],
  ["no energy", record(0, 1, 1, 0, 9, 31, 0n), 123_400n, meter],
  ["a price of zero", record(0, 1, 1, 0, 10, 2, 5_000n), 0n, meter],
  ["highest energy at the highest price", record(1, 2, 365, 0, 1023, 62, INT32_MAX), INT32_MAX, meter],
  ["highest energy at the lowest price", record(1, 2, 365, 0, 1022, 62, INT32_MAX), INT32_MIN, meter],
  ["lowest energy at the lowest price", record(1, 2, 365, 65535, 256, 62, INT32_MIN), INT32_MIN, operator],
  ["lowest energy at the highest price", record(1, 2, 365, 65535, 255, 62, INT32_MIN), INT32_MAX, operator],
  ["every field at its highest", record(2 ** 32 - 1, 2 ** 32 - 2, 2 ** 32 - 1, 65535, 65535, 255, -1n), 1_000n, operator],
];

const prices = [
  [1, [81_234n, 0n, -1n, INT32_MIN, INT32_MAX, 1n]],
  [2, [0n, 0n, 0n, 0n, 0n, 0n]],
  [62, [-12_345n, 123_400n, 999n, -999n, 1_999n, 328n]],
];
const table = concat(
  prices.map(([code, row]) => concat([solidityPacked(["uint8"], [code]), ...row.map((price) => int32(price))])),
);

const document = {
  schema: "gridtally-direct-1",
  domain: { ...domain, chainId: Number(domain.chainId) },
  domainSeparator: TypedDataEncoder.hashDomain(domain),
  type: TypedDataEncoder.from(types).encodeType("Settlement"),
  typeHash: id(TypedDataEncoder.from(types).encodeType("Settlement")),
  meter: { privateKey: meter.privateKey, address: meter.address },
  operator: { privateKey: operator.privateKey, address: operator.address },
  records: await Promise.all(
    cases.map(async ([name, settlement, price, signer]) => ({
      name,
      ...Object.fromEntries(Object.entries(settlement).map(([key, value]) => [key, Number(value)])),
      packed: solidityPacked(
        ["uint32", "uint32", "uint32", "uint16", "uint16", "uint8", "int32"],
        Object.values(settlement),
      ),
      price: Number(price),
      amount: Number((settlement.energy * price) / WH_PER_KWH), // BigInt division truncates toward zero
      digest: TypedDataEncoder.hash(domain, types, settlement),
      signer: signer.address,
      signature: await signer.signTypedData(domain, types, settlement),
    })),
  ),
  tariff: {
    slotsPerPeriod: 6,
    prices: prices.map(([code, row]) => ({ code, prices: row.map(Number) })),
    table,
    tariffHash: keccak256(table),
  },
};

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const settlement = JSON.parse(readFileSync("../fixtures/vectors/settlement-a.json", "utf8"));
keep("test/vectors/direct.json", document);
keep("test/vectors/settlement-a.json", settlementInput(settlement));
keep("test/vectors/snapshot.json", snapshotInput());
const sealed = JSON.parse(readFileSync("../fixtures/vectors/sealed.json", "utf8"));
keep("test/vectors/sealed.json", sealedInput(sealed, settlement.batches[1]));
keep("test/vectors/setup-points.json", setupPoints());

function keep(path, value) {
  const content = `${JSON.stringify(value, null, 2)}\n`;
  if (!process.argv.includes("--check")) {
    mkdirSync("test/vectors", { recursive: true });
    writeFileSync(path, content);
  } else if (readFileSync(path, "utf8") !== content) {
    console.error(`${path} is not what scripts/vectors.js gives: run \`npm run vectors\` and read the difference`);
    process.exit(1);
  }
}

function record(from, to, period, run, slot, code, energy) {
  return { from, to, period, run, slot, code, energy };
}

function int32(value) {
  return toBeHex(toTwos(value, 32), 4);
}
