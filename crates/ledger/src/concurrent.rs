//! Many questions to an endpoint, several on their way at a time: most of each is waiting.

use futures::stream::{self, StreamExt, TryStreamExt};

/// Questions on their way at a time. Public endpoints limit how many they take, and the embedded chain answers 64.
const QUESTIONS_MAX: usize = 16;

/// Asks for each item and returns the answers in the order of the items. The first error, in that order, ends it.
pub(crate) async fn each<I, F, T, E>(
    items: impl IntoIterator<Item = I>,
    ask: impl FnMut(I) -> F,
) -> Result<Vec<T>, E>
where
    F: Future<Output = Result<T, E>>,
{
    stream::iter(items.into_iter().map(ask)).buffered(QUESTIONS_MAX).try_collect().await
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn answers_come_in_order_and_only_so_many_are_on_their_way() {
        let (now, most) = (Cell::new(0_usize), Cell::new(0_usize));
        let ask = async |item: u64| {
            now.set(now.get() + 1);
            most.set(most.get().max(now.get()));
            // The later ones answer first.
            for _ in item..100 {
                tokio::task::yield_now().await;
            }
            now.set(now.get() - 1);
            if item == 60 || item == 62 { Err(item) } else { Ok(item) }
        };
        assert_eq!(each(0..60, ask).await, Ok((0..60).collect()));
        assert_eq!(most.get(), QUESTIONS_MAX);
        assert_eq!(each(0..100, ask).await, Err(60));
    }
}
