//! Answers to small questions that nearly every transaction asks, kept until a commit touches what they were read from.

use std::{
    any::Any,
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Change, Env};

/// Beyond it all are asked anew.
const MOST_KEPT: usize = 10_000;

type Key = (&'static str, String);

/// A question, and the models whose records the answer is read from.
#[derive(Debug)]
pub struct Question {
    key: Key,
    models: &'static [&'static str],
    asked_at: Option<u64>,
}

impl Question {
    /// `name` says what is asked, `of` about what.
    pub fn new(name: &'static str, of: impl Into<String>, models: &'static [&'static str]) -> Question {
        Question { key: (name, of.into()), models, asked_at: None }
    }
}

#[derive(Default)]
pub(super) struct Answers(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    known: HashMap<Key, (Arc<dyn Any + Send + Sync>, &'static [&'static str])>,
    /// Counts what was forgotten: an answer read before a change must not be kept after it.
    epoch: u64,
}

impl Answers {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn forget_about(&self, changes: &[Change]) {
        if changes.is_empty() {
            return;
        }
        let mut kept = self.kept();
        kept.epoch += 1;
        kept.known.retain(|_, (_, models)| !changes.iter().any(|change| models.contains(&&*change.model)));
    }

    pub(super) fn forget(&self) {
        let mut kept = self.kept();
        kept.epoch += 1;
        kept.known.clear();
    }
}

impl Env {
    /// The answer, if it was kept and this transaction has changed nothing that it was read from. Otherwise find it and
    /// [`remember`](Self::remember) it.
    pub fn recall<T: Clone + 'static>(&self, question: &mut Question) -> Option<T> {
        if question.models.iter().any(|model| self.has_changed(model)) {
            return None;
        }
        let kept = self.engine.0.answers.kept();
        question.asked_at = Some(kept.epoch);
        kept.known.get(&question.key).and_then(|(answer, _)| answer.downcast_ref().cloned())
    }

    /// Gives the answer back.
    pub fn remember<T: Clone + Send + Sync + 'static>(&self, question: Question, answer: T) -> T {
        let mut kept = self.engine.0.answers.kept();
        if question.asked_at == Some(kept.epoch) {
            if kept.known.len() >= MOST_KEPT {
                kept.known.clear();
            }
            kept.known.insert(question.key, (Arc::new(answer.clone()), question.models));
        }
        answer
    }
}
