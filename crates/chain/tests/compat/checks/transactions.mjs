// Every type of transaction, the precompiles of the present rules, and what is refused.

import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import { Transaction, isError, sha256, toBeHex } from 'ethers'
import { check, failure, hex, holds, same } from '../lib/check.mjs'
import { IDENTITY, ONE, kzg } from '../lib/blob.mjs'
import { SIGNER } from '../lib/node.mjs'

const ACCOUNT = '0x00000000000000000000000000000000000ca401'

check('a transaction pays the base fee and its tip', ['MetaMask', 'ethers', 'viem'], async (node) => {
  const tip = 3_000_000_000n
  const sent = await node.wallet(SIGNER.ethers).sendTransaction({ to: ACCOUNT, value: 1n, maxPriorityFeePerGas: tip, maxFeePerGas: 100_000_000_000n })
  const receipt = await sent.wait()
  const { baseFeePerGas } = await node.ethers.getBlock(receipt.blockNumber)
  same(receipt.gasPrice, baseFeePerGas + tip, 'effective gas price')
  same([receipt.type, (await node.ethers.getTransaction(receipt.hash)).maxPriorityFeePerGas], [2, tip], 'type and tip')
  return receipt.status
})

check('a transaction of the first type and one with an access list are accepted', ['web3.js', 'ethers', 'Remix'], async (node) => {
  const { target } = await node.probe()
  const from = node.address(SIGNER.web3)
  const legacy = await node.web3.eth.sendTransaction({ from, to: ACCOUNT, value: '1', gas: '21000', gasPrice: '5000000000', type: '0x0' })
  const accessList = [{ address: target, storageKeys: [`0x${'00'.repeat(32)}`] }]
  const call = { to: target, data: '0x3fa4f245', gasLimit: 100_000, gasPrice: 5_000_000_000n, type: 1, accessList }
  const listed = await (await node.wallet(SIGNER.ethers).sendTransaction(call)).wait()
  const found = await node.rpc('eth_getTransactionByHash', listed.hash)
  same(found.accessList.map(({ storageKeys }) => storageKeys), [accessList[0].storageKeys], 'access list')
  same([BigInt(legacy.type), listed.type], [0n, 1], 'types')
  return [legacy.gasUsed, listed.gasUsed]
})

check('an authorization lets an account run the code of a contract', ['viem', 'MetaMask'], async (node) => {
  const contract = await node.probe()
  const authority = node.viemWallet(SIGNER.authority)
  const to = authority.account.address
  const authorization = await authority.signAuthorization({ contractAddress: contract.target })
  const data = contract.interface.encodeFunctionData('set', [55n])
  const hash = await node.viemWallet(SIGNER.viem).sendTransaction({ to, data, authorizationList: [authorization] })
  const receipt = await node.viem.waitForTransactionReceipt({ hash })
  same([receipt.status, receipt.type], ['success', 'eip7702'], 'status and type')
  same(await node.rpc('eth_getCode', to, 'latest'), `0xef0100${contract.target.slice(2).toLowerCase()}`, 'code')
  same(await node.viem.readContract({ abi: contract.interface.fragments.map((f) => JSON.parse(f.format('json'))), address: to, functionName: 'value' }), 55n, 'value')
  same((await node.rpc('eth_getTransactionByHash', hash)).authorizationList.length, 1, 'number of authorizations')
  return receipt.gasUsed
})

check('ethers sends a blob with cell proofs and the contract sees its hash', ['ethers'], async (node) => {
  const contract = await node.probe()
  const { data, commitment, cellProofs, versionedHash } = IDENTITY
  const wallet = node.wallet(SIGNER.blob)
  const request = await wallet.populateTransaction({
    type: 3,
    to: contract.target,
    data: contract.interface.encodeFunctionData('recordBlobHash'),
    maxFeePerBlobGas: 10_000_000_000n,
    gasLimit: 200_000,
    blobVersionedHashes: [versionedHash],
  })
  const send = (cellProofs) => {
    const proof = `0x${cellProofs.map((cell) => cell.slice(2)).join('')}`
    const transaction = Transaction.from({ ...request, from: undefined, blobWrapperVersion: 1, blobs: [{ data, commitment, proof }] })
    transaction.signature = wallet.signingKey.sign(transaction.unsignedHash)
    return node.rpc('eth_sendRawTransaction', transaction.serialized)
  }
  await failure(send([...cellProofs.slice(1), commitment]), 'a wrong proof of a cell')
  const receipt = await node.receipt(await send(cellProofs))
  same([receipt.status, receipt.type, receipt.blobGasUsed], ['0x1', '0x3', '0x20000'], 'status, type and blob gas')
  same(await contract.blobHash(), versionedHash, 'hash that the contract saw')
  const block = await node.rpc('eth_getBlockByNumber', receipt.blockNumber, false)
  same(block.blobGasUsed, '0x20000', 'blob gas of the block')
  return [receipt.gasUsed, receipt.blobGasPrice]
})

