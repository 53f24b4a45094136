//! What the errors of contract, ledger, chain and runs say to programs and people: found for an error, and listed.

mod plans;
mod runs;

use std::error::Error;
use std::fmt::Write as _;

use gridtally_chain::explanation as of_chain;
use gridtally_chain::rpc::error::CODES;
use gridtally_chain::{OpenError, ServeError};
use gridtally_core::explanation::{Explained, Explanation};
use gridtally_ledger::{
    BatchArchiveError, BlobSourceError, BucketError, ConnectError, DataError, DeployError,
    EndpointError, EventError, ExportError, FollowError, FundError, HistoryError, HubError,
    KeyError, PublicationError, PublishError, ReadError, Refusal, RegisterError, SealError,
    SectionExportError, SectionSourceError, SectionStoreError, SendError, SettleError, WatchError,
};

/// An error whose type is not known any more.
type Said<'a> = &'a (dyn Error + 'static);

/// Returns what the first of an error's causes says that is in the list.
pub(crate) fn explanation(error: &anyhow::Error) -> Option<Explanation> {
    error.chain().find_map(|cause| {
        runs::explanation(cause)
            .or_else(|| plans::explanation(cause))
            .or_else(|| ledger(cause))
            .or_else(|| chain(cause))
    })
}

/// Returns what an error says if it is of this type.
fn of<T: Error + 'static>(error: Said<'_>, says: fn(&T) -> Explanation) -> Option<Explanation> {
    error.downcast_ref().map(says)
}

fn ledger(error: Said<'_>) -> Option<Explanation> {
    None.or_else(|| of(error, ConnectError::explanation))
        .or_else(|| of(error, KeyError::explanation))
        .or_else(|| of(error, DeployError::explanation))
        .or_else(|| of(error, RegisterError::explanation))
        .or_else(|| of(error, PublishError::explanation))
        .or_else(|| of(error, FundError::explanation))
        .or_else(|| of(error, SettleError::explanation))
        .or_else(|| of(error, HistoryError::explanation))
        .or_else(|| of(error, HubError::explanation))
        .or_else(|| of(error, ExportError::explanation))
        .or_else(|| of(error, WatchError::explanation))
        .or_else(|| of(error, SectionExportError::explanation))
        .or_else(|| of(error, ReadError::explanation))
        .or_else(|| of(error, SendError::explanation))
        .or_else(|| of(error, EndpointError::explanation))
        .or_else(|| of(error, BatchArchiveError::explanation))
        .or_else(|| of(error, BucketError::explanation))
}

fn chain(error: Said<'_>) -> Option<Explanation> {
    None.or_else(|| of(error, |error: &OpenError| OfChain(error).explanation()))
        .or_else(|| of(error, |error: &ServeError| OfChain(error).explanation()))
}

/// An error of the chain, which stands alone and has its own word for what it says.
struct OfChain<'a, E>(&'a E);

impl<E: of_chain::Explained> Explained for OfChain<'_, E> {
    /// They are listed by the chain.
    const EXPLANATIONS: &'static [Explanation] = &[];

    fn explanation(&self) -> Explanation {
        listed_by_chain(self.0.explanation())
    }
}

fn listed_by_chain(said: of_chain::Explanation) -> Explanation {
    let of_chain::Explanation { code, meaning, remedy } = said;
    Explanation { code, meaning, remedy }
}

/// Returns `docs/reference/refusals.md`.
pub(crate) fn page() -> String {
    let mut page = String::from(
        "# Refusals\n\nWhy contract, ledger, chain, runs and plans refuse or fail. The reasons of the import stand in \
         [rejections](rejections.md).\nA command prints the code in brackets after its message and the remedy as its hint; with \
         `--output json` they are\n`code` and `hint` of the error. Within a table the order is that of precedence: when two \
         apply, the first is reported.\nThis page is written from the declarations beside the errors; a test keeps it so \
         (`UPDATE_EXPECT=1` rewrites it).\n",
    );
    section(
        &mut page,
        "Contract",
        "What `DirectSettlement` and the demonstration token revert with.",
    );
    contract(&mut page);
    section(
        &mut page,
        "Ledger",
        "What fails between this program and a contract: endpoint, keys, transactions.",
    );
    for (name, explanations) in ledger_explained() {
        table(&mut page, name, explanations.iter().copied());
    }
    section(
        &mut page,
        "Chain",
        "The embedded chain. Over JSON-RPC an error has a number and words; a transaction that is refused has -32000 \
         (-32602 where\nit cannot be read).",
    );
    codes(&mut page);
    for (name, explanations) in of_chain::explained() {
        table(&mut page, name, explanations.iter().copied().map(listed_by_chain));
    }
    section(
        &mut page,
        "Runs",
        "What keeps a span from being settled or verified, and what is wrong with a store.",
    );
    for (name, explanations) in runs::explained() {
        table(&mut page, name, explanations.iter().copied());
    }
    section(&mut page, "Plans", "What is wrong with a problem, and why there is no plan.");
    for (name, explanations) in plans::explained() {
        table(&mut page, name, explanations.iter().copied());
    }
    page
}

