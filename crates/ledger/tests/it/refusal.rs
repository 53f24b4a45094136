//! What the contract and the chain refuse, and in which words: the same on both chains.

use alloy_primitives::Signature;
use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::{SettlementPeriod, Slot};
use gridtally_ledger::{
    CallKind, GasLimit, Key, ParticipantState, PasswordSource, Refusal, SendError, SendOptions,
    Sender, SettleError, SettleForm, SettleOptions,
};
use gridtally_settlement::{Code, DirectRecord};

use crate::node::{Node, on_both};
use crate::town::{
    ALICE, ALICE_KEY, BOB, BOB_KEY, FUNDS_MICRO, HUB, OFFICER, Town, brisk, consumption, feed_in,
    key, quiet, sender,
};

const STRANGER: u32 = 7;

fn options(gas_limit: GasLimit) -> SettleOptions {
    SettleOptions { form: SettleForm::One, gas_limit, ..SettleOptions::default() }
}

/// Settles one record and returns why not.
async fn refused(
    town: &Town,
    node: &Node,
    by: u32,
    record: DirectRecord,
    gas_limit: GasLimit,
) -> SendError {
    let sender = sender(&node.client, by);
    let settled = town.ledger.settle(&sender, &[record], options(gas_limit), &mut quiet).await;
    match settled.unwrap_err() {
        SettleError::Send(error) => error,
        error => panic!("{error}"),
    }
}

#[tokio::test]
async fn records_are_refused_with_reasons_and_values() {
    on_both(async |node| {
        let town = Town::ready(node).await;
        let record = consumption(ALICE, 3, 100);
        let later = |period, slot| DirectRecord {
            period: SettlementPeriod(period),
            slot: Slot(slot),
            ..record
        };
        let nobody = ParticipantNumber(9);
        let code = Code::new(40).unwrap();
        let starts_s = 1_759_276_800;
        let cases = [
            (DirectRecord { to: ALICE, ..record }, "participant 1 would pay itself".to_owned()),
            (DirectRecord { from: nobody, ..record }, "participant 9 does not exist".into()),
            (later(0, 3), "code 32 has no price in period 0".into()),
            (later(1, 96), "slot 96, a period has 96".into()),
            (
                later(3, 3),
                format!(
                    "slot 3 of period 3 ends at {}, it cannot be metered yet",
                    starts_s + 3 * 86_400 + 4 * 900
                ),
            ),
            (DirectRecord { energy_wh: -1, ..record }, "-1 Wh in a first settlement".into()),
            (DirectRecord { code, ..record }, "code 40 has no price in period 1".into()),
            (
                DirectRecord { energy_wh: i32::MAX, ..record },
                format!("participant 1 holds {FUNDS_MICRO} micro-units, 536870911750 are due"),
            ),
        ];
        for (record, expected) in cases {
            let error = refused(&town, node, OFFICER, record, GasLimit::Estimated).await;
            assert_eq!(error.to_string(), format!("settle is refused: {expected}"));
            assert!(matches!(error, SendError::Refused { kind: CallKind::Settle, .. }));
            // The same where it is found only after it was carried out and paid.
            let error = refused(&town, node, OFFICER, record, GasLimit::Known).await;
            let text = error.to_string();
            assert!(text.ends_with(&format!(") reverted: {expected}")), "{text}");
            assert!(matches!(error, SendError::Reverted { kind: CallKind::Settle, .. }));
        }
        let error = refused(&town, node, STRANGER, record, GasLimit::Estimated).await;
        let caller = key(STRANGER).address();
        assert_eq!(error.refusal(), Some(&Refusal::CallerRefused { caller }));
        let (ledger, officer) = (&town.ledger, &town.officer);
        ledger.set_state(officer, BOB, ParticipantState::Suspended).await.unwrap();
        let error = refused(&town, node, OFFICER, feed_in(BOB, 0, 1), GasLimit::Estimated).await;
        let inactive = Refusal::ParticipantInactive { participant: 2, state: 2 };
        assert_eq!(error.refusal(), Some(&inactive));
        assert_eq!(town.balances().await, [FUNDS_MICRO; 3], "nothing was settled");
    })
    .await;
}

#[tokio::test]
async fn a_refused_record_does_not_keep_the_others_from_being_settled() {
    on_both(async |node| {
        let town = Town::ready(node).await;
        let records = [
            consumption(ALICE, 0, 100),
            consumption(ALICE, 1, i32::MAX),
            consumption(ALICE, 2, 100),
        ];
        let officer = sender(&node.client, OFFICER);
        let options = options(GasLimit::Known);
        let error = town.ledger.settle(&officer, &records, options, &mut quiet).await.unwrap_err();
        assert!(matches!(&error, SettleError::Send(SendError::Reverted { .. })), "{error}");
        // All three were on their way; when the error is told, all of them have arrived.
        let settled = town.ledger.settled_records(&[SettlementPeriod(1)]).await.unwrap();
        let slots = settled.iter().map(|settled| settled.record.slot.0).collect::<Vec<_>>();
        assert_eq!(slots, [0, 2]);
    })
    .await;
}

