// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { PointEvaluation } from "../../src/PointEvaluation.sol";
import { vm } from "./Vm.sol";

/// @notice Real blobs of which only the first elements matter: the polynomial of lowest degree through them is committed
/// to and opened with the first points of the ceremony and the chain's own multiplication (EIP-2537). Whatever the other
/// elements then are, nobody reads them.
library LowDegreeBlob {
    uint256 private constant MODULUS = 0x73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001;
    address private constant G1_MSM = address(0x0c);
    uint256 private constant POINT_BYTES = 128;

    /// @return coefficients Of the polynomial through the elements, lowest first.
    function interpolate(bytes32[] memory elements) internal view returns (uint256[] memory coefficients) {
        uint256 n = elements.length;
        uint256[] memory x = new uint256[](n);
        uint256[] memory d = new uint256[](n);
        for (uint256 i = 0; i < n; ++i) {
            (x[i], d[i]) = (PointEvaluation.point(i), uint256(elements[i]));
        }
        // Newton's divided differences, and then the polynomial from the inside out.
        for (uint256 k = 1; k < n; ++k) {
            for (uint256 i = n - 1; i >= k; --i) {
                uint256 distance = addmod(x[i], MODULUS - x[i - k], MODULUS);
                d[i] = mulmod(addmod(d[i], MODULUS - d[i - 1], MODULUS), _inverse(distance), MODULUS);
            }
        }
        coefficients = new uint256[](n);
        for (uint256 i = n; i > 0; --i) {
            for (uint256 j = n - 1; j > 0; --j) {
                uint256 scaled = mulmod(coefficients[j], MODULUS - x[i - 1], MODULUS);
                coefficients[j] = addmod(coefficients[j - 1], scaled, MODULUS);
            }
            coefficients[0] = addmod(mulmod(coefficients[0], MODULUS - x[i - 1], MODULUS), d[i - 1], MODULUS);
        }
    }

    function commitment(uint256[] memory coefficients) internal view returns (bytes memory) {
        bytes memory points = vm.parseJsonBytes(vm.readFile("test/vectors/setup-points.json"), ".points");
        bytes memory input;
        for (uint256 i = 0; i < coefficients.length; ++i) {
            bytes memory point = new bytes(POINT_BYTES);
            for (uint256 j = 0; j < POINT_BYTES; ++j) {
                point[j] = points[POINT_BYTES * i + j];
            }
            input = bytes.concat(input, point, bytes32(coefficients[i]));
        }
        (bool isDone, bytes memory sum) = G1_MSM.staticcall(input);
        vm.assertTrue(isDone, "multiplied");
        return _compressed(sum);
    }

    /// @return element The polynomial's value at an element's point.
    /// @return proof The commitment to what is left after division by `X - point`.
    function open(uint256[] memory coefficients, uint256 index)
        internal
        view
        returns (bytes32 element, bytes memory proof)
    {
        uint256 z = PointEvaluation.point(index);
        uint256[] memory quotient = new uint256[](coefficients.length);
        uint256 carried = 0;
        for (uint256 i = coefficients.length; i > 0; --i) {
            quotient[i - 1] = carried;
            carried = addmod(mulmod(carried, z, MODULUS), coefficients[i - 1], MODULUS);
        }
        return (bytes32(carried), commitment(quotient));
    }

    function versionedHash(bytes memory commitment_) internal pure returns (bytes32) {
        return bytes32(uint256(uint248(uint256(sha256(commitment_)))) | uint256(1) << 248);
    }

    function _inverse(uint256 value) private view returns (uint256) {
        bytes memory input = abi.encode(uint256(32), uint256(32), uint256(32), value, MODULUS - 2, MODULUS);
        (, bytes memory result) = address(0x05).staticcall(input);
        return abi.decode(result, (uint256));
    }

    /// The 48 bytes of the first coordinate, with the flags of a compressed point.
    function _compressed(bytes memory point) private pure returns (bytes memory result) {
        (, uint256 x, uint256 yHigh, uint256 yLow) = abi.decode(point, (uint256, uint256, uint256, uint256));
        result = new bytes(48);
        for (uint256 i = 0; i < 48; ++i) {
            result[i] = point[16 + i];
        }
        if (x == 0 && yHigh == 0 && yLow == 0) {
            result[0] = 0xc0;
            return result;
        }
        // Half of the field's order.
        uint256 halfHigh = 0x0d0088f51cbff34d258dd3db21a5d66b;
        uint256 halfLow = 0xb23ba5c279c2895fb39869507b587b120f55ffff58a9ffffdcff7fffffffd555;
        bool isUpper = yHigh > halfHigh || (yHigh == halfHigh && yLow > halfLow);
        result[0] |= isUpper ? bytes1(0xa0) : bytes1(0x80);
    }
}
