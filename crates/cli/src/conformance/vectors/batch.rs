//! Whole batches: from records, tariffs, inbox and the batch before to everything that is committed, published and signed.

use alloy_primitives::{B256, FixedBytes};
use gridtally_core::period::SettlementPeriod;
use gridtally_core::quantity::Amount;
use gridtally_settlement::{
    Acceptance, Batch, BatchHeader, BatchPlan, BlobBytes, CommittedBatch, DataKind, LedgerState,
    Published, Record, SignedReading, Tree, Verdict, blobs_hash, build_batch, calldata_hash,
    commitment, is_opening, judge, open_element, pack_blobs, pack_calldata, versioned_hash,
};
use serde_json::{Value, json};

use super::world::World;
use super::{Answer, Input, Refused, answer, broken, read_record, text};

/// Bytes of a field element.
const ELEMENT_LENGTH: usize = 32;
/// Field elements of a blob.
const ELEMENTS: usize = 4_096;
/// Records in a field element.
const ELEMENT_RECORDS: usize = 3;

/// A batch of the document as we build it.
pub(super) struct Built {
    pub(super) plan: BatchPlan,
    pub(super) batch: Batch,
    pub(super) header: BatchHeader,
    pub(super) parent: LedgerState,
}

/// Builds the batches one upon the other and answers for each.
pub(super) fn answers(
    root: &Input<'_>,
    world: &World,
    answers: &mut Vec<Answer>,
) -> Result<Vec<Built>, Refused> {
    let mut parent = LedgerState::genesis();
    let mut built = Vec::new();
    for case in root.get("batches").some_items()? {
        let next = batch(&case, world, parent, answers)?;
        parent = next.batch.clone().into_state(next.header.clone());
        built.push(next);
    }
    Ok(built)
}

fn batch(
    case: &Input<'_>,
    world: &World,
    parent: LedgerState,
    answers: &mut Vec<Answer>,
) -> Result<Built, Refused> {
    let leaves = case.get("leaves").some_items()?;
    let records: Vec<Record> = leaves.iter().map(read_record).collect::<Result<_, _>>()?;
    let header = case.get("header");
    let plan = BatchPlan {
        period: SettlementPeriod(header.get("period").integer("of 32 bits")?),
        run: header.get("run").integer("of 32 bits")?,
        part: header.get("part").integer("of 16 bits")?,
        account_count: header.get("accountCount").integer("of 32 bits")?,
        inbox_to: header.get("inboxTo").integer("from 0")?,
        records,
    };
    let table = world.table(plan.period, &header.get("period"))?;
    let reference = world.reference(table);
    let batch = build_batch(&plan, &parent, &reference)
        .map_err(|refused| case.refused(&format!("a batch that obeys the rules: {refused}")))?;
    let data = Data::publish(&case.get("data"), &plan.records)?;
    let accepted = Acceptance {
        tariff_hash: table.hash(),
        data_hash: data.hash(),
        data_kind: data.kind(),
        committed_at: header.get("committedAt").integer("from 0")?,
    };
    let built = batch.commitment.header(parent.header(), &accepted);
    let committed = CommittedBatch { header: &built, published: data.published() };
    let is_valid = matches!(
        judge(committed, &parent, &reference, &Default::default()),
        Verdict::Valid(state) if *state.accounts() == batch.accounts
    );
    answer_header(case, &built, is_valid, answers);
    data.answer(&case.get("data"), answers)?;
    let next = Built { plan, batch, header: built, parent };
    answer_leaves(&leaves, &next, world, answers)?;
    answer_accounts(&case.get("accounts"), &next, answers)?;
    Ok(next)
}

fn answer_header(
    case: &Input<'_>,
    header: &BatchHeader,
    is_valid: bool,
    answers: &mut Vec<Answer>,
) {
    let place = case.get("header");
    let fields = [
        ("seq", json!(header.seq)),
        ("parent", text(header.parent)),
        ("count", json!(header.count)),
        ("firstKey", json!(header.first_key)),
        ("lastKey", json!(header.last_key)),
        ("regPeriod", json!(header.reg_period.0)),
        ("regLastKey", json!(header.reg_last_key)),
        ("lastRun", json!(header.last_run)),
        ("recordRoot", text(header.record_root)),
        ("accountRoot", text(header.account_root)),
        ("hubBalance", decimal(header.hub_balance)),
        ("tariffHash", text(header.tariff_hash)),
        ("dataHash", text(header.data_hash)),
        ("dataKind", json!(header.data_kind as u8)),
    ];
    for (field, value) in fields {
        answer(answers, &place.get(field), value);
    }
    let bytes = header.encode();
    let comes_back = BatchHeader::decode(&bytes).as_ref() == Ok(header);
    let encoded = if comes_back { text(bytes) } else { broken("the header does not come back") };
    answer(answers, &case.get("headerAbi"), encoded);
    let hash = if is_valid { text(header.hash()) } else { broken("the batch is not valid") };
    answer(answers, &case.get("headerHash"), hash);
}

