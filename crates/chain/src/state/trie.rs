//! The Merkle Patricia trie over keys of 32 bytes, kept whole in memory.
//!
//! All keys have the same length, so a branch never holds a value, and an extension node is nothing but a branch
//! that begins deeper than its parent ends. The trie therefore stores two kinds of nodes in one arena: leaves, and
//! branches that know the nibble at which they divide. Each node remembers its reference (hash or inlined bytes)
//! until something below it changes.
//!
//! # Source
//!
//! Ethereum yellow paper, appendix D; hex prefix encoding, appendix C.

use alloy_primitives::{B256, Bytes, keccak256};

/// The root of a trie without entries: `keccak256(rlp(""))`.
pub const EMPTY_ROOT: B256 =
    alloy_primitives::b256!("56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421");

const NONE: u32 = u32::MAX;
const NIBBLES: usize = 64;

/// A trie from 32-byte keys (already hashed) to values (already encoded).
#[derive(Debug, Default)]
pub struct Trie {
    nodes: Vec<Node>,
    free: Vec<u32>,
    root: Option<u32>,
}

#[derive(Debug)]
enum Node {
    Free,
    Leaf { key: B256, value: Box<[u8]>, reference: Reference },
    Branch { depth: u8, children: [u32; 16], reference: Reference },
}

/// What a parent stores for a child: 32 bytes of hash, the encoding itself when shorter, or nothing yet.
#[derive(Debug, Clone, Copy)]
struct Reference {
    len: u8,
    data: [u8; 32],
}

impl Reference {
    const STALE: Self = Self { len: 0, data: [0; 32] };
    const HASH: u8 = 32;

    fn of(encoded: &[u8]) -> Self {
        match u8::try_from(encoded.len()) {
            Ok(len) if len < Self::HASH => {
                let mut data = [0; 32];
                data[..encoded.len()].copy_from_slice(encoded);
                Self { len, data }
            }
            _ => Self { len: Self::HASH, data: keccak256(encoded).0 },
        }
    }

    fn is_stale(&self) -> bool {
        self.len == 0
    }

    fn is_inline(&self) -> bool {
        self.len < Self::HASH
    }

    fn write(&self, out: &mut Vec<u8>) {
        if self.is_inline() {
            out.extend_from_slice(&self.data[..usize::from(self.len)]);
        } else {
            out.push(0xa0);
            out.extend_from_slice(&self.data);
        }
    }
}

impl Trie {
    /// Returns whether the trie has no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// Returns the value of `key`.
    #[must_use]
    pub fn get(&self, key: &B256) -> Option<&[u8]> {
        let mut current = self.root?;
        loop {
            match &self.nodes[current as usize] {
                Node::Leaf { key: found, value, .. } => return (found == key).then_some(value),
                Node::Branch { depth, children, .. } => {
                    let child = children[usize::from(nibble(key, usize::from(*depth)))];
                    if child == NONE {
                        return None;
                    }
                    current = child;
                }
                Node::Free => unreachable!("a freed node is never linked"),
            }
        }
    }

    /// Sets the value of `key`.
    pub fn insert(&mut self, key: B256, value: Vec<u8>) {
        let value = value.into_boxed_slice();
        let Some(root) = self.root else {
            self.root = Some(self.add(Node::Leaf { key, value, reference: Reference::STALE }));
            return;
        };
        let mut parent: Option<(u32, u8)> = None;
        let mut current = root;
        let mut start = 0;
        loop {
            let (sample, end) = match &mut self.nodes[current as usize] {
                Node::Leaf { key: found, value: old, reference } => {
                    *reference = Reference::STALE;
                    if *found == key {
                        *old = value;
                        return;
                    }
                    (*found, NIBBLES)
                }
                Node::Branch { depth, reference, .. } => {
                    *reference = Reference::STALE;
                    let depth = usize::from(*depth);
                    let sample = if depth > start { self.sample(current) } else { key };
                    (sample, depth)
                }
                Node::Free => unreachable!("a freed node is never linked"),
            };
            if let Some(split) = (start..end).find(|&i| nibble(&sample, i) != nibble(&key, i)) {
                let leaf = self.add(Node::Leaf { key, value, reference: Reference::STALE });
                let mut children = [NONE; 16];
                children[usize::from(nibble(&sample, split))] = current;
                children[usize::from(nibble(&key, split))] = leaf;
                let branch = self.add(Node::Branch {
                    depth: depth_of(split),
                    children,
                    reference: Reference::STALE,
                });
                self.link(parent, branch);
                return;
            }
            let slot = nibble(&key, end);
            let Node::Branch { children, .. } = &mut self.nodes[current as usize] else {
                unreachable!("a leaf with the same 64 nibbles has the same key")
            };
            let child = children[usize::from(slot)];
            if child == NONE {
                let leaf = self.add(Node::Leaf { key, value, reference: Reference::STALE });
                self.link(Some((current, slot)), leaf);
                return;
            }
            parent = Some((current, slot));
            current = child;
            start = end + 1;
        }
    }

