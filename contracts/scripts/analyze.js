// Runs slither over src/; every finding fails. SECURITY.md answers those that the sources silence.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const slither = process.env.SLITHER ?? "slither";
const { error, status } = spawnSync(slither, ["."], { stdio: "inherit" });
if (error?.code === "ENOENT") {
  console.error(`no ${slither}: python3 -m venv ~/.venv/slither && ~/.venv/slither/bin/pip install slither-analyzer==0.11.6, then SLITHER=~/.venv/slither/bin/slither npm run analyze`);
  process.exit(3);
}
process.exit(status ?? 1);
