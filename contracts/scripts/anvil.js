// An anvil (Osaka) to measure on, with what every measurement needs.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { Contract, ContractFactory, JsonRpcProvider } from "ethers";

/** Starts anvil, does the work with a connection to it, and ends it. */
export async function withAnvil(work) {
  const anvil = spawn("node_modules/.bin/anvil", ["--port", "0", "--hardfork", "osaka", "--accounts", "1"]);
  try {
    const provider = new JsonRpcProvider(`http://${await listening(anvil)}`, undefined, { cacheTimeout: -1 });
    const result = await work(provider);
    provider.destroy();
    return result;
  } finally {
    anvil.kill();
  }
}

/** Deploys the committed bytecode. */
export async function deploy(name, signer, args) {
  const { abi, bytecode } = JSON.parse(readFileSync(`artifacts/${name}.json`, "utf8"));
  const contract = await new ContractFactory(abi, bytecode, signer).deploy(...args);
  await contract.waitForDeployment();
  return new Contract(contract.target, abi, signer);
}

/** Returns host and port once anvil answers. */
async function listening(child) {
  for await (const line of createInterface({ input: child.stdout })) {
    const match = line.match(/Listening on (\S+)/);
    if (match) return match[1];
  }
  throw new Error("anvil ended before it listened");
}