/// Index, bytes, amount and balances of every record, its hash and path, and what its meter signs.
fn answer_leaves(
    leaves: &[Input<'_>],
    built: &Built,
    world: &World,
    answers: &mut Vec<Answer>,
) -> Result<(), Refused> {
    let tree = &built.batch.record_tree;
    for (index, (place, leaf)) in leaves.iter().zip(&built.batch.leaves).enumerate() {
        answer(answers, &place.get("index"), json!(index));
        answer(answers, &place.get("record"), text(leaf.record.pack()));
        answer(answers, &place.get("amount"), decimal(leaf.amount));
        answer(answers, &place.get("balanceAfter"), decimal(leaf.balance_after));
        answer(answers, &place.get("hubAfter"), decimal(leaf.hub_after));
        answer(answers, &place.get("preimage"), text(leaf.preimage()));
        answer(answers, &place.get("hash"), text(leaf.hash()));
        answer(answers, &place.get("path"), path(tree, index));
        let reading = place.get("reading");
        let signed = SignedReading::of_record(built.plan.period, built.plan.run, &leaf.record);
        let Some(signed) = signed else { continue };
        let meter = world.meters.get(&leaf.record.participant());
        let meter = meter.ok_or_else(|| place.get("participant").refused("one with a meter"))?;
        let digest = signed.digest(&world.domain);
        answer(answers, &reading.get("digest"), text(digest));
        answer(answers, &reading.get("signature"), meter.signature(&digest));
    }
    Ok(())
}

fn answer_accounts(
    place: &Input<'_>,
    built: &Built,
    answers: &mut Vec<Answer>,
) -> Result<(), Refused> {
    let tree = &built.batch.account_tree;
    let given = place.items()?;
    if given.len() != built.batch.accounts.leaves().len() {
        return Err(place.refused("as many accounts as the header counts"));
    }
    for (index, (place, leaf)) in given.iter().zip(built.batch.accounts.leaves()).enumerate() {
        answer(answers, &place.get("participant"), json!(leaf.participant.0));
        answer(answers, &place.get("balance"), decimal(leaf.balance));
        answer(answers, &place.get("payable"), json!(leaf.payable_micro.to_string()));
        answer(answers, &place.get("preimage"), text(leaf.preimage()));
        answer(answers, &place.get("hash"), text(leaf.hash()));
        answer(answers, &place.get("path"), path(tree, index));
    }
    Ok(())
}

fn path(tree: &Tree, index: usize) -> Value {
    let path = tree.path(index).unwrap_or_default();
    json!(path.iter().map(text).collect::<Vec<_>>())
}

pub(super) fn decimal(amount: Amount) -> Value {
    json!(amount.micro().to_string())
}

/// What a batch publishes.
enum Data {
    Calldata(Vec<u8>),
    Blobs { blobs: Vec<BlobBytes>, commitments: Vec<FixedBytes<48>>, record_count: usize },
}

impl Data {
    fn publish(place: &Input<'_>, records: &[Record]) -> Result<Self, Refused> {
        let is_blob = place.get("kind").word(&[("blob", true), ("calldata", false)])?;
        if !is_blob {
            return Ok(Self::Calldata(pack_calldata(records.iter().copied())));
        }
        let blobs = pack_blobs(records);
        let commitments = blobs.iter().map(commitment).collect::<Result<_, _>>();
        let commitments = commitments.map_err(|_| place.refused("blobs of field elements"))?;
        Ok(Self::Blobs { blobs, commitments, record_count: records.len() })
    }

    fn kind(&self) -> DataKind {
        match self {
            Self::Calldata(_) => DataKind::Calldata,
            Self::Blobs { .. } => DataKind::Blob,
        }
    }

    fn hash(&self) -> B256 {
        match self {
            Self::Calldata(data) => calldata_hash(data),
            Self::Blobs { commitments, .. } => {
                blobs_hash(&commitments.iter().map(versioned_hash).collect::<Vec<_>>())
            }
        }
    }

    fn published(&self) -> Published<'_> {
        match self {
            Self::Calldata(data) => Published::Calldata(data),
            Self::Blobs { blobs, .. } => Published::Blobs(blobs),
        }
    }

    fn answer(&self, place: &Input<'_>, answers: &mut Vec<Answer>) -> Result<(), Refused> {
        let (blobs, commitments, record_count) = match self {
            Self::Calldata(data) => {
                answer(answers, &place.get("bytes"), text(data));
                return Ok(());
            }
            Self::Blobs { blobs, commitments, record_count } => (blobs, commitments, *record_count),
        };
        let used = record_count.div_ceil(ELEMENT_RECORDS);
        let elements: Vec<&[u8]> =
            blobs.iter().flat_map(|blob| blob.chunks_exact(ELEMENT_LENGTH)).collect();
        let (shown, trailing) = elements.split_at(used);
        let is_zero = trailing.iter().all(|element| element.iter().all(|&byte| byte == 0));
        let hashes: Vec<B256> = commitments.iter().map(versioned_hash).collect();
        let texts = |values: &[FixedBytes<48>]| json!(values.iter().map(text).collect::<Vec<_>>());
        answer(answers, &place.get("blobCount"), json!(blobs.len()));
        let shown: Vec<Value> = shown.iter().map(text).collect();
        answer(answers, &place.get("fieldElements"), json!(shown));
        answer(answers, &place.get("trailingFieldElementsAreZero"), json!(is_zero));
        answer(answers, &place.get("commitments"), texts(commitments));
        let hashes: Vec<Value> = hashes.iter().map(text).collect();
        answer(answers, &place.get("versionedHashes"), json!(hashes));
        for opening in place.get("openings").items()? {
            let number = opening.get("fieldElement");
            let element: usize = usize::try_from(number.integer::<u32>("of 32 bits")?)
                .map_err(|_| number.refused("the number of a field element"))?;
            let (blob, element) = (element / ELEMENTS, element % ELEMENTS);
            let blob = blobs.get(blob);
            let blob = blob.ok_or_else(|| number.refused("the number of a field element"))?;
            let opened = open_element(blob, element)
                .map_err(|_| number.refused("an element of a blob that has a commitment"))?;
            let proof = if is_opening(&opened) {
                text(opened.proof)
            } else {
                broken("the opening shows nothing")
            };
            answer(answers, &opening.get("z"), text(opened.point));
            answer(answers, &opening.get("y"), text(opened.element));
            answer(answers, &opening.get("proof"), proof);
        }
        Ok(())
    }
}
