// Runs the Foundry tests. Where a snapshot differs, forge ends early and says so, but its exit code is 0: here it is 1.
import { spawn } from "node:child_process";

const forge = spawn("forge", ["test", ...process.argv.slice(2)], { stdio: ["ignore", "pipe", "inherit"] });
const reported = [];
forge.stdout.on("data", (chunk) => {
  process.stdout.write(chunk);
  reported.push(chunk);
});
forge.on("error", (error) => {
  console.error(`forge does not start: ${error.message}`);
  process.exit(3);
});
forge.on("close", (status) => {
  const hasDiffered = Buffer.concat(reported).includes("Failed to match snapshots");
  if (hasDiffered) console.error("a snapshot differs: npm run snapshots writes it anew");
  process.exit(hasDiffered ? 1 : (status ?? 1));
});
