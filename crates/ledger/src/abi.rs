//! The contracts as their committed artifacts describe them: nothing here is written by hand.

#![expect(clippy::too_many_arguments, reason = "generated from the artifacts")]

use alloy_sol_types::sol;

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