#[tokio::test]
async fn signatures_of_others_are_refused() {
    on_both(async |node| {
        let town = Town::ready(node).await;
        let ledger = &town.ledger;
        let record = consumption(ALICE, 0, 100);
        let digest = record.digest(&ledger.deployment().domain());
        let stranger = sender(&node.client, STRANGER);
        let refused = async |signature: Signature| {
            let records = [(record, signature)];
            let settled = ledger.settle_signed(&stranger, &records, 1, &mut quiet).await;
            settled.unwrap_err().to_string()
        };
        let (alice, bob) = (key(ALICE_KEY).address(), key(BOB_KEY).address());
        assert_eq!(
            refused(key(BOB_KEY).sign(digest)).await,
            format!("settle_signed is refused: signed by {bob}, the meter is {alice}")
        );
        let signature = key(ALICE_KEY).sign(digest);
        let high = Signature::new(signature.r(), -signature.s(), !signature.v());
        assert_eq!(refused(high).await, "settle_signed is refused: the signature is invalid");
        ledger.settle_signed(&stranger, &[(record, signature)], 1, &mut quiet).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn offices_and_owners_are_respected() {
    on_both(async |node| {
        let town = Town::ready(node).await;
        let ledger = &town.ledger;
        let stranger = sender(&node.client, STRANGER);
        let address = stranger.address();
        let text = |result: Result<_, SendError>| result.unwrap_err().to_string();
        assert_eq!(
            text(ledger.withdraw(&stranger, ALICE, 1).await),
            format!("withdraw is refused: {address} does not own participant 1")
        );
        assert_eq!(
            text(ledger.mint(&stranger, address, 1).await),
            format!("mint is refused: {address} may not issue the token")
        );
        assert_eq!(
            text(ledger.set_state(&stranger, ALICE, ParticipantState::Retired).await),
            format!("registry_change is refused: {address} does not hold the office for this call")
        );
        let alice = sender(&node.client, ALICE_KEY);
        assert_eq!(
            text(ledger.withdraw(&alice, ALICE, 0).await),
            "withdraw is refused: the amount is zero"
        );
        assert_eq!(
            text(ledger.withdraw(&alice, ALICE, FUNDS_MICRO + 1).await),
            "withdraw is refused: participant 1 holds 50000000 micro-units, 50000001 are due"
        );
        assert_eq!(
            text(ledger.set_state(&town.officer, HUB, ParticipantState::Retired).await),
            "registry_change is refused: participant 0 cannot go from state 1 to 3"
        );
        // Nobody funds from an empty purse.
        let funding = gridtally_ledger::Funding { participant: ALICE, balance_min_micro: u64::MAX };
        let error = ledger.fund(&alice, &[funding], &mut quiet).await.unwrap_err().to_string();
        let expected = format!("{} has 0 micro-units of the token, ", alice.address());
        assert!(error.starts_with(&expected), "{error}");
    })
    .await;
}

#[tokio::test]
async fn who_cannot_pay_for_gas_or_does_not_want_to_is_told_so() {
    on_both(async |node| {
        let town = Town::ready(node).await;
        let record = consumption(ALICE, 0, 100);
        let signature = key(ALICE_KEY).sign(record.digest(&town.ledger.deployment().domain()));
        let settle = async |sender: &Sender| {
            let records = [(record, signature)];
            let settled = town.ledger.settle_signed(sender, &records, 1, &mut quiet).await;
            settled.unwrap_err().to_string()
        };
        let folder = tempfile::tempdir().unwrap();
        let password = folder.path().join("password");
        std::fs::write(&password, "for a moment").unwrap();
        let created = Key::create(folder.path(), "poor.json", &PasswordSource::File(password));
        let poor = Sender::new(node.client.clone(), created.unwrap().0, brisk());
        assert_eq!(
            settle(&poor).await,
            format!("{} has 0 wei, too little for the gas of settle_signed", poor.address())
        );
        let frugal = SendOptions { gas_price_wei_max: Some(1), ..brisk() };
        let frugal = Sender::new(node.client.clone(), key(STRANGER), frugal);
        let error = settle(&frugal).await;
        assert!(error.starts_with("a unit of gas costs "), "{error}");
        assert!(error.ends_with(" wei, the configuration allows 1"), "{error}");
    })
    .await;
}
