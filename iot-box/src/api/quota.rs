//! How many of something one client may have at a time.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

#[derive(Debug)]
pub(crate) struct Quota<K> {
    limit: usize,
    taken: Mutex<HashMap<K, usize>>,
}

/// One of the client's; given back when dropped.
#[derive(Debug)]
pub(crate) struct Share<K: Hash + Eq> {
    quota: Arc<Quota<K>>,
    key: Option<K>,
}

impl<K: Hash + Eq + Clone> Quota<K> {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, taken: Mutex::default() }
    }

    pub(crate) fn take(self: &Arc<Self>, key: K) -> Option<Share<K>> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(key.clone()).or_insert(0);
        if *count >= self.limit {
            return None;
        }
        *count += 1;
        Some(Share { quota: self.clone(), key: Some(key) })
    }
}

impl<K: Hash + Eq> Drop for Share<K> {
    fn drop(&mut self) {
        let Some(key) = self.key.take() else { return };
        let mut taken = self.quota.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&key) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                taken.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_counts_until_it_is_dropped() {
        let quota = Arc::new(Quota::new(2));
        let (a, b) = (quota.take("x"), quota.take("x"));
        assert!(a.is_some() && b.is_some() && quota.take("x").is_none() && quota.take("y").is_some());
        drop(a);
        assert!(quota.take("x").is_some());
        drop(b);
        assert!(quota.taken.lock().unwrap().is_empty());
    }
}
