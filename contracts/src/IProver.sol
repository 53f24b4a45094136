// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { IBatchSettlement } from "./IBatchSettlement.sol";

/// @title A contract that may cancel batches of one core
interface IProver {
    /// @notice The core was deployed with other provers.
    error NotProverOf(IBatchSettlement core);

    /// @notice Returns the contract whose batches are proved here.
    function core() external view returns (IBatchSettlement);
}