fn ledger_explained() -> [(&'static str, &'static [Explanation]); 25] {
    [
        ("EndpointError", EndpointError::EXPLANATIONS),
        ("ConnectError", ConnectError::EXPLANATIONS),
        ("KeyError", KeyError::EXPLANATIONS),
        ("SendError", SendError::EXPLANATIONS),
        ("DeployError", DeployError::EXPLANATIONS),
        ("ReadError", ReadError::EXPLANATIONS),
        ("RegisterError", RegisterError::EXPLANATIONS),
        ("PublishError", PublishError::EXPLANATIONS),
        ("FundError", FundError::EXPLANATIONS),
        ("SettleError", SettleError::EXPLANATIONS),
        ("HistoryError", HistoryError::EXPLANATIONS),
        ("FollowError", FollowError::EXPLANATIONS),
        ("EventError", EventError::EXPLANATIONS),
        ("WatchError", WatchError::EXPLANATIONS),
        ("DataError", DataError::EXPLANATIONS),
        ("ExportError", ExportError::EXPLANATIONS),
        ("BlobSourceError", BlobSourceError::EXPLANATIONS),
        ("PublicationError", PublicationError::EXPLANATIONS),
        ("BatchArchiveError", BatchArchiveError::EXPLANATIONS),
        ("BucketError", BucketError::EXPLANATIONS),
        ("SealError", SealError::EXPLANATIONS),
        ("SectionStoreError", SectionStoreError::EXPLANATIONS),
        ("SectionSourceError", SectionSourceError::EXPLANATIONS),
        ("SectionExportError", SectionExportError::EXPLANATIONS),
        ("HubError", HubError::EXPLANATIONS),
    ]
}

const ROOM: &str = "a text has room";

fn section(page: &mut String, title: &str, words: &str) {
    write!(page, "\n## {title}\n\n{words}\n").expect(ROOM);
}

/// Writes what errors of one type say; nothing where they only pass on what others say.
fn table(page: &mut String, name: &str, explanations: impl Iterator<Item = Explanation>) {
    let mut explanations = explanations.peekable();
    if explanations.peek().is_none() {
        return;
    }
    write!(page, "\n### {name}\n\n| Code | Meaning | Remedy |\n| --- | --- | --- |\n").expect(ROOM);
    for Explanation { code, meaning, remedy } in explanations {
        writeln!(page, "| `{code}` | {meaning} | {remedy} |").expect(ROOM);
    }
}

fn contract(page: &mut String) {
    page.push_str(
        "\n| Code | Solidity error, selector | Meaning | Remedy |\n| --- | --- | --- | --- |\n",
    );
    let solidity = Refusal::solidity_errors();
    for explanation in Refusal::EXPLANATIONS {
        let Explanation { code, meaning, remedy } = explanation;
        let errors = solidity.iter().filter(|error| error.explanation == *explanation);
        let errors: Vec<String> = errors
            .map(|error| {
                let [a, b, c, d] = error.selector;
                format!("`{}` `0x{a:02x}{b:02x}{c:02x}{d:02x}`", error.signature)
            })
            .collect();
        writeln!(page, "| `{code}` | {} | {meaning} | {remedy} |", errors.join(", ")).expect(ROOM);
    }
}

fn codes(page: &mut String) {
    page.push_str(
        "\n### JSON-RPC\n\n| Number | Code | Meaning | Remedy |\n| --- | --- | --- | --- |\n",
    );
    for (number, of_chain::Explanation { code, meaning, remedy }) in CODES {
        writeln!(page, "| {number} | `{code}` | {meaning} | {remedy} |").expect(ROOM);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use gridtally_core::rejection::Reason;

    use super::*;

    fn every_code() -> Vec<&'static str> {
        let mut codes: Vec<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        let of_chain = of_chain::explained().into_iter().flat_map(|(_, list)| list);
        codes.extend(CODES.iter().map(|(_, said)| said).chain(of_chain).map(|said| said.code));
        let ledger = ledger_explained().into_iter().chain(runs::explained());
        let ledger = ledger.chain(plans::explained());
        let ledger = ledger.flat_map(|(_, list)| list).chain(Refusal::EXPLANATIONS);
        codes.extend(ledger.map(|said| said.code));
        codes
    }

    #[test]
    fn a_code_has_one_meaning() {
        let mut seen = BTreeSet::new();
        for code in every_code() {
            assert!(seen.insert(code), "{code} stands twice");
            let is_word =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            assert!(code.bytes().all(is_word), "{code}");
        }
    }

    /// A variant without an entry does not compile; this finds a whole error that is left out.
    #[test]
    fn every_error_of_ledger_and_chain_is_listed() {
        let of_chain = of_chain::explained().into_iter().map(|(name, _)| name);
        let of_ledger = ledger_explained().into_iter().map(|(name, _)| name);
        let listed = of_chain.chain(of_ledger).chain(["Refusal"]).map(str::to_owned);
        let listed: BTreeSet<String> = listed.collect();
        let mut found = BTreeSet::new();
        for crate_name in ["ledger", "chain"] {
            let sources =
                Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(crate_name).join("src");
            errors_in(&sources, &mut found);
        }
        assert_eq!(found, listed);
        // Each list that is found in the sources is on the page.
        let page = page();
        for code in every_code().into_iter().skip(Reason::ALL.len()) {
            assert!(page.contains(&format!("| `{code}` |")), "{code}");
        }
    }

    fn errors_in(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                errors_in(&path, found);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for part in text.split("thiserror::Error").skip(1) {
                let declared = part.split_once(" enum ").map(|(_, declared)| declared);
                let name = declared.and_then(|declared| declared.split([' ', '<']).next());
                found.extend(name.map(str::to_owned));
            }
        }
    }

    #[test]
    fn what_is_passed_on_says_its_own() {
        let refusal = Box::new(Refusal::TariffUnknown { period: 3, code: 32 });
        let kind = gridtally_ledger::CallKind::Settle;
        let error = gridtally_aggregator::cycle::SettlementError::Chain(
            SettleError::Send(SendError::Refused { kind, refusal }).into(),
        );
        let error = anyhow::Error::new(error).context("somewhere");
        assert_eq!(explanation(&error).map(|said| said.code), Some("contract-tariff-unknown"));
        assert_eq!(explanation(&anyhow::anyhow!("no matter")), None);
    }
}
