// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { Ownable, Ownable2Step } from "@openzeppelin/contracts/access/Ownable2Step.sol";
import { ERC20 } from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title Play money for demonstrations and tests
/// @notice A plain ERC-20 token whose unit is a micro-unit of the currency. Its owner makes as much of it as it likes,
/// so it is worth nothing: never deploy it where real money is meant.
contract DemoToken is ERC20, Ownable2Step {
    constructor(address owner) ERC20("gridtally demo money", "GTD") Ownable(owner) { }

    /// @notice Makes `amount` micro-units for `receiver`. Only the owner may.
    function mint(address receiver, uint256 amount) external onlyOwner {
        _mint(receiver, amount);
    }

    /// @notice Returns 6: one token is one unit of the currency, the smallest part is a micro-unit.
    function decimals() public pure override returns (uint8) {
        return 6;
    }
}
