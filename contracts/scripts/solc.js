#!/usr/bin/env node
// The Solidity compiler from npm behind the two calls that Foundry makes: `--version` and `--standard-json`.
// Paths such as `--allow-paths` and `--base-path` are not needed: Foundry puts every source into the JSON.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const solc = createRequire(import.meta.url)("solc");
const args = process.argv.slice(2);

if (args.includes("--version")) {
  console.log("solc, the solidity compiler commandline interface");
  console.log(`Version: ${solc.version()}`);
} else if (args.includes("--standard-json")) {
  process.stdout.write(solc.compile(readFileSync(0, "utf8")));
} else {
  console.error(`solc.js answers --version and --standard-json only, not: ${args.join(" ")}`);
  process.exit(2);
}
