//! Batches: building, judging, proving and committing to blobs, each beside its physical limit in the same run.
//!
//! `cargo bench -p gridtally-settlement --bench batch` prints the ratios at the end. A batch here fills six blobs: 768
//! participants with 96 slots. The limit of building and judging is the two hashes of each record (its leaf and its share of
//! the tree), on all cores; that of blobs are the bare calls of the KZG library.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use alloy_primitives::keccak256;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::{SettlementPeriod, Slot};
use gridtally_core::quantity::{Amount, Price};
use gridtally_settlement::{
    Acceptance, Account, Accounts, Activities, Activity, Answers, Batch, BatchHeader, BatchPlan,
    BlobBytes, Code, CommittedBatch, DataKind, ForcedReadings, InboxRange, LedgerState, Published,
    Record, RecordLeaf, Reference, TariffTable, Verdict, build_batch, commitment, judge,
    pack_blobs,
};
use rayon::prelude::*;

const SLOTS: u16 = 96;
const PARTICIPANTS: u32 = 768;
const RECORDS: u64 = PARTICIPANTS as u64 * SLOTS as u64;
const PERIOD: SettlementPeriod = SettlementPeriod(1);

/// What a batch is built from.
struct World {
    table: TariffTable,
    activities: Activities,
    forced: ForcedReadings,
    parent: LedgerState,
    plan: BatchPlan,
}

impl World {
    fn new() -> Self {
        let prices =
            (0..i32::from(SLOTS)).map(|slot| Price::from_micro_per_kwh(400_000 + 1_717 * slot));
        let rows = BTreeMap::from([(Code::CONSUMPTION, prices.collect())]);
        let table = TariffTable::new(SLOTS, rows).expect("it is valid");
        let activities = Activities::new(vec![Activity::from(PERIOD); PARTICIPANTS as usize]);
        let account = Account { balance: Amount::from_micro(1_000_000_000), payable_micro: 0 };
        let accounts = Accounts::new(vec![account; PARTICIPANTS as usize + 1]);
        let header = BatchHeader { hub_balance: account.balance, ..BatchHeader::GENESIS };
        let record = |participant: u32, slot: u16| {
            let value = (participant * 31 + u32::from(slot) * 7).wrapping_mul(2_654_435_761) >> 21;
            let value = i32::try_from(value).expect("it is small");
            Record::new(ParticipantNumber(participant), Code::CONSUMPTION, Slot(slot), value)
                .expect("a slot of the period")
        };
        let slots = |participant| (0..SLOTS).map(move |slot| record(participant, slot));
        let records = (1..=PARTICIPANTS).flat_map(slots).collect();
        let account_count = PARTICIPANTS + 1;
        let plan =
            BatchPlan { period: PERIOD, run: 0, part: 0, account_count, inbox_to: 0, records };
        let forced = ForcedReadings::default();
        Self { table, activities, forced, parent: LedgerState::new(header, accounts), plan }
    }

    fn reference(&self) -> Reference<'_> {
        let inbox = InboxRange { first: 0, entries: &[] };
        Reference { table: &self.table, activities: &self.activities, inbox, forced: &self.forced }
    }

    fn build(&self) -> Batch {
        build_batch(&self.plan, &self.parent, &self.reference()).expect("it obeys the rules")
    }

    fn header(&self, batch: &Batch) -> BatchHeader {
        let (tariff_hash, data_hash) = (self.table.hash(), keccak256(b"not judged here"));
        let (data_kind, committed_at) = (DataKind::Blob, 1);
        let accepted = Acceptance { tariff_hash, data_hash, data_kind, committed_at };
        batch.commitment.header(self.parent.header(), &accepted)
    }
}

/// The two hashes of each record, and nothing else.
fn bare_hashes(leaves: &[[u8; RecordLeaf::LENGTH]]) -> usize {
    let hash = |leaf: &[u8; RecordLeaf::LENGTH]| {
        let mut node = [1; 65];
        node[1..33].copy_from_slice(keccak256(leaf).as_slice());
        usize::from(keccak256(node)[0])
    };
    leaves.par_iter().with_min_len(1_024).map(hash).sum()
}

fn bare_commitments(blobs: &[BlobBytes]) -> usize {
    let settings = c_kzg::ethereum_kzg_settings(0);
    let commit = |blob: &BlobBytes| {
        let blob = c_kzg::Blob::from_bytes(&blob[..]).expect("a blob");
        let commitment = settings.blob_to_kzg_commitment(&blob).expect("field elements");
        usize::from(commitment.to_bytes()[0])
    };
    blobs.par_iter().map(commit).sum()
}

fn commitments(blobs: &[BlobBytes]) -> usize {
    blobs.par_iter().map(|blob| usize::from(commitment(blob).expect("field elements")[0])).sum()
}

fn benches(criterion: &mut Criterion) {
    let world = World::new();
    let batch = world.build();
    let header = world.header(&batch);
    let blobs = pack_blobs(&world.plan.records);
    let preimages: Vec<_> = batch.leaves.iter().map(RecordLeaf::preimage).collect();
    let judged = |header: &BatchHeader| {
        let committed = CommittedBatch { header, published: Published::Blobs(&blobs) };
        judge(committed, &world.parent, &world.reference(), &Answers::default())
    };
    assert!(matches!(judged(&header), Verdict::Valid(_)));

    let mut group = criterion.benchmark_group("batch");
    group.sample_size(10).throughput(Throughput::Elements(RECORDS));
    group.bench_function("build", |bencher| bencher.iter(|| world.build()));
    group.bench_function("judge", |bencher| bencher.iter(|| judged(&header)));
    group.bench_function("pack_blobs", |bencher| bencher.iter(|| pack_blobs(&world.plan.records)));
    group.bench_function("bare_hashes", |bencher| bencher.iter(|| bare_hashes(&preimages)));
    group.finish();
    print_ratios(&world, &preimages, &blobs);
}

/// Prints the ratios of rates measured in turns, the best of some runs.
#[expect(clippy::print_stdout, reason = "the ratios are the result of this bench")]
#[expect(clippy::cast_precision_loss, reason = "rounded for people")]
fn print_ratios(world: &World, preimages: &[[u8; RecordLeaf::LENGTH]], blobs: &[BlobBytes]) {
    let mut best = [Duration::MAX; 4];
    for _ in 0..10 {
        let runs = [
            timed(|| world.build().leaves.len()),
            timed(|| bare_hashes(preimages)),
            timed(|| commitments(blobs)),
            timed(|| bare_commitments(blobs)),
        ];
        for (best, run) in best.iter_mut().zip(runs) {
            *best = run.min(*best);
        }
    }
    let [build, hashes, ours, bare] = best.map(|time| time.as_secs_f64());
    let millions = |seconds: f64| RECORDS as f64 / seconds / 1e6;
    println!(
        "built {:.2} million records/s, bare hashes {:.2}, ratio {:.2} (at least 0.60)",
        millions(build),
        millions(hashes),
        hashes / build
    );
    println!(
        "commitments of {} blobs {:.0} ms, bare calls {:.0} ms, ratio {:.2} (at most 1.10)",
        blobs.len(),
        ours * 1e3,
        bare * 1e3,
        ours / bare
    );
}

#[expect(clippy::disallowed_methods, reason = "a bench measures by the clock of the machine")]
fn timed(work: impl FnOnce() -> usize) -> Duration {
    let start = Instant::now();
    black_box(work());
    start.elapsed()
}

criterion_group!(batches, benches);
criterion_main!(batches);
