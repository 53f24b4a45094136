//! One value and what it was before, by block.

/// The values that one thing has had, each with the block that set it, in ascending order of block.
#[derive(Debug, Default)]
pub(super) enum Versions<T> {
    /// Never set.
    #[default]
    Empty,
    /// Set once, or everything before is forgotten: the usual case, kept without another allocation.
    One(u64, T),
    /// Set several times.
    #[expect(clippy::box_collection, reason = "a value set once, the usual case, stays small")]
    Many(Box<Vec<(u64, T)>>),
}

impl<T: Copy + PartialEq> Versions<T> {
    /// Returns the value as of the end of block `number`.
    pub(super) fn at(&self, number: u64) -> Option<&T> {
        match self {
            Self::Empty => None,
            Self::One(block, value) => (*block <= number).then_some(value),
            Self::Many(all) => {
                let after = all.partition_point(|(block, _)| *block <= number);
                after.checked_sub(1).map(|index| &all[index].1)
            }
        }
    }

    /// Returns the newest value.
    pub(super) fn latest(&self) -> Option<&T> {
        match self {
            Self::Empty => None,
            Self::One(_, value) => Some(value),
            Self::Many(all) => all.last().map(|(_, value)| value),
        }
    }

    /// Returns how many values were set up to the end of block `number`.
    pub(super) fn until(&self, number: u64) -> usize {
        match self {
            Self::Empty => 0,
            Self::One(block, _) => usize::from(*block <= number),
            Self::Many(all) => all.partition_point(|(block, _)| *block <= number),
        }
    }

    /// Returns every value with the block that set it.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        let (one, many) = match self {
            Self::Empty => (None, None),
            Self::One(block, value) => (Some((*block, value)), None),
            Self::Many(all) => (None, Some(all.iter().map(|(block, value)| (*block, value)))),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    /// Sets the value as of block `number` and returns by how many the superseded values grew (0 or 1).
    pub(super) fn set(&mut self, number: u64, value: T) -> usize {
        match self {
            Self::Empty => *self = Self::One(number, value),
            Self::One(_, old) if *old == value => {}
            Self::One(block, old) if *block == number => *old = value,
            Self::One(block, old) => {
                *self = Self::Many(Box::new(vec![(*block, *old), (number, value)]));
                return 1;
            }
            Self::Many(all) => match all.last_mut() {
                Some((_, old)) if *old == value => {}
                Some((block, old)) if *block == number => *old = value,
                _ => {
                    all.push((number, value));
                    return 1;
                }
            },
        }
        0
    }

    /// Takes back every value set after block `number` and returns whether there was one.
    pub(super) fn truncate_after(&mut self, number: u64) -> bool {
        match self {
            Self::Empty => false,
            Self::One(block, _) if *block <= number => false,
            Self::One(..) => {
                *self = Self::Empty;
                true
            }
            Self::Many(all) => {
                let before = all.len();
                all.retain(|(block, _)| *block <= number);
                let is_changed = all.len() < before;
                self.shrink();
                is_changed
            }
        }
    }

    /// Forgets what blocks before `oldest` need and `oldest` does not; returns how many superseded values remain.
    pub(super) fn forget_before(&mut self, oldest: u64) -> usize {
        if let Self::Many(all) = self {
            let after = all.partition_point(|(block, _)| *block <= oldest);
            all.drain(..after.saturating_sub(1));
            self.shrink();
        }
        self.superseded()
    }

    /// Returns how many values there are besides the newest.
    pub(super) fn superseded(&self) -> usize {
        if let Self::Many(all) = self { all.len().saturating_sub(1) } else { 0 }
    }

    /// Returns whether the thing was never set.
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    fn shrink(&mut self) {
        if let Self::Many(all) = self {
            match all.as_slice() {
                [] => *self = Self::Empty,
                [(block, value)] => *self = Self::One(*block, *value),
                _ => all.shrink_to(all.len() * 2),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions() -> Versions<u8> {
        let mut versions = Versions::default();
        for (block, value) in [(2, 10), (5, 20), (9, 30)] {
            versions.set(block, value);
        }
        versions
    }

    fn read(versions: &Versions<u8>) -> Vec<Option<u8>> {
        [1, 2, 4, 5, 8, 9, 100].map(|number| versions.at(number).copied()).to_vec()
    }

    #[test]
    fn each_block_sees_the_value_of_its_time() {
        let expected = [None, Some(10), Some(10), Some(20), Some(20), Some(30), Some(30)];
        assert_eq!(read(&versions()), expected);
    }

    #[test]
    fn truncation_brings_the_older_value_back() {
        let mut versions = versions();
        assert!(versions.truncate_after(5));
        assert_eq!(versions.latest(), Some(&20));
        assert!(!versions.truncate_after(5));
        assert!(versions.truncate_after(1));
        assert!(versions.is_empty());
    }

    #[test]
    fn forgetting_keeps_what_the_oldest_block_needs() {
        let mut versions = versions();
        assert_eq!(versions.forget_before(6), 1);
        assert_eq!(versions.at(6), Some(&20));
        assert_eq!(versions.forget_before(9), 0);
        assert_eq!(versions.at(9), Some(&30));
    }
}
