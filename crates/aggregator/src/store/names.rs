//! Short numbers for names that rows repeat.

/// Names in order; each is known by its place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Names(Vec<Box<str>>);

impl Names {
    /// Returns the names in order, each once.
    pub(super) fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut names: Vec<Box<str>> = names.into_iter().map(Box::from).collect();
        names.sort_unstable();
        names.dedup();
        Self(names)
    }

    /// Returns the name at a place.
    pub(super) fn name(&self, place: u32) -> &str {
        &self.0[place as usize]
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(AsRef::as_ref)
    }

    /// Returns the place of a name. In a sorted table it is mostly `near` or the next one.
    pub(super) fn place(&self, name: &[u8], near: u32) -> Option<u32> {
        let is_at =
            |place: u32| self.0.get(place as usize).is_some_and(|known| known.as_bytes() == name);
        if is_at(near) {
            return Some(near);
        }
        if is_at(near + 1) {
            return Some(near + 1);
        }
        let place = self.0.binary_search_by(|known| known.as_bytes().cmp(name)).ok()?;
        u32::try_from(place).ok()
    }
}
