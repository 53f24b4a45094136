//! Headers: what the hub says there, within what the chain takes, and what it refuses.

use alloy_primitives::B256;
use gridtally_core::quantity::Amount;
use rand::RngExt;

use super::super::town::Data;
use super::{Way, change};

pub(super) const WAYS: &[Way] = &[
    Way::new("the first key", |batch, random| {
        batch.header.first_key ^= 1 << random.random_range(0..48);
        true
    }),
    Way::new("the last key", |batch, random| {
        batch.header.last_key ^= 1 << random.random_range(0..48);
        true
    }),
    Way::new("the hub's balance", |batch, random| {
        change(&mut batch.header.hub_balance, random);
        true
    }),
    Way::new("the hub's balance, in its account too", |batch, random| {
        change(&mut batch.header.hub_balance, random);
        batch.accounts[0].balance = batch.header.hub_balance;
        true
    }),
];

/// What the chain looks at.
pub(super) const COMMITMENT_WAYS: &[Way] = &[
    Way::new("a period later", |batch, _| {
        batch.header.period.0 += 1;
        true
    }),
    Way::new("a period earlier", |batch, _| {
        batch.header.period.0 = batch.header.period.0.saturating_sub(1);
        true
    }),
    Way::new("the last of all periods", |batch, _| {
        batch.header.period.0 = u32::MAX;
        true
    }),
    Way::new("another run", |batch, random| {
        batch.header.run ^= 1 << random.random_range(0..32);
        true
    }),
    Way::new("the next run", |batch, _| {
        batch.header.run += 1;
        true
    }),
    Way::new("another part", |batch, random| {
        batch.header.part ^= 1 << random.random_range(0..16);
        true
    }),
    Way::new("no record", |batch, _| {
        batch.header.count = 0;
        true
    }),
    Way::new("more records than a tree may have", |batch, _| {
        batch.header.count = (1 << 18) + 1;
        true
    }),
    Way::new("a record less than there are", |batch, _| {
        batch.header.count -= 1;
        true
    }),
    Way::new("a record more than there are", |batch, _| {
        batch.header.count += 1;
        true
    }),
    Way::new("keys that fall", |batch, _| {
        let header = &mut batch.header;
        (header.first_key, header.last_key) = (header.last_key, header.first_key);
        header.first_key != header.last_key
    }),
    Way::new("keys that fall below the cursor", |batch, _| {
        (batch.header.first_key, batch.header.last_key) = (0, 0);
        true
    }),
    Way::new("an account less", |batch, _| {
        batch.header.account_count -= 1;
        batch.accounts.pop();
        true
    }),
    Way::new("more accounts than participants", |batch, random| {
        batch.header.account_count += random.random_range(1..1_000);
        true
    }),
    Way::new("a hub in debt", |batch, _| {
        batch.header.hub_balance = Amount::from_micro(-1);
        true
    }),
    Way::new("the deepest debt", |batch, _| {
        batch.header.hub_balance = Amount::from_micro(i64::MIN);
        true
    }),
    Way::new("the inbox taken back", |batch, _| {
        let is_possible = batch.header.inbox_to > 0;
        batch.header.inbox_to = 0;
        is_possible
    }),
    Way::new("an inbox without end", |batch, _| {
        batch.header.inbox_to = u64::MAX;
        true
    }),
    Way::new("another parent", |batch, random| {
        batch.header.parent = B256::from(random.random::<[u8; 32]>());
        true
    }),
    Way::new("calldata that ends early", |batch, random| match &mut batch.data {
        Data::Calldata(bytes) => {
            bytes.truncate(random.random_range(0..bytes.len()));
            true
        }
        Data::Blobs(_) => false,
    }),
    Way::new("calldata that goes on", |batch, random| match &mut batch.data {
        Data::Calldata(bytes) => {
            bytes.push(random.random());
            true
        }
        Data::Blobs(_) => false,
    }),
];
