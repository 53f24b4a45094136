// The form of requests and answers.

import { check, same } from '../lib/check.mjs'

check('a batch is answered request by request', ['ethers', 'viem', 'web3.js'], async (node) => {
  const request = (id, method, params = []) => ({ jsonrpc: '2.0', id, method, params })
  const { json } = await node.post([request(7, 'eth_chainId'), request('eight', 'net_version'), request(9, 'eth_nothing'), request(10, 'eth_getBalance', ['nonsense', 'latest'])])
  const answers = json.map(({ id, result, error }) => [id, result !== undefined, error?.code])
  same(answers, [[7, true, undefined], ['eight', true, undefined], [9, false, -32601], [10, false, -32602]], 'answers')
  return answers
})

check('what is no request is answered with the right code, and no content type is needed', ['ethers', 'viem', 'web3.js'], async (node) => {
  const body = '{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}'
  same(Number((await node.post(body, {})).json.result), node.chainId, 'answer without a content type')
  const code = async (body) => (await node.post(body)).json.error.code
  same(await code('{'), -32700, 'code for text that is not JSON')
  same(await code('{"id":1}'), -32600, 'code for a request without a method')
  same(await code('{"jsonrpc":"2.0","id":1,"method":"eth_nothing","params":[]}'), -32601, 'code for an unknown method')
  same(await code('{"jsonrpc":"2.0","id":1,"method":"eth_getBalance","params":[1]}'), -32602, 'code for wrong parameters')
  same(await code('[]'), -32600, 'code for an empty batch')
  return true
})

check('a page of Remix may ask', ['Remix', 'MetaMask'], async (node) => {
  const headers = { origin: 'https://remix.ethereum.org', 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type' }
  const preflight = await fetch(node.url, { method: 'OPTIONS', headers })
  same([200, 204].includes(preflight.status), true, 'whether the preflight succeeds')
  const allowed = (headers) => ['*', 'https://remix.ethereum.org'].includes(headers.get('access-control-allow-origin'))
  same(allowed(preflight.headers), true, 'whether the origin is allowed')
  const body = '{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}'
  const answer = await node.post(body, { origin: 'https://remix.ethereum.org', 'content-type': 'application/json' })
  same([allowed(answer.headers), Number(answer.json.result)], [true, node.chainId], 'answer to the page')
  return true
})

check('a WebSocket answers requests and batches, each with its id', ['ethers', 'viem', 'web3.js'], async (node) =>
  node.withSocket(async (socket) => {
    same(Number(await socket.rpc(1, 'eth_chainId')), node.chainId, 'chain id')
    const batch = await socket.ask([{ jsonrpc: '2.0', id: 2, method: 'eth_chainId', params: [] }, { jsonrpc: '2.0', id: 3, method: 'eth_getBalance', params: ['nonsense', 'latest'] }])
    same(batch.map(({ id, error }) => [id, error?.code]), [[2, undefined], [3, -32602]], 'batch')
    return true
  }),
)
