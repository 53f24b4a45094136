// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @notice What the compatibility checks call: storage, events, errors, precompiles and the block's environment.
contract Probe {
    uint256 public value;
    mapping(address account => uint256) public notes;
    bytes32 public blobHash;

    event ValueSet(address indexed account, uint256 indexed value, string text);
    event Tick(uint256 indexed number);

    error TooLarge(uint256 value, uint256 limit);

    constructor(uint256 initial) payable {
        value = initial;
    }

    receive() external payable {}

    function set(uint256 next) public {
        if (next > 1000) revert TooLarge(next, 1000);
        value = next;
        notes[msg.sender] = next;
        emit ValueSet(msg.sender, next, "set");
    }

    function tick(uint256 count) external {
        for (uint256 i = 0; i < count; i++) emit Tick(i);
    }

    /// @notice Sets the value through a call to itself, so that traces have a nested frame.
    function setThroughCall(uint256 next) external {
        this.set(next);
    }

    function requireSmall(uint256 number) external pure returns (uint256) {
        require(number <= 1000, "number is too large");
        return number;
    }

    function divide(uint256 dividend, uint256 divisor) external pure returns (uint256) {
        return dividend / divisor;
    }

    function recordBlobHash() external {
        blobHash = blobhash(0);
    }

    function environment() external view returns (uint256 number, uint256 timestamp, address coinbase, uint256 chainId) {
        return (block.number, block.timestamp, block.coinbase, block.chainid);
    }

    function balanceOf(address account) external view returns (uint256) {
        return account.balance;
    }

    /// @notice Calls a precompile and answers whether it succeeded and what it returned.
    function precompile(address at, bytes calldata input) external view returns (bool, bytes memory) {
        return at.staticcall(input);
    }
}
