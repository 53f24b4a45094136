// Writes artifacts/<Contract>.json (what Rust reads) and snapshots/bytecode.json from a fresh build of src/,
// or with --check fails when the committed files are not what the sources give.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const CONTRACTS = ["DirectSettlement", "DemoToken", "BatchSettlement", "FraudProver", "DemandProver", "DutyProver"];
const BYTECODE_LIMIT = 24_576; // EIP-170
const BUILD = "cache/artifacts";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const isCheck = process.argv.includes("--check");

// A build of its own: what else is compiled beside a contract must not touch its bytecode.
execFileSync(
  "node_modules/.bin/forge",
  ["build", "src", "--force", "--out", `${BUILD}/out`, "--cache-path", `${BUILD}/cache`],
  { stdio: ["ignore", "ignore", "inherit"] },
);

const files = new Map();
const lengths = {};
for (const name of CONTRACTS) {
  const built = JSON.parse(readFileSync(`${BUILD}/out/${name}.sol/${name}.json`, "utf8"));
  const { compiler, settings } = JSON.parse(built.rawMetadata);
  const artifact = {
    contractName: name,
    compiler: {
      version: compiler.version,
      settings: {
        evmVersion: settings.evmVersion,
        viaIR: settings.viaIR,
        optimizer: settings.optimizer,
        metadata: settings.metadata,
      },
    },
    abi: withPlainValues(built.abi),
    bytecode: built.bytecode.object,
    deployedBytecode: built.deployedBytecode.object,
  };
  files.set(`artifacts/${name}.json`, text(artifact));
  const length = (artifact.deployedBytecode.length - 2) / 2;
  if (length > BYTECODE_LIMIT) fail(`${name} has ${length} bytes, more than the ${BYTECODE_LIMIT} that a chain accepts`);
  lengths[name] = { deployedBytes: length, creationBytes: (artifact.bytecode.length - 2) / 2 };
}
files.set("snapshots/bytecode.json", text(lengths));

for (const [path, content] of files) {
  if (!isCheck) {
    mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    writeFileSync(path, content);
  } else if (!existsSync(path) || readFileSync(path, "utf8") !== content) {
    fail(`${path} is not what src/ gives: run \`npm run artifacts\` and commit the result`);
  }
}
console.log(`${isCheck ? "fresh" : "written"}: ${[...files.keys()].join(", ")}`);

// A type that only wraps a value (`type RecordWord is bytes10`) is named by that value: readers of the ABI know no other.
function withPlainValues(part) {
  if (Array.isArray(part)) return part.map(withPlainValues);
  if (part === null || typeof part !== "object") return part;
  const plain = Object.fromEntries(Object.entries(part).map(([key, value]) => [key, withPlainValues(value)]));
  const isNamed = /^(struct|enum|contract) /.test(plain.internalType ?? plain.type);
  return "internalType" in plain && !isNamed ? { ...plain, internalType: plain.type } : plain;
}

function text(value) {
  return `${JSON.stringify(value, null, 2)}\n`;
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
