//! Random numbers that never change: libraries may alter theirs from version to version.

/// A stream of numbers that depends on its seed alone.
///
/// # Source
///
/// `SplitMix64`: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    /// Returns the stream of a seed and a purpose. Streams of different purposes have nothing in common, so that one
    /// more household does not change the others.
    pub(super) fn new(seed: u64, purpose: u64) -> Self {
        let mut mixer = Self(purpose);
        Self(seed ^ mixer.draw())
    }

    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number in `[low, high]`, both below 2^31 in size.
    pub(super) fn between(&mut self, low: i32, high: i32) -> i64 {
        let width = u64::from(high.abs_diff(low)) + 1;
        // The bias of the remainder is below 2^-32: no meter shows it.
        let offset = i64::try_from(self.draw() % width).expect("below 2^32 + 1");
        i64::from(low.min(high)) + offset
    }

    /// Returns `value` changed by up to `percent` percent either way.
    pub(super) fn around(&mut self, value: i64, percent: i32) -> i64 {
        value * (100 + self.between(-percent, percent)) / 100
    }

    /// Returns whether something happens that happens `percent` times in a hundred.
    pub(super) fn chance(&mut self, percent: i32) -> bool {
        self.between(1, 100) <= i64::from(percent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_that_of_the_paper() {
        // First outputs for seed 1234567, as published with the reference implementation.
        let mut dice = Dice(1_234_567);
        let drawn: Vec<u64> = (0..3).map(|_| dice.draw()).collect();
        assert_eq!(
            drawn,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn numbers_stay_in_their_range_and_reach_both_ends() {
        let mut dice = Dice::new(1, 2);
        let drawn: Vec<i64> = (0..1_000).map(|_| dice.between(-2, 3)).collect();
        assert_eq!((drawn.iter().min(), drawn.iter().max()), (Some(&-2), Some(&3)));
        assert!((0..1_000).all(|_| (90..=110).contains(&dice.around(100, 10))));
        assert!((0..1_000).all(|_| dice.chance(100) && !dice.chance(0)));
    }
}
