//! The whole life of a deployment, the same on both chains.

use alloy_primitives::{Address, Signature, U256};
use gridtally_core::period::SettlementPeriod;
use gridtally_ledger::{
    CallKind, Cursor, FollowOptions, Follower, GasLimit, GasMeasurements, Ledger, LedgerEvent,
    Notice, ParticipantState, RegisterError, SettleForm, SettleOptions,
};
use gridtally_settlement::{DirectRecord, Settled, first_difference};

use crate::node::{Node, START_UNIX_S, on_both};
use crate::town::{
    ALICE, ALICE_KEY, BOB, BOB_KEY, DAY_S, FUNDS_MICRO, HUB, Town, assert_settled_once,
    balances_after, consumption, feed_in, fundings, household, key, quiet, sender, tables,
};

/// What both chains must agree on.
type Outcome = (Vec<LedgerEvent>, [u64; 3], U256, Vec<(CallKind, u64)>);

#[tokio::test]
async fn a_deployment_lives_the_same_life_on_both_chains() {
    let (events, balances, ..) = on_both(whole_life).await;
    assert_eq!(events.len(), 23, "{events:?}");
    assert_eq!(balances[1], 0, "Alice has taken everything out");
}

async fn whole_life(node: &Node) -> Outcome {
    let mut measured = GasMeasurements::default();
    let town = Town::deploy(&node.client, &mut measured).await;
    let Town { ledger, officer } = &town;

    // Each step twice: the second time there is nothing left to do.
    let registrations = [ALICE_KEY, BOB_KEY].map(household);
    for round in 0..2 {
        measured.merge(&ledger.register(officer, ALICE, &registrations, &mut quiet).await.unwrap());
        measured.merge(&ledger.publish_tariffs(officer, &tables(2), &mut quiet).await.unwrap());
        if round == 0 {
            ledger.mint(officer, officer.address(), 4 * FUNDS_MICRO).await.unwrap();
        }
        measured.merge(&ledger.fund(officer, &fundings(), &mut quiet).await.unwrap());
    }
    assert_eq!(ledger.participant_count().await.unwrap().0, 3);
    assert_eq!(ledger.participant(BOB).await.unwrap().unwrap().owner, key(BOB_KEY).address());
    assert_eq!(
        ledger.tariff_hash(SettlementPeriod(2)).await.unwrap(),
        Some(tables(2)[&SettlementPeriod(2)].hash())
    );
    assert_eq!(ledger.tariff_hash(SettlementPeriod(3)).await.unwrap(), None);
    node.mine_at(START_UNIX_S + 2 * u64::from(DAY_S)).await;

    // Four forms, and the same records again in another one.
    let one = vec![consumption(ALICE, 0, 1_000), feed_in(BOB, 0, 2_000)];
    let many = vec![consumption(ALICE, 1, 999), consumption(ALICE, 2, 1), feed_in(ALICE, 2, 500)];
    let packed = (10..15).map(|slot| consumption(BOB, slot, 10)).collect::<Vec<_>>();
    let signed = vec![consumption(ALICE, 20, 700), feed_in(BOB, 20, 300)];
    for (form, records) in
        [(SettleForm::One, &one), (SettleForm::Many, &many), (SettleForm::Packed, &packed)]
    {
        for gas_limit in [GasLimit::Estimated, GasLimit::Known] {
            let options = SettleOptions { form, gas_limit, ..SettleOptions::default() };
            let summary = ledger.settle(officer, records, options, &mut quiet).await.unwrap();
            measured.merge(&summary.measured);
            let expected = match gas_limit {
                GasLimit::Estimated => (records.len() as u64, 0),
                GasLimit::Known => (0, records.len() as u64),
            };
            assert_eq!((summary.settled, summary.already_settled), expected);
        }
    }
    // Anybody may send what the meters signed.
    let stranger = sender(&node.client, 7);
    let signatures = sign(ledger, &signed);
    let summary = ledger.settle_signed(&stranger, &signatures, 4, &mut quiet).await.unwrap();
    assert_eq!(summary.settled, 2);
    measured.merge(&summary.measured);
    let correction = vec![DirectRecord { run: 1, ..consumption(ALICE, 0, -250) }];
    let options = SettleOptions::default();
    ledger.settle(officer, &correction, options, &mut quiet).await.unwrap();

    let records = [one, many, packed, signed, correction].concat();
    assert_settled_once(&town, &records).await;
    assert!(ledger.is_settled(&records[0]).await.unwrap());
    assert!(!ledger.is_settled(&consumption(BOB, 90, 5)).await.unwrap());

    // Out again.
    let alice = sender(&node.client, ALICE_KEY);
    let rest = balances_after(&records)[1];
    ledger.withdraw(&alice, ALICE, rest).await.unwrap();
    ledger.set_state(officer, ALICE, ParticipantState::Retired).await.unwrap();
    let balances = town.balances().await;
    assert_eq!(ledger.escrow().await.unwrap(), balances.iter().sum::<u64>());
    assert_eq!(ledger.token_balance(alice.address()).await.unwrap(), U256::from(rest));

    assert_history(ledger, &records, balances).await;
    assert_costs(ledger, &measured).await;
    let transactions = measured.iter().map(|(kind, total)| (kind, total.transactions)).collect();
    let escrowed = ledger.token_balance(ledger.deployment().contract).await.unwrap();
    (events(ledger).await, balances, escrowed, transactions)
}