check('viem sends two blobs with proofs of whole blobs', ['viem'], async (node) => {
  const contract = await node.probe()
  const hash = await node.viemWallet(SIGNER.blob).sendTransaction({
    to: contract.target,
    data: contract.interface.encodeFunctionData('recordBlobHash'),
    blobs: [ONE.data, IDENTITY.data],
    kzg,
    maxFeePerBlobGas: 10_000_000_000n,
  })
  const receipt = await node.viem.waitForTransactionReceipt({ hash })
  same([receipt.status, receipt.type, receipt.blobGasUsed], ['success', 'eip4844', 262_144n], 'status, type and blob gas')
  same(await contract.blobHash(), ONE.versionedHash, 'hash that the contract saw')
  return receipt.gasUsed
})

check('the precompiles for blobs and P-256 accept what is true and refuse what is false', ['ethers', 'viem'], async (node) => {
  const contract = await node.probe()
  const { commitment, proof, versionedHash } = IDENTITY
  const claim = (z, y) => `${versionedHash}${[toBeHex(z, 32), toBeHex(y, 32), commitment, proof].map((part) => part.slice(2)).join('')}`
  const point = (input) => contract.precompile('0x000000000000000000000000000000000000000a', input)
  const [proved, answer] = await point(claim(12_345n, 12_345n))
  same([proved, BigInt(`0x${answer.slice(2, 66)}`)], [true, 4096n], 'answer to a true claim')
  same((await point(claim(12_345n, 12_346n)))[0], false, 'whether a false claim is accepted')

  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const message = Buffer.from('a reading of a meter')
  const signature = sign('sha256', message, { key: privateKey, dsaEncoding: 'ieee-p1363' })
  const { x, y } = publicKey.export({ format: 'jwk' })
  const parts = [createHash('sha256').update(message).digest(), signature, Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]
  const verify = (input) => contract.precompile('0x0000000000000000000000000000000000000100', `0x${input.toString('hex')}`)
  same([...(await verify(Buffer.concat(parts)))], [true, toBeHex(1n, 32)], 'answer to a true signature')
  parts[0] = Buffer.from(sha256('0x00').slice(2), 'hex')
  same([...(await verify(Buffer.concat(parts)))], [true, '0x'], 'answer to a false signature')
  return answer
})

check('a used nonce, missing funds and another chain are refused with their reasons', ['ethers', 'MetaMask', 'viem', 'web3.js'], async (node) => {
  const wallet = node.wallet(SIGNER.ethers)
  const used = await failure(wallet.sendTransaction({ to: ACCOUNT, nonce: 0, gasLimit: 21_000 }), 'a used nonce')
  holds(isError(used, 'NONCE_EXPIRED'), `ethers understands the refusal of a used nonce: ${used.code} ${used.message}`)
  const poor = await failure(wallet.sendTransaction({ to: ACCOUNT, value: 10n ** 30n, gasLimit: 21_000 }), 'missing funds')
  holds(isError(poor, 'INSUFFICIENT_FUNDS'), `ethers understands the refusal without funds: ${poor.code} ${poor.message}`)
  const request = { to: ACCOUNT, chainId: node.chainId + 1, nonce: await wallet.getNonce(), gasLimit: 21_000, maxFeePerGas: 10n ** 11n, maxPriorityFeePerGas: 0n, type: 2 }
  const foreign = await failure(node.rpc('eth_sendRawTransaction', await wallet.signTransaction(request)), 'a transaction for another chain')
  const garbage = await failure(node.rpc('eth_sendRawTransaction', '0x02deadbeef'), 'bytes that are no transaction')
  const cheap = await failure(node.wallet(SIGNER.evm).sendTransaction({ to: ACCOUNT, maxFeePerGas: 1n, maxPriorityFeePerGas: 0n, gasLimit: 21_000 }), 'a fee below the base fee')
  holds([foreign, garbage].every((error) => typeof error.code === 'number'), 'the refusals have codes')
  return /max fee per gas less than block base fee/.test(cheap.info?.error?.message ?? cheap.error?.message)
})

check('a waiting transaction is replaced by one that pays more', ['MetaMask', 'ethers'], async (node) => {
  const from = node.address(SIGNER.evm)
  const nonce = await node.rpc('eth_getTransactionCount', from, 'latest')
  const send = (value, gwei) => {
    const fee = hex(BigInt(gwei) * 10n ** 9n)
    return node.rpc('eth_sendTransaction', { from, to: ACCOUNT, value, nonce, gas: '0x5208', maxFeePerGas: fee, maxPriorityFeePerGas: fee })
  }
  const [first, second] = await node.withoutSealing(async () => {
    const first = await send('0x11', 10)
    await failure(send('0x12', 10), 'a replacement that pays no more')
    return [first, await send('0x13', 20)]
  })
  same((await node.receipt(second)).status, '0x1', 'status of the second')
  same(await node.rpc('eth_getTransactionReceipt', first), null, 'receipt of the first')
  return true
})
