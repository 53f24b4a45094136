// Runs the Foundry tests. Where a snapshot differs, forge ends early and says so, but its exit code is 0: here it is 1.
import { spawn } from "node:child_process";

const DIFFERS = "Failed to match snapshots";

const forge = spawn("forge", ["test", ...process.argv.slice(2)], { stdio: ["ignore", "pipe", "pipe"] });
const said = { stdout: "", stderr: "" };
for (const name of ["stdout", "stderr"]) {
  forge[name].setEncoding("utf8").on("data", (text) => {
    process[name].write(text);
    said[name] += text;
  });
}
forge.on("error", (error) => {
  console.error(`forge does not start: ${error.message}`);
  process.exitCode = 3;
});
forge.on("close", (status) => {
  const hasDiffered = Object.values(said).some((text) => text.includes(DIFFERS));
  if (hasDiffered) console.error("A snapshot differs from what is measured: `npm run snapshots` writes them anew.");
  process.exitCode = hasDiffered ? 1 : (status ?? 1);
});
