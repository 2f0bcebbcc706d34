//! Going through many rows without holding a login up: a page of them in each transaction.

use super::worker::{Durability, Store};
use crate::error::Error;
use rusqlite::Connection;

/// People, or rows as cheap as they, that one transaction looks at. Some milliseconds.
pub(super) const PAGE: u32 = 1000;

impl Store {
    /// Gathers page by page, from a first place on. A page gives from where to go on; `None` is nowhere.
    /// What is written meanwhile may be seen or not.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(super) async fn gather<T, P, F>(&self, nothing: T, first: P, page: F) -> Result<T, Error>
    where
        T: Send + 'static,
        P: Send + 'static,
        F: Fn(&Connection, &mut T, &P) -> Result<Option<P>, Error> + Copy + Send + 'static,
    {
        let (mut gathered, mut next) = (nothing, Some(first));
        while let Some(from) = next {
            let mut so_far = gathered;
            (gathered, next) = self
                .run(Durability::Kill, move |db| {
                    let next = page(db, &mut so_far, &from)?;
                    Ok((so_far, next))
                })
                .await?;
        }
        Ok(gathered)
    }
}