    /// Removes `key` when it is there.
    pub fn remove(&mut self, key: &B256) {
        if self.get(key).is_none() {
            return;
        }
        let mut grandparent: Option<(u32, u8)> = None;
        let mut parent: Option<(u32, u8)> = None;
        let Some(mut current) = self.root else { return };
        while let Node::Branch { depth, children, reference } = &mut self.nodes[current as usize] {
            *reference = Reference::STALE;
            let slot = nibble(key, usize::from(*depth));
            grandparent = parent;
            parent = Some((current, slot));
            current = children[usize::from(slot)];
        }
        self.release(current);
        let Some((branch, slot)) = parent else {
            self.root = None;
            return;
        };
        let Node::Branch { children, .. } = &mut self.nodes[branch as usize] else {
            unreachable!("the parent of a leaf is a branch")
        };
        children[usize::from(slot)] = NONE;
        let mut rest = children.iter().copied().filter(|child| *child != NONE);
        if let (Some(only), None) = (rest.next(), rest.next()) {
            // The remaining child moves up, so its own encoding begins earlier.
            match &mut self.nodes[only as usize] {
                Node::Leaf { reference, .. } | Node::Branch { reference, .. } => {
                    *reference = Reference::STALE;
                }
                Node::Free => unreachable!("a freed node is never linked"),
            }
            self.release(branch);
            self.link(grandparent, only);
        }
    }

    /// Returns the root hash, computing what has changed since the last call.
    pub fn root(&mut self) -> B256 {
        let Some(root) = self.root else { return EMPTY_ROOT };
        let reference = self.reference(root, 0);
        if reference.is_inline() {
            keccak256(&reference.data[..usize::from(reference.len)])
        } else {
            B256::from(reference.data)
        }
    }

    /// Returns the nodes on the way from the root to `key`, or to where the way ends when `key` is not there.
    ///
    /// Nodes that are inlined in their parents are not listed on their own.
    pub fn proof(&mut self, key: &B256) -> Vec<Bytes> {
        let mut nodes = Vec::new();
        let Some(mut current) = self.root else { return nodes };
        let _fresh = self.root();
        let mut start = 0;
        let mut push = |encoded: Vec<u8>| {
            if encoded.len() >= usize::from(Reference::HASH) || nodes.is_empty() {
                nodes.push(Bytes::from(encoded));
            }
        };
        loop {
            push(self.encode(current, start));
            let Node::Branch { depth, children, .. } = &self.nodes[current as usize] else { break };
            let (depth, children) = (usize::from(*depth), *children);
            if depth > start {
                let sample = self.sample(current);
                if (start..depth).any(|i| nibble(&sample, i) != nibble(key, i)) {
                    break;
                }
                push(self.encode_branch(current));
            }
            let child = children[usize::from(nibble(key, depth))];
            if child == NONE {
                break;
            }
            current = child;
            start = depth + 1;
        }
        nodes
    }

    fn add(&mut self, node: Node) -> u32 {
        if let Some(index) = self.free.pop() {
            self.nodes[index as usize] = node;
            return index;
        }
        let index = u32::try_from(self.nodes.len()).expect("fewer than 2^32 nodes fit in memory");
        self.nodes.push(node);
        index
    }

    fn release(&mut self, index: u32) {
        self.nodes[index as usize] = Node::Free;
        self.free.push(index);
    }

    fn link(&mut self, parent: Option<(u32, u8)>, child: u32) {
        match parent {
            None => self.root = Some(child),
            Some((branch, slot)) => {
                if let Node::Branch { children, .. } = &mut self.nodes[branch as usize] {
                    children[usize::from(slot)] = child;
                }
            }
        }
    }

    /// Returns the key of any leaf below `index`: all of them agree up to the depth of the branch.
    fn sample(&self, mut index: u32) -> B256 {
        loop {
            match &self.nodes[index as usize] {
                Node::Leaf { key, .. } => return *key,
                Node::Branch { children, .. } => {
                    index = *children
                        .iter()
                        .find(|child| **child != NONE)
                        .expect("a branch has at least two children");
                }
                Node::Free => unreachable!("a freed node is never linked"),
            }
        }
    }

    fn reference(&mut self, index: u32, start: usize) -> Reference {
        let cached = match &self.nodes[index as usize] {
            Node::Leaf { reference, .. } | Node::Branch { reference, .. } => *reference,
            Node::Free => unreachable!("a freed node is never linked"),
        };
        if !cached.is_stale() {
            return cached;
        }
        let encoded = self.encode(index, start);
        let fresh = Reference::of(&encoded);
        if let Node::Leaf { reference, .. } | Node::Branch { reference, .. } =
            &mut self.nodes[index as usize]
        {
            *reference = fresh;
        }
        fresh
    }

