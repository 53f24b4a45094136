//! Many participants: registered and funded once, whatever was done before.

use gridtally_core::party::ParticipantNumber;
use gridtally_ledger::{CallKind, Funding, GasMeasurements, RegisterError};

use crate::node::Node;
use crate::town::{ALICE, ALICE_KEY, BOB_KEY, Town, household, quiet};

const COUNT: u32 = 250;

fn fundings(count: u32) -> Vec<Funding> {
    let funding = |number| Funding {
        participant: ParticipantNumber(number),
        balance_min_micro: 1_000 + u64::from(number),
    };
    (1..=count).map(funding).collect()
}

fn transactions(measured: &GasMeasurements, kind: CallKind) -> u64 {
    measured.iter().filter(|(of, _)| *of == kind).map(|(_, total)| total.transactions).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_are_registered_and_funded_where_some_are_already() {
    let node = Node::embedded().await;
    let town = Town::deploy(&node.client, &mut GasMeasurements::default()).await;
    let Town { ledger, officer } = &town;
    let mut registrations = vec![household(ALICE_KEY); COUNT as usize];
    ledger.register(officer, ALICE, &registrations[..150], &mut quiet).await.unwrap();
    let measured = ledger.register(officer, ALICE, &registrations, &mut quiet).await.unwrap();
    assert_eq!(transactions(&measured, CallKind::RegisterMany), 1, "the other hundred");
    assert_eq!(ledger.participant_count().await.unwrap(), ParticipantNumber(COUNT + 1));

    ledger.mint(officer, officer.address(), 10_000_000).await.unwrap();
    ledger.fund(officer, &fundings(100), &mut quiet).await.unwrap();
    let measured = ledger.fund(officer, &fundings(COUNT), &mut quiet).await.unwrap();
    assert_eq!(transactions(&measured, CallKind::Deposit), u64::from(COUNT - 100));
    let numbers = (1..=COUNT).map(ParticipantNumber);
    let balances = ledger.balances(numbers.clone()).await.unwrap();
    assert_eq!(balances, (1_001..=1_000 + u64::from(COUNT)).collect::<Vec<_>>());
    let measured = ledger.fund(officer, &fundings(COUNT), &mut quiet).await.unwrap();
    assert_eq!(measured, GasMeasurements::default(), "nothing is paid twice");

    // Answers keep their order: the first that differs is named, nobody beyond the last is found.
    registrations[129] = household(BOB_KEY);
    registrations[120].owner = officer.address();
    let refused = ledger.register(officer, ALICE, &registrations, &mut quiet).await.unwrap_err();
    let first = ParticipantNumber(121);
    assert!(
        matches!(refused, RegisterError::Differs { number, field: "owner" } if number == first),
        "{refused}"
    );
    let found = ledger.participants((COUNT - 1..=COUNT + 2).map(ParticipantNumber)).await.unwrap();
    let found: Vec<_> = found.iter().map(|found| found.map(|found| found.number.0)).collect();
    assert_eq!(found, [Some(COUNT - 1), Some(COUNT), None, None]);
}
