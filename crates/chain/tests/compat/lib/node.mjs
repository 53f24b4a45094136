// The node under test as its clients see it: raw JSON-RPC, ethers, web3.js, viem, cast and a WebSocket.

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { Contract, ContractFactory, HDNodeWallet, JsonRpcProvider, Mnemonic, Network, Wallet } from 'ethers'
import { createPublicClient, createTestClient, createWalletClient, defineChain, http } from 'viem'
import { mnemonicToAccount } from 'viem/accounts'
import { Web3 } from 'web3'
import { WebSocket } from 'ws'
import { hex, until } from './check.mjs'
import { probe } from './contract.mjs'
import { foundryTool } from './process.mjs'

const MNEMONIC = 'test test test test test test test test test test test junk'
const execFileAsync = promisify(execFile)

/** Who signs what. Every client has its own account, so that nonces are the same on every node. */
export const SIGNER = { ethers: 0, web3: 1, viem: 2, cast: 3, unlocked: 4, pool: 5, blob: 6, authority: 7, raw: 8, evm: 9 }

/** A JSON-RPC error answer. */
export class RpcError extends Error {
  constructor({ code, message, data }) {
    super(`${code}: ${message}`)
    Object.assign(this, { code, rpcMessage: message, data })
  }
}

export class Node {
  #probe

  constructor(url, chainId) {
    this.url = url
    this.webSocketUrl = url.replace(/^http/, 'ws')
    this.chainId = chainId
    this.accounts = Array.from({ length: 10 }, (_, index) => {
      const wallet = HDNodeWallet.fromMnemonic(Mnemonic.fromPhrase(MNEMONIC), `m/44'/60'/0'/0/${index}`)
      return { address: wallet.address, key: wallet.privateKey }
    })
    this.ethers = new JsonRpcProvider(url, Network.from(chainId), { staticNetwork: true, cacheTimeout: -1 })
    this.ethers.pollingInterval = 20
    this.web3 = new Web3(url)
    Object.assign(this.web3.eth, { transactionPollingInterval: 20, transactionPollingTimeout: 10_000 })
    for (const { key } of this.accounts) this.web3.eth.accounts.wallet.add(key)
    const chain = defineChain({
      id: chainId,
      name: 'chain under test',
      nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
      rpcUrls: { default: { http: [url] } },
    })
    const viem = { chain, transport: http(url, { retryCount: 0 }), pollingInterval: 20, cacheTime: 0 }
    this.viem = createPublicClient(viem)
    this.viemTest = createTestClient({ ...viem, mode: 'anvil' })
    this.viemWallet = (index) => createWalletClient({ ...viem, account: mnemonicToAccount(MNEMONIC, { addressIndex: index }) })
  }

  static async connect(url) {
    const answer = await post(url, { jsonrpc: '2.0', id: 1, method: 'eth_chainId', params: [] })
    return new Node(url, Number(answer.json.result))
  }

  address(index) {
    return this.accounts[index].address
  }

  /** An ethers wallet on the node. */
  wallet(index) {
    return new Wallet(this.accounts[index].key, this.ethers)
  }

  /** Sends one request and returns its result; throws [RpcError] for an error answer. */
  async rpc(method, ...params) {
    const { json } = await post(this.url, { jsonrpc: '2.0', id: 1, method, params })
    if (json.error) throw new RpcError(json.error)
    if (!('result' in json)) throw new Error(`${method} answered neither a result nor an error`)
    return json.result
  }

  post(body, headers) {
    return post(this.url, body, headers)
  }

  /** The receipt of a transaction, once it has one. */
  receipt(hash) {
    return until(() => this.rpc('eth_getTransactionReceipt', hash), `the receipt of ${hash}`)
  }

  /** Sends from an account that the node holds the key of, and waits for the receipt. */
  async send(transaction) {
    return this.receipt(await this.rpc('eth_sendTransaction', { from: this.address(SIGNER.raw), gas: hex(500_000), ...transaction }))
  }

  /** The contract that most checks share, deployed by the first of them that asks. */
  probe(signer = SIGNER.ethers) {
    this.#probe ??= new ContractFactory(probe.abi, probe.bytecode, this.wallet(SIGNER.ethers))
      .deploy(7n)
      .then((contract) => contract.waitForDeployment())
      .then((contract) => contract.getAddress())
    return this.#probe.then((address) => new Contract(address, probe.abi, this.wallet(signer)))
  }

  /** Runs `run` while the node collects transactions without sealing them; seals normally again afterwards. */
  async withoutSealing(run) {
    await this.rpc('evm_setAutomine', false)
    try {
      return await run()
    } finally {
      await this.rpc('evm_setAutomine', true)
      await this.rpc('evm_mine')
    }
  }

  /** Runs a cast command against the node and returns what it prints. */
  async cast(...args) {
    const options = { env: { ...process.env, ETH_RPC_URL: this.url, NO_COLOR: '1' }, timeout: 60_000 }
    const { stdout } = await execFileAsync(foundryTool('cast'), args, options)
    return stdout.trim()
  }

  async castJson(...args) {
    return JSON.parse(await this.cast(...args, '--json'))
  }

  /** Opens a WebSocket, hands it to `run` as a [Socket] and closes it. */
  async withSocket(run) {
    const socket = new Socket(this.webSocketUrl)
    try {
      await socket.opened
      return await run(socket)
    } finally {
      socket.close()
    }
  }

  close() {
    this.ethers.destroy()
  }
}

/** A WebSocket that keeps its notifications. */
class Socket {
  #socket
  #answers = []
  notifications = []

  constructor(url) {
    this.#socket = new WebSocket(url)
    this.opened = new Promise((resolve, reject) => {
      this.#socket.once('open', resolve)
      this.#socket.once('error', reject)
    })
    this.#socket.on('message', (bytes) => {
      const message = JSON.parse(bytes.toString())
      if (message.method === 'eth_subscription') this.notifications.push(message.params)
      else this.#answers.push(message)
    })
  }

  /** Sends a request or a batch and waits for its answer. */
  async ask(body) {
    const id = Array.isArray(body) ? body[0].id : body.id
    this.#socket.send(JSON.stringify(body))
    const isAnswer = (answer) => (Array.isArray(answer) ? answer.some((one) => one.id === id) : answer.id === id)
    return until(() => this.#answers.find(isAnswer), `the answer to request ${id}`)
  }

  async rpc(id, method, ...params) {
    const answer = await this.ask({ jsonrpc: '2.0', id, method, params })
    if (answer.error) throw new RpcError(answer.error)
    return answer.result
  }

  /** The first notification of a subscription that `wanted` accepts. */
  notified(subscription, wanted = () => true) {
    const find = () => this.notifications.find((one) => one.subscription === subscription && wanted(one.result))
    return until(find, 'a notification').then((one) => one.result)
  }

  close() {
    this.#socket.close()
  }
}

async function post(url, body, headers = { 'content-type': 'application/json' }) {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  // A Blob without a type is sent without a content type, which a string is not.
  const response = await fetch(url, { method: 'POST', headers, body: new Blob([text]) })
  const answer = await response.text()
  let json
  try {
    json = answer === '' ? undefined : JSON.parse(answer)
  } catch {
    throw new Error(`status ${response.status}, not JSON: ${answer.slice(0, 100)}`)
  }
  return { status: response.status, headers: response.headers, json }
}
