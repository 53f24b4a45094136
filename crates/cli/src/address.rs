//! Addresses on the command line.

use alloy_primitives::Address;

/// Reads an address. Capital letters are a checksum (EIP-55) and must check.
pub(crate) fn address(text: &str) -> Result<Address, String> {
    let address: Address =
        text.parse().map_err(|_| "write it as 0x and 40 hexadecimal digits".to_owned())?;
    let digits = text.trim_start_matches("0x");
    let has_checksum = digits.bytes().any(|byte| byte.is_ascii_uppercase())
        && digits.bytes().any(|byte| byte.is_ascii_lowercase());
    if has_checksum && address.to_string() != text {
        return Err(format!("its capital letters do not check, {address} would"));
    }
    Ok(address)
}
