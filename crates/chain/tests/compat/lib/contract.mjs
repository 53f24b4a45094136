// Compiles Probe.sol once per process.

import { readFileSync } from 'node:fs'
import solc from 'solc'

function compile() {
  const source = readFileSync(new URL('../Probe.sol', import.meta.url), 'utf8')
  const output = JSON.parse(
    solc.compile(
      JSON.stringify({
        language: 'Solidity',
        sources: { 'Probe.sol': { content: source } },
        settings: {
          evmVersion: 'osaka',
          optimizer: { enabled: true },
          outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object', 'evm.deployedBytecode.object'] } },
        },
      }),
    ),
  )
  const errors = (output.errors ?? []).filter((error) => error.severity === 'error')
  if (errors.length) throw new Error(errors.map((error) => error.formattedMessage).join('\n'))
  const { abi, evm } = output.contracts['Probe.sol'].Probe
  return { abi, bytecode: `0x${evm.bytecode.object}`, runtime: `0x${evm.deployedBytecode.object}` }
}

export const probe = compile()
