// Where the embedded chain and anvil answer differently, and why that is right. A check that is not listed here must
// have the same answer on both; one that is listed must still differ, so that the list stays true.

/** Checks that anvil fails, with the reason. */
export const ANVIL_FAILS = {
  'the block may be left out and is then the latest': 'anvil refuses a request without a block; the execution API says that it is then the latest',
  'peers, mining and the names of the modules are answered': 'anvil has neither net_peerCount nor eth_mining nor rpc_modules',
  'blocks, headers, receipts and transactions are answered as bytes': 'anvil has no debug_getRaw methods',
  'debug_storageRangeAt lists slots as they were before a transaction': 'anvil has no debug_storageRangeAt',
  'what is no request is answered with the right code, and no content type is needed':
    'anvil refuses a request without a content type, and answers -32600 to text that is not JSON, where JSON-RPC says -32700',
}

/** Checks that both pass with different answers, with the reason. */
export const ANSWERS_DIFFER = {
  'eth_signTransaction answers a transaction that can be sent': 'the execution API has an object with the bytes under `raw`, which web3.js reads; anvil answers the bytes alone',
  'eth_config names the rules of the chain': 'anvil names a deposit contract, which a chain without a beacon chain does not have',
}
