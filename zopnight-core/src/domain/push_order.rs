//! What a push means for a deployment, whatever the order in which deliveries come.

use super::commit::CommitSha;

/// Where a push comes from and goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushKey {
    /// Where the branch pointed; `None` if it is new.
    pub before: Option<CommitSha>,
    /// Where it points.
    pub after: CommitSha,
}

/// What to do with a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushOrder {
    /// The same delivery again: the same answer.
    Redelivery,
    /// The newest revision is already there: nothing.
    SameContent,
    /// The next step of the branch: a revision.
    Next,
    /// A gap, late, replayed, or a re-created branch: ask the forge for the head.
    Unproven,
}

/// Orders a push against `newest`, the commit of the deployment's newest revision made at the branch's head.
/// `same_id_exists`: a revision with the delivery's own id is there.
#[must_use]
pub fn order_push(push: &PushKey, newest: Option<&CommitSha>, same_id_exists: bool) -> PushOrder {
    match newest {
        _ if same_id_exists => PushOrder::Redelivery,
        Some(newest) if *newest == push.after => PushOrder::SameContent,
        Some(newest) if push.before.as_ref() != Some(newest) => PushOrder::Unproven,
        _ => PushOrder::Next,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sha(c: char) -> CommitSha {
        CommitSha::parse(&c.to_string().repeat(40)).unwrap()
    }

    fn order(before: Option<char>, after: char, newest: Option<char>) -> PushOrder {
        let push = PushKey { before: before.map(sha), after: sha(after) };
        order_push(&push, newest.map(sha).as_ref(), false)
    }

    #[test]
    fn the_cases_of_the_specification() {
        assert_eq!(order(Some('a'), 'b', Some('a')), PushOrder::Next);
        assert_eq!(order(Some('a'), 'b', Some('b')), PushOrder::SameContent);
        assert_eq!(order(Some('a'), 'b', Some('c')), PushOrder::Unproven);
        assert_eq!(order(Some('b'), 'c', Some('a')), PushOrder::Unproven);
        assert_eq!(order(Some('b'), 'a', Some('b')), PushOrder::Next);
        assert_eq!(order(None, 'd', Some('a')), PushOrder::Unproven);
        assert_eq!(order(None, 'd', None), PushOrder::Next);
        let push = PushKey { before: Some(sha('a')), after: sha('b') };
        assert_eq!(order_push(&push, Some(&sha('b')), true), PushOrder::Redelivery);
    }
}