/// The history read from the events alone agrees with the contract's own books.
async fn assert_history(ledger: &Ledger, records: &[DirectRecord], balances: [u64; 3]) {
    let history = ledger.history(None).await.unwrap();
    for (number, balance) in [HUB, ALICE, BOB].into_iter().zip(balances) {
        let known = &history.participants[&number];
        assert_eq!(known.balance_micro, balance, "participant {number}");
        assert_eq!(Some(*known), ledger.participant(number).await.unwrap());
    }
    assert_eq!(history.participants[&ALICE].state, ParticipantState::Retired);
    assert_eq!(history.tariffs[&SettlementPeriod(1)].table, tables(1)[&SettlementPeriod(1)]);
    let order = history.records.iter().map(|settled| settled.record).collect::<Vec<_>>();
    assert_eq!(order, records, "in the order of settlement");
    let of_period = ledger.settled_records(&[SettlementPeriod(1)]).await.unwrap();
    assert_eq!(of_period, history.records);
    assert_eq!(ledger.settled_records(&[SettlementPeriod(2)]).await.unwrap(), []);
    let mut changed = history.records.iter().map(Settled::from).collect::<Vec<_>>();
    assert_eq!(first_difference(changed.clone(), changed.clone()), None);
    changed[3].record.energy_wh += 1;
    assert!(first_difference(changed, history.records.iter().map(Settled::from)).is_some());
}

/// What receipts said when settling is what the chain says later.
async fn assert_costs(ledger: &Ledger, measured: &GasMeasurements) {
    let history = ledger.history(None).await.unwrap();
    let costs = ledger.settlement_costs(&history.records).await.unwrap();
    for kind in [CallKind::Settle, CallKind::SettleMany, CallKind::SettleSigned] {
        assert_eq!(costs.total(kind), measured.total(kind), "{kind}");
        assert!(costs.total(kind).gas > 21_000, "{kind}");
    }
    // The correction was not added to what was measured.
    assert_eq!(costs.total(CallKind::SettlePacked).items, 6);
}

/// Everything that a follower hears.
async fn events(ledger: &Ledger) -> Vec<LedgerEvent> {
    let cursor = Cursor::at(ledger.deployment().block);
    let mut follower = Follower::new(ledger, cursor, FollowOptions::default());
    let mut events = Vec::new();
    loop {
        let polled = follower.poll().await.unwrap();
        events.extend(polled.notices.into_iter().map(|notice| match notice {
            Notice::Applied(entry) => entry.event,
            Notice::Reverted(entry) => panic!("nothing was reverted: {entry:?}"),
        }));
        if polled.is_caught_up {
            return events;
        }
    }
}

