//! The contracts as their committed artifacts describe them: nothing here is written by hand.

#![expect(
    missing_docs,
    reason = "generated from the artifacts; IDirectSettlement.sol documents it"
)]
#![expect(unreachable_pub, reason = "generated from the artifacts")]

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
