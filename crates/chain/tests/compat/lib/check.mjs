// The list of checks. A check is a name, the clients that need it, and one function which throws when the node
// fails it and returns the answer in a form that must be the same on every node.

export const checks = []

const EVERYDAY_CLIENTS = ['Remix', 'MetaMask', 'web3.js', 'ethers', 'viem', 'cast']

/**
 * Adds a check. It is required when an everyday client needs it.
 * @param {string} name what works, in the present tense
 * @param {string[]} clients who asks a node for this
 * @param {(node: import('./node.mjs').Node) => Promise<unknown>} run
 */
export function check(name, clients, run) {
  if (checks.some((other) => other.name === name)) throw new Error(`two checks are called "${name}"`)
  checks.push({ name, clients, required: clients.some((client) => EVERYDAY_CLIENTS.includes(client)), run })
}

/** Throws with both values unless they are the same as JSON. */
export function same(actual, expected, what) {
  const [a, b] = [JSON.stringify(plain(actual)), JSON.stringify(plain(expected))]
  if (a !== b) throw new Error(`${what} is ${a}, expected ${b}`)
}

/** Throws unless the condition holds. */
export function holds(condition, what) {
  if (!condition) throw new Error(`not so: ${what}`)
}

/** The error that `promise` rejects with; throws when it resolves. */
export async function failure(promise, what) {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new Error(`${what} was accepted`)
}

/** A copy that JSON can hold: whole numbers as decimal strings, keys sorted, undefined left out. */
export function plain(value) {
  if (typeof value === 'bigint') return value.toString()
  if (Array.isArray(value)) return Array.from(value, plain)
  if (value && typeof value === 'object') {
    return Object.fromEntries(
      Object.keys(value)
        .sort()
        .filter((key) => value[key] !== undefined)
        .map((key) => [key, plain(value[key])]),
    )
  }
  return value
}

/** Polls `condition` until it answers something truthy; gives up after ten seconds. */
export async function until(condition, what) {
  const deadline = Date.now() + 10_000
  for (;;) {
    const answer = await condition()
    if (answer) return answer
    if (Date.now() > deadline) throw new Error(`waited ten seconds for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** Rejects when `promise` takes longer than `milliseconds`. */
export function within(promise, milliseconds, what) {
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took longer than ${milliseconds} ms`)), milliseconds)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

export const hex = (number) => `0x${BigInt(number).toString(16)}`
export const isHash = (value) => /^0x[0-9a-f]{64}$/.test(value)
export const isQuantity = (value) => /^0x(0|[1-9a-f][0-9a-f]*)$/.test(value)