fn sign(ledger: &Ledger, records: &[DirectRecord]) -> Vec<(DirectRecord, Signature)> {
    let domain = ledger.deployment().domain();
    let signed = |record: &DirectRecord| {
        let meter = record.signing_party().expect("energy has a meter");
        let key = key(if meter == ALICE { ALICE_KEY } else { BOB_KEY });
        (*record, key.sign(record.digest(&domain)))
    };
    records.iter().map(signed).collect()
}

#[tokio::test]
async fn a_deployment_is_found_again_and_another_one_is_refused() {
    on_both(async |node| {
        let town = Town::deploy(&node.client, &mut GasMeasurements::default()).await;
        let deployment = *town.ledger.deployment();
        let json = serde_json::to_string(&deployment).unwrap();
        let stored = serde_json::from_str(&json).unwrap();
        let again = Ledger::connect(node.client.clone(), stored).await.unwrap();
        assert_eq!(*again.deployment(), deployment);
        let at = Ledger::at(node.client.clone(), deployment.contract, 0).await.unwrap();
        assert_eq!(at.deployment().offices, deployment.offices);

        let mut refusals = Vec::new();
        let mut check = async |change: &dyn Fn(&mut gridtally_ledger::Deployment)| {
            let mut other = deployment;
            change(&mut other);
            let refused = Ledger::connect(node.client.clone(), other).await;
            refusals.push(refused.expect_err("another deployment").to_string());
        };
        check(&|other| other.chain_id = 1).await;
        check(&|other| other.contract = Address::repeat_byte(9)).await;
        check(&|other| other.contract = deployment.token).await;
        check(&|other| other.token = Address::ZERO).await;
        check(&|other| other.offices.registrar = Address::ZERO).await;
        for (refusal, expected) in refusals.iter().zip([
            "the deployment is on chain 1, the endpoint serves chain 31337",
            "chain 31337 has no contract at 0x0909090909090909090909090909090909090909",
            "token() is refused",
            "the token of the contract at",
            "the registrar of the contract at",
        ]) {
            assert!(refusal.starts_with(expected), "{refusal}");
        }
        refusals
    })
    .await;
}

#[tokio::test]
async fn numbers_and_prices_that_are_taken_are_told_apart() {
    on_both(async |node| {
        let town = Town::ready(node).await;
        let Town { ledger, officer } = &town;
        let mut refusals = Vec::new();
        let swapped = [BOB_KEY, ALICE_KEY].map(household);
        let refused = ledger.register(officer, ALICE, &swapped, &mut quiet).await;
        refusals.push(refused.unwrap_err().to_string());
        let far = gridtally_core::party::ParticipantNumber(9);
        let refused = ledger.register(officer, far, &swapped, &mut quiet).await.unwrap_err();
        assert!(matches!(refused, RegisterError::NumberUnreachable { .. }));
        refusals.push(refused.to_string());
        let mut others = tables(3);
        others.insert(SettlementPeriod(4), others[&SettlementPeriod(1)].clone());
        ledger.publish_tariffs(officer, &others, &mut quiet).await.unwrap();
        let (_, first) = others.pop_first().unwrap();
        let row = |code| first.row(code).unwrap().iter().rev().copied().collect::<Vec<_>>();
        let rows = first.codes().take(1).map(|code| (code, row(code))).collect();
        let other = gridtally_settlement::TariffTable::new(first.slots(), rows).unwrap();
        let refused = ledger
            .publish_tariffs(officer, &[(SettlementPeriod(2), other)].into(), &mut quiet)
            .await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.starts_with("period 2 has other prices already"), "{refused}");
        refusals.push(refused);
        node.mine_at(START_UNIX_S + 6 * u64::from(DAY_S)).await;
        let late = [(SettlementPeriod(5), first)].into();
        let refused = ledger.publish_tariffs(officer, &late, &mut quiet).await.unwrap_err();
        let expected = "period 5 started at 1759708800, the chain's time is 1759795200: too late";
        assert_eq!(refused.to_string(), expected);
        refusals
    })
    .await;
}
