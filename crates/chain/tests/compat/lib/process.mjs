// Starts a node, waits until it says where it listens, and stops it again.

import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { within } from './check.mjs'

const require = createRequire(import.meta.url)

/** The executable of a Foundry tool inside its platform package. */
export function foundryTool(name) {
  const arch = { x64: 'amd64', arm64: 'arm64' }[process.arch]
  return require.resolve(`@foundry-rs/${name}-${process.platform}-${arch}/bin/${name}`)
}

/**
 * Starts a node and resolves to its URL once its output names a loopback address with a port.
 * @param {string[]} command executable and arguments
 */
export async function start(command) {
  const child = spawn(command[0], command.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  const url = new Promise((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (bytes) => {
        output = (output + bytes).slice(-10_000)
        const address = output.match(/127\.0\.0\.1:(\d+)/)
        if (address) resolve(`http://${address[0]}`)
      })
    }
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`${command[0]} ended with ${code} before it listened: ${output}`)))
  })
  const stop = () => child.kill('SIGKILL')
  try {
    return { url: await within(url, 20_000, `starting ${command[0]}`), stop }
  } catch (error) {
    stop()
    throw error
  }
}
