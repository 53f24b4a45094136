//! Why an endpoint does not take a transaction, read from its words: there is no code for it.

use crate::endpoint::RpcFailure;

/// What an endpoint objects to a transaction that is handed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Objection {
    /// It has the very same transaction.
    Known,
    /// A transaction with this nonce was carried out.
    NonceUsed,
    /// A transaction with this nonce waits, and this one pays too little to replace it.
    NonceTaken,
    /// Transactions before this one are missing.
    NonceAhead,
    /// It pays too little for its gas.
    PriceTooLow,
    /// The account cannot pay for the gas.
    FundsInsufficient,
    /// Something else: what it carries, perhaps.
    Other,
}

/// What clients say, in lower case, the first that fits: a replacement is underpriced as well.
const WORDS: [(Objection, &[&str]); 6] = [
    (Objection::Known, &["already known", "alreadyknown", "already imported", "known transaction"]),
    (
        Objection::NonceUsed,
        &["nonce too low", "nonce is too low", "oldnonce", "nonce is below", "already been used"],
    ),
    (Objection::NonceTaken, &["replacement"]),
    (Objection::NonceAhead, &["nonce too high", "nonce is too high", "nonce gap", "noncegap"]),
    (
        Objection::PriceTooLow,
        &[
            "underpriced",
            "less than block base fee",
            "fee too low",
            "feetoolow",
            "price too low",
            "below configured minimum gas price",
        ],
    ),
    (
        Objection::FundsInsufficient,
        &[
            "insufficient funds",
            "insufficientfunds",
            "insufficient balance for",
            "exceeds account balance",
        ],
    ),
];

impl Objection {
    /// Reads an endpoint's words.
    pub(crate) fn of(failure: &RpcFailure) -> Self {
        let message = failure.message.to_lowercase();
        let fits = |words: &[&str]| words.iter().any(|word| message.contains(word));
        WORDS.iter().find(|(_, words)| fits(words)).map_or(Self::Other, |(objection, _)| *objection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(message: &str, expected: Objection) {
        let failure = RpcFailure { code: -32_000, message: message.into(), data: None };
        assert_eq!(Objection::of(&failure), expected, "{message}");
    }

    #[test]
    fn the_words_of_clients_are_understood() {
        use Objection::{
            FundsInsufficient, Known, NonceAhead, NonceTaken, NonceUsed, Other, PriceTooLow,
        };
        // geth, reth, erigon, the embedded chain
        check("already known", Known);
        check("nonce too low: next nonce 5, tx nonce 4", NonceUsed);
        check("replacement transaction underpriced", NonceTaken);
        check(
            "nonce too high: next nonce 5, tx nonce 90, 64 of the sender wait already",
            NonceAhead,
        );
        check("transaction underpriced: gas tip cap 0, minimum needed 1", PriceTooLow);
        check("max fee per gas less than block base fee: maxFeePerGas 1, baseFee 7", PriceTooLow);
        check(
            "insufficient funds for gas * price + value: balance 0, tx cost 1",
            FundsInsufficient,
        );
        // anvil
        check("transaction already imported", Known);
        check("Insufficient funds for gas * price + value", FundsInsufficient);
        // Nethermind
        check("AlreadyKnown", Known);
        check("OldNonce, Current nonce: 5, nonce of rejected tx: 4", NonceUsed);
        check("NonceGap, Future nonce. Expected nonce: 5", NonceAhead);
        check("FeeTooLow, EffectivePriorityFeePerGas too low", PriceTooLow);
        check("InsufficientFunds, Account balance: 0", FundsInsufficient);
        // Besu
        check("Known transaction", Known);
        check("Transaction nonce is below sender account nonce", NonceUsed);
        check("Gas price below configured minimum gas price", PriceTooLow);
        check("Upfront cost exceeds account balance", FundsInsufficient);
        // What is no objection to the transaction itself
        check("execution reverted", Other);
        check("intrinsic gas too low: have 1, want 21000", Other);
        check("", Other);
    }
}
