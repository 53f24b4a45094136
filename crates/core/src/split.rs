//! Integer splits that keep the sum: largest remainder, ties to the first.

use std::cmp::Reverse;

use crate::period::Resolution;
use crate::quantity::Energy;

/// Why a total cannot be split. In order of precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// No parts to split over.
    #[error("there are no parts to split over")]
    NoParts,
    /// Every weight is zero.
    #[error("all weights are zero")]
    NoWeight,
    /// The target periods do not fill the source period.
    #[error("a {from} period cannot be divided into {into} periods")]
    NotDivisible {
        /// Resolution of the value.
        from: Resolution,
        /// Resolution that was asked for.
        into: Resolution,
    },
}

/// Returns `total` split in proportion to `weights`; the parts sum to `total` exactly.
///
/// Each part is its exact share without decimals; the units that are left go to the largest remainders, ties to the first.
/// A negative total is split as its opposite.
///
/// ```
/// use gridtally_core::split::split_by_weight;
///
/// assert_eq!(split_by_weight(6001, &[1, 2, 1]), Ok(vec![1500, 3001, 1500]));
/// ```
///
/// # Errors
///
/// [`SplitError::NoParts`], then [`SplitError::NoWeight`].
///
/// # Panics
///
/// Never: a part is not larger than the total.
///
/// # Source
///
/// Hamilton's method of largest remainders; test vector TV-13.
pub fn split_by_weight(total: i64, weights: &[u64]) -> Result<Vec<i64>, SplitError> {
    if weights.is_empty() {
        return Err(SplitError::NoParts);
    }
    let weight_sum: u128 = weights.iter().copied().map(u128::from).sum();
    if weight_sum == 0 {
        return Err(SplitError::NoWeight);
    }
    let magnitude = u128::from(total.unsigned_abs());
    // 64-bit magnitude times 64-bit weight: no overflow in 128 bits.
    let shares: Vec<u128> = weights.iter().map(|&weight| magnitude * u128::from(weight)).collect();
    let mut parts: Vec<u128> = shares.iter().map(|share| share / weight_sum).collect();
    let mut by_remainder: Vec<usize> = (0..parts.len()).collect();
    by_remainder.sort_by_key(|&index| Reverse(shares[index] % weight_sum)); // stable: ties stay in order
    let left = magnitude - parts.iter().sum::<u128>();
    let left = usize::try_from(left).expect("less than one unit is left for each part");
    for &index in &by_remainder[..left] {
        parts[index] += 1;
    }
    let signed = |part: u128| {
        let part = i128::try_from(part).expect("a part is not larger than the total");
        i64::try_from(part * i128::from(total.signum()))
            .expect("a part is not larger than the total")
    };
    Ok(parts.into_iter().map(signed).collect())
}

/// Returns part `index` of `total` split into `count` equal parts, of which the first ones are larger by one unit where it
/// does not divide. The parts of all indexes sum to `total`.
///
/// # Panics
///
/// When `index` is not below `count`, which is a bug of the caller.
#[must_use]
pub fn even_part(total: i64, count: u32, index: u32) -> i64 {
    assert!(index < count, "part {index} of {count}");
    let count = i64::from(count);
    let (share, rest) = (total / count, total % count);
    if i64::from(index) < rest.abs() { share + rest.signum() } else { share }
}

/// Returns `total` split into `count` equal parts, of which the first ones are larger by one unit where it does not divide.
///
/// # Errors
///
/// [`SplitError::NoParts`] when `count` is 0.
pub fn split_evenly(total: i64, count: u32) -> Result<Vec<i64>, SplitError> {
    if count == 0 {
        return Err(SplitError::NoParts);
    }
    Ok((0..count).map(|index| even_part(total, count, index)).collect())
}

/// Returns the energy of one period spread over the shorter periods in it, in time order; the sum stays.
///
/// ```text
/// 60 min   |------------------1001-----------------|
/// 15 min   |---251---|---250---|---250---|---250---|
/// ```
///
/// # Errors
///
/// [`SplitError::NotDivisible`] when `into` is longer than `from` or does not fill it, such as 15 into 10 minutes.
pub fn split_energy(
    energy: Energy,
    from: Resolution,
    into: Resolution,
) -> Result<Vec<Energy>, SplitError> {
    if !from.minutes().is_multiple_of(into.minutes()) {
        return Err(SplitError::NotDivisible { from, into });
    }
    let parts = split_evenly(energy.wh(), from.minutes() / into.minutes())?;
    Ok(parts.into_iter().map(Energy::from_wh).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn remainders_keep_the_sum() {
        // TV-13.
        let quarters =
            split_energy(Energy::from_wh(1001), Resolution::Minutes60, Resolution::Minutes15);
        assert_eq!(quarters, Ok([251, 250, 250, 250].map(Energy::from_wh).to_vec()));
        assert_eq!(split_evenly(1000, 3), Ok(vec![334, 333, 333]));
        assert_eq!(split_evenly(1000, 6), Ok(vec![167, 167, 167, 167, 166, 166]));
        assert_eq!(split_by_weight(6001, &[1, 2, 1]), Ok(vec![1500, 3001, 1500]));
        assert_eq!(split_by_weight(-6001, &[1, 2, 1]), Ok(vec![-1500, -3001, -1500]));
    }

    #[test]
    fn impossible_splits_are_refused_in_order() {
        assert_eq!(split_by_weight(5, &[]), Err(SplitError::NoParts));
        assert_eq!(split_by_weight(5, &[0, 0]), Err(SplitError::NoWeight));
        assert_eq!(split_evenly(5, 0), Err(SplitError::NoParts));
        let (from, into) = (Resolution::Minutes15, Resolution::Minutes10);
        assert_eq!(
            split_energy(Energy::ZERO, from, into),
            Err(SplitError::NotDivisible { from, into })
        );
        assert!(split_energy(Energy::ZERO, Resolution::Minutes15, Resolution::Minutes60).is_err());
    }

    proptest! {
        #[test]
        fn weighted_parts_sum_to_the_total(total: i64, weights in prop::collection::vec(any::<u64>(), 1..20)) {
            prop_assume!(weights.iter().any(|&weight| weight > 0));
            let parts = split_by_weight(total, &weights).unwrap();
            prop_assert_eq!(parts.iter().copied().map(i128::from).sum::<i128>(), i128::from(total));
            let weight_sum: u128 = weights.iter().copied().map(u128::from).sum();
            for (part, weight) in parts.iter().zip(&weights) {
                let exact = u128::from(total.unsigned_abs()) * u128::from(*weight) / weight_sum;
                let over = u128::from(part.unsigned_abs()) - exact;
                prop_assert!(over <= 1 && part.signum() * total.signum() >= 0);
            }
        }

        #[test]
        fn even_splits_are_splits_by_equal_weight(total: i64, count in 1_u32..50) {
            let by_weight = split_by_weight(total, &vec![7; count as usize]);
            prop_assert_eq!(split_evenly(total, count), by_weight);
        }
    }
}
