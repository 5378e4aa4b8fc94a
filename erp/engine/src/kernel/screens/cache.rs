//! What was worked out from views and need not be again: it lives and ends with the registry, which every change of
//! views, menus, groups or fields replaces.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::Value as Json;

use crate::{
    value::Id,
    view::{Combined, Presented, ViewSource},
};

/// Views kept for as many kinds of people; more of them and it begins anew.
const MOST: usize = 2_000;

/// People who get the same: of the same groups and language, in developer mode or not. No groups: the superuser.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Audience {
    pub(super) groups: Option<Vec<Id>>,
    pub(super) lang: Option<String>,
    pub(super) debug: bool,
}

#[derive(Default)]
pub(crate) struct Screens {
    sources: Kept<String, Vec<ViewSource>>,
    combined: Kept<i64, Combined>,
    presented: Kept<(Audience, String, String, i64), Presented>,
    menus: Kept<(Audience, bool), Json>,
}

struct Kept<K, V>(Mutex<HashMap<K, Arc<V>>>);

impl<K, V> Default for Kept<K, V> {
    fn default() -> Kept<K, V> {
        Kept(Mutex::default())
    }
}

impl<K: std::hash::Hash + Eq, V> Kept<K, V> {
    fn get(&self, key: &K) -> Option<Arc<V>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn put(&self, key: K, value: Arc<V>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST {
            all.clear();
        }
        all.insert(key, value);
    }
}

impl fmt::Debug for Screens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Screens")
    }
}

macro_rules! kept {
    ($($get:ident, $put:ident, $field:ident: $key:ty => $value:ty;)*) => { $(
        pub(super) fn $get(&self, key: &$key) -> Option<Arc<$value>> {
            self.$field.get(key)
        }
        pub(super) fn $put(&self, key: $key, value: Arc<$value>) {
            self.$field.put(key, value);
        }
    )* };
}

impl Screens {
    kept! {
        sources, keep_sources, sources: String => Vec<ViewSource>;
        combined, keep_combined, combined: i64 => Combined;
        presented, keep_presented, presented: (Audience, String, String, i64) => Presented;
        menus, keep_menus, menus: (Audience, bool) => Json;
    }
}
