//! The contracts as their committed artifacts describe them: nothing here is written by hand.

#![expect(clippy::too_many_arguments, reason = "generated from the artifacts")]

use alloy_primitives::aliases::U48;
use alloy_sol_types::sol;
use gridtally_settlement::{AccountLeaf, BatchHeader, Opened, RecordLeaf, Salt};

sol!(
    #[derive(Debug, PartialEq, Eq)]
    #[sol(ignore_unlinked)]
    DirectSettlement,
    "../../contracts/artifacts/DirectSettlement.json"
);

sol!(
    #[derive(Debug, PartialEq, Eq)]
    DemoToken,
    "../../contracts/artifacts/DemoToken.json"
);

/// Batch settlement: each contract in a module of its own, since all of them bring the types of `IBatchSettlement`.
pub(crate) mod batch {
    use super::sol;

    sol!(
        #[derive(Debug, PartialEq, Eq)]
        #[sol(ignore_unlinked)]
        BatchSettlement,
        "../../contracts/artifacts/BatchSettlement.json"
    );
}

/// Proofs of fraud.
pub(crate) mod fraud {
    use super::sol;

    sol!(
        #[derive(Debug, PartialEq, Eq)]
        #[sol(ignore_unlinked)]
        FraudProver,
        "../../contracts/artifacts/FraudProver.json"
    );
}

/// Demands and their answers.
pub(crate) mod demand {
    use super::sol;

    sol!(
        #[derive(Debug, PartialEq, Eq)]
        #[sol(ignore_unlinked)]
        DemandProver,
        "../../contracts/artifacts/DemandProver.json"
    );
}

/// Snapshots and forced readings.
pub(crate) mod duty {
    use super::sol;

    sol!(
        #[derive(Debug, PartialEq, Eq)]
        #[sol(ignore_unlinked)]
        DutyProver,
        "../../contracts/artifacts/DutyProver.json"
    );
}

/// What stands where there is no salt: open batches ignore it.
const NO_SALT: Salt = [0; 16];

/// Gives the types of a module the protocol's own.
macro_rules! protocol_types {
    ($module:ident) => {
        impl From<&BatchHeader> for $module::IBatchSettlement::Header {
            fn from(header: &BatchHeader) -> Self {
                Self {
                    seq: header.seq,
                    parent: header.parent,
                    period: header.period.0,
                    run: header.run,
                    part: header.part,
                    count: header.count,
                    firstKey: U48::from(header.first_key),
                    lastKey: U48::from(header.last_key),
                    regPeriod: header.reg_period.0,
                    regLastKey: U48::from(header.reg_last_key),
                    lastRun: header.last_run,
                    recordRoot: header.record_root,
                    accountRoot: header.account_root,
                    accountCount: header.account_count,
                    hubBalance: header.hub_balance.micro(),
                    inboxTo: header.inbox_to,
                    tariffHash: header.tariff_hash,
                    dataHash: header.data_hash,
                    dataKind: header.data_kind as u8,
                    committedAt: header.committed_at,
                }
            }
        }

        impl From<&Opened<RecordLeaf>> for $module::IBatchSettlement::Leaf {
            fn from(opened: &Opened<RecordLeaf>) -> Self {
                let leaf = &opened.leaf;
                Self {
                    index: opened.index,
                    record: leaf.record.pack().into(),
                    amount: leaf.amount.micro(),
                    balanceAfter: leaf.balance_after.micro(),
                    hubAfter: leaf.hub_after.micro(),
                    salt: opened.salt.unwrap_or(NO_SALT).into(),
                    path: opened.path.clone(),
                }
            }
        }

        /// No leaf: index 2^32 - 1 with an empty path.
        impl From<Option<&Opened<RecordLeaf>>> for $module::IBatchSettlement::Leaf {
            fn from(opened: Option<&Opened<RecordLeaf>>) -> Self {
                match opened {
                    Some(opened) => opened.into(),
                    None => Self {
                        index: u32::MAX,
                        record: [0; 10].into(),
                        amount: 0,
                        balanceAfter: 0,
                        hubAfter: 0,
                        salt: NO_SALT.into(),
                        path: Vec::new(),
                    },
                }
            }
        }

        impl From<&Opened<AccountLeaf>> for $module::IBatchSettlement::Account {
            fn from(opened: &Opened<AccountLeaf>) -> Self {
                Self {
                    participant: opened.leaf.participant.0,
                    balance: opened.leaf.balance.micro(),
                    payableMicro: opened.leaf.payable_micro,
                    salt: opened.salt.unwrap_or(NO_SALT).into(),
                    path: opened.path.clone(),
                }
            }
        }

        /// An account that is new has no leaf before; what stands here is not read.
        impl From<Option<&Opened<AccountLeaf>>> for $module::IBatchSettlement::Account {
            fn from(opened: Option<&Opened<AccountLeaf>>) -> Self {
                match opened {
                    Some(opened) => opened.into(),
                    None => Self {
                        participant: 0,
                        balance: 0,
                        payableMicro: 0,
                        salt: NO_SALT.into(),
                        path: Vec::new(),
                    },
                }
            }
        }
    };
}

protocol_types!(batch);
protocol_types!(fraud);
protocol_types!(demand);
protocol_types!(duty);