    /// Returns the encoding of the node at `index` as seen from a parent that ends before nibble `start`.
    fn encode(&mut self, index: u32, start: usize) -> Vec<u8> {
        match &self.nodes[index as usize] {
            Node::Leaf { key, value, .. } => {
                let path = hex_prefix(key, start, NIBBLES, true);
                let mut payload = Vec::with_capacity(path.len() + value.len() + 6);
                write_string(&path, &mut payload);
                write_string(value, &mut payload);
                list(&payload)
            }
            Node::Branch { depth, .. } if usize::from(*depth) == start => self.encode_branch(index),
            Node::Branch { depth, .. } => {
                let depth = usize::from(*depth);
                let path = hex_prefix(&self.sample(index), start, depth, false);
                let branch = Reference::of(&self.encode_branch(index));
                let mut payload = Vec::with_capacity(path.len() + 36);
                write_string(&path, &mut payload);
                branch.write(&mut payload);
                list(&payload)
            }
            Node::Free => unreachable!("a freed node is never linked"),
        }
    }

    fn encode_branch(&mut self, index: u32) -> Vec<u8> {
        let Node::Branch { depth, children, .. } = &self.nodes[index as usize] else {
            unreachable!("only branches are encoded as branches")
        };
        let (start, children) = (usize::from(*depth) + 1, *children);
        let mut payload = Vec::with_capacity(17 * 33);
        for child in children {
            if child == NONE {
                payload.push(0x80);
            } else {
                self.reference(child, start).write(&mut payload);
            }
        }
        payload.push(0x80);
        list(&payload)
    }
}

fn depth_of(nibble: usize) -> u8 {
    u8::try_from(nibble).expect("a nibble index of a 32-byte key is below 64")
}

fn nibble(key: &B256, index: usize) -> u8 {
    let byte = key[index / 2];
    if index.is_multiple_of(2) { byte >> 4 } else { byte & 0x0f }
}

/// Returns the nibbles `[start, end)` of `key` with their parity and the leaf flag in front.
fn hex_prefix(key: &B256, start: usize, end: usize, is_leaf: bool) -> Vec<u8> {
    let flag = if is_leaf { 0x20 } else { 0 };
    let mut out = Vec::with_capacity((end - start) / 2 + 1);
    let mut next = start;
    if (end - start).is_multiple_of(2) {
        out.push(flag);
    } else {
        out.push(flag | 0x10 | nibble(key, start));
        next += 1;
    }
    while next < end {
        out.push(nibble(key, next) << 4 | nibble(key, next + 1));
        next += 2;
    }
    out
}

fn write_string(bytes: &[u8], out: &mut Vec<u8>) {
    alloy_rlp::Encodable::encode(bytes, out);
}

fn list(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + 4);
    alloy_rlp::Header { list: true, payload_length: payload.len() }.encode(&mut out);
    out.extend_from_slice(payload);
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use alloy_trie::{HashBuilder, Nibbles, proof::verify_proof};
    use proptest::prelude::*;

    use super::*;

    /// The root by another implementation, built from nothing.
    fn oracle(entries: &BTreeMap<B256, Vec<u8>>) -> B256 {
        let mut builder = HashBuilder::default();
        for (key, value) in entries {
            builder.add_leaf(Nibbles::unpack(key), value);
        }
        builder.root()
    }

    #[test]
    fn an_empty_trie_has_the_known_root() {
        assert_eq!(Trie::default().root(), EMPTY_ROOT);
    }

    fn key(seed: u16) -> B256 {
        // Few distinct leading nibbles, so that splits and merges are frequent, and long common prefixes.
        let mut key = B256::repeat_byte(0x11);
        key[0] = u8::try_from(seed % 3).unwrap();
        key[20] = u8::try_from(seed % 5).unwrap();
        key[31] = u8::try_from(seed % 251).unwrap();
        key
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn roots_and_proofs_agree_with_another_implementation(
            steps in prop::collection::vec((0u16..600, prop::option::of(prop::collection::vec(1u8..255, 1..60)), any::<bool>()), 1..60)
        ) {
            let mut trie = Trie::default();
            let mut entries = BTreeMap::new();
            for (seed, value, hashed) in steps {
                let key = if hashed { keccak256(seed.to_be_bytes()) } else { key(seed) };
                match value {
                    Some(value) => {
                        entries.insert(key, value.clone());
                        trie.insert(key, value);
                    }
                    None => {
                        entries.remove(&key);
                        trie.remove(&key);
                    }
                }
                prop_assert_eq!(trie.root(), oracle(&entries));
                prop_assert_eq!(trie.get(&key), entries.get(&key).map(Vec::as_slice));
                let root = trie.root();
                let proof = trie.proof(&key);
                if !entries.is_empty() {
                    let expected = entries.get(&key).cloned();
                    prop_assert!(verify_proof(root, Nibbles::unpack(key), expected, &proof).is_ok());
                }
            }
        }
    }
}
