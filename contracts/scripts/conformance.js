// Runs the contracts against another file of settlement vectors: `npm run conformance -- PATH`.
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { settlementInput } from "./settlement-vectors.js";

const INPUT = "cache/vectors/settlement.json";

if (process.argv.length !== 3) {
  console.error("usage: npm run conformance -- PATH");
  process.exit(2);
}
const vectors = JSON.parse(readFileSync(resolve(process.env.INIT_CWD ?? ".", process.argv[2]), "utf8"));
process.chdir(fileURLToPath(new URL("..", import.meta.url)));
mkdirSync("cache/vectors", { recursive: true });
writeFileSync(INPUT, JSON.stringify(settlementInput(vectors)));
const { status } = spawnSync("node_modules/.bin/forge", ["test", "--match-contract", "SettlementVectorsTest"], {
  stdio: "inherit",
  env: { ...process.env, FOUNDRY_PROFILE: "test", SETTLEMENT_VECTORS: INPUT },
});
process.exit(status ?? 1);
