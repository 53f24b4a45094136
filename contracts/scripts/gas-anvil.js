// Compares snapshots/gas.json, which Foundry measured, with the receipts of the same transactions on anvil (Osaka).
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { solidityPacked, toBeHex, zeroPadValue } from "ethers";
import { deploy, withAnvil } from "./anvil.js";
import { compareBatches } from "./gas-anvil-batches.js";

const SLOTS = 96;
const DAY = 86_400;
const PARTICIPANTS = 210;
const PROSUMER = 2;
const FEED_IN = 1;
const CONSUMPTION = 32;

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const snapshots = JSON.parse(readFileSync("snapshots/gas.json", "utf8"));

const failures = (await withAnvil(compare)) + (await withAnvil(compareBatches));
process.exitCode = failures ? 1 : 0;

/** One account holds every office; who calls does not change the gas, only what is called. */
async function compare(provider) {
  const everybody = await provider.getSigner(0);
  const me = await everybody.getAddress();
  const token = await deploy("DemoToken", everybody, [me]);
  const genesis = (await provider.getBlock("latest")).timestamp + DAY;
  const direct = await deploy("DirectSettlement", everybody, [
    [token.target, me, me, me, me, genesis, DAY, SLOTS],
  ]);
  const sent = async (call) => Number((await (await call).wait()).gasUsed);

  const meters = Array.from({ length: PARTICIPANTS }, (_, i) => zeroPadValue(toBeHex(0x2000 + i), 20));
  await sent(direct.registerMany(meters, meters, PROSUMER));
  await sent(direct.publishTariff(1, tariff()));
  await sent(token.mint(me, 10n ** 15n));
  await sent(token.approve(direct.target, 10n ** 15n));
  for (let number = 0; number <= PARTICIPANTS; number += 1) await sent(direct.deposit(number, 10n ** 12n));
  await provider.send("evm_setNextBlockTimestamp", [genesis + 2 * DAY]);

  const consumed = (slot) => [1, 0, 1, 0, slot, CONSUMPTION, 1000];
  const fedIn = (to, slot) => [0, to, 1, 0, slot, FEED_IN, 500 + slot];
  const receivers = (count, slot) => Array.from({ length: count }, (_, i) => fedIn(1 + i, slot));
  const days = (first, count) =>
    Array.from({ length: count }, (_, i) => fedIn(first + Math.floor(i / SLOTS), i % SLOTS));
  const packed = (records) =>
    `0x${records
      .map((r) => solidityPacked(["uint32", "uint32", "uint32", "uint16", "uint16", "uint8", "int32"], r).slice(2))
      .join("")}`;

  // The same participants as in test/Gas.t.sol where that has a choice: zero bytes of calldata are cheaper.
  const rows = {
    "settle first": () => direct.settle(consumed(0)),
    "settle next": () => direct.settle(consumed(1)),
    "settleMany receivers first x 100": () => direct.settleMany(receivers(100, 0)),
    "settleMany receivers next x 100": () => direct.settleMany(receivers(100, 1)),
    "settleMany days x 100": () => direct.settleMany(days(101, 100)),
    "settlePacked days x 10": () => direct.settlePacked(packed(days(121, 10))),
    "settlePacked days x 100": () => direct.settlePacked(packed(days(131, 100))),
    "settlePacked days x 500": () => direct.settlePacked(packed(days(201, 500))),
  };
  let failures = 0;
  for (const [name, call] of Object.entries(rows)) {
    const gas = await sent(call());
    const isEqual = gas === Number(snapshots[name]);
    if (!isEqual) failures += 1;
    console.log(`${name}: ${gas}${isEqual ? "" : `, but the snapshot says ${snapshots[name]}`}`);
  }
  return failures;
}

/** Feed-in at 0.081234, consumption at 0.1234, the same in all slots. */
function tariff() {
  const row = (code, price) => toBeHex(code, 1).slice(2) + toBeHex(price, 4).slice(2).repeat(SLOTS);
  return `0x${row(FEED_IN, 81_234)}${row(CONSUMPTION, 123_400)}`;
}
