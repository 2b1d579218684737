//! The state machine of a revision.

use std::collections::BTreeSet;

use RevisionState as S;
use zopnight_core::domain::RevisionState;
use zopnight_core::domain::revision::{Next, RevisionEvent as E, next};

/// The documented moves. Only `queued → built` passes over a state: a callback may overtake the answer to its dispatch.
const MOVES: &[(S, &[S])] = &[
    (S::Queued, &[S::Building, S::Built, S::Failed, S::Superseded, S::Cancelled, S::TimedOut]),
    (S::Building, &[S::Built, S::Failed, S::Superseded, S::Cancelled, S::TimedOut]),
    (S::Built, &[S::Deploying, S::Failed, S::Superseded, S::Cancelled]),
    (S::Deploying, &[S::Succeeded, S::Failed, S::Superseded, S::Cancelled]),
    (S::Succeeded, &[]),
    (S::Failed, &[]),
    (S::Superseded, &[]),
    (S::Cancelled, &[]),
    (S::TimedOut, &[]),
];

fn documented(from: S) -> BTreeSet<S> {
    MOVES.iter().filter(|(s, _)| *s == from).flat_map(|(_, to)| to.iter().copied()).collect()
}

#[test]
fn every_state_moves_exactly_where_it_may() {
    for state in S::ALL {
        let mut reached = BTreeSet::new();
        for event in E::ALL {
            match next(state, event) {
                Next::To(to) => drop(reached.insert(to)),
                Next::Stay => assert!(!state.is_terminal(), "{state:?} {event:?}"),
                Next::Terminal => assert!(state.is_terminal(), "{state:?} {event:?}"),
            }
        }
        assert_eq!(reached, documented(state), "{state:?}");
    }
}

/// All sequences of events to this length from `state`, a history at a time. Nothing follows a terminal state, so that a
/// history that reached one is only checked against every event and not continued.
fn explore(history: &mut Vec<S>, left: usize, histories: &mut BTreeSet<Vec<S>>) -> u64 {
    let state = *history.last().unwrap();
    histories.insert(history.clone());
    if left == 0 {
        return 1;
    }
    if state.is_terminal() {
        assert!(E::ALL.iter().all(|e| next(state, *e) == Next::Terminal), "{history:?}");
        return 1;
    }
    let (mut sequences, mut stayed) = (0, 0);
    for event in E::ALL {
        match next(state, event) {
            Next::To(to) => {
                history.push(to);
                sequences += explore(history, left - 1, histories);
                history.pop();
            }
            Next::Stay => stayed += 1,
            Next::Terminal => panic!("{state:?} is not terminal"),
        }
    }
    // Events that leave the state alone all lead to one and the same situation: it is explored once and counted for each.
    if stayed > 0 {
        sequences += stayed * explore(history, left - 1, histories);
    }
    sequences
}

#[test]
fn no_sequence_of_eight_events_leaves_a_terminal_state_or_skips_one() {
    for entry in [S::Queued, S::Built] {
        let mut histories = BTreeSet::new();
        let sequences = explore(&mut vec![entry], 8, &mut histories);
        assert!(sequences > 1_000_000, "{sequences}");
        for history in &histories {
            for pair in history.windows(2) {
                assert!(documented(pair[0]).contains(&pair[1]), "{history:?}");
            }
            assert!(history.iter().rev().skip(1).all(|s| !s.is_terminal()), "{history:?}");
            assert_eq!(history.iter().collect::<BTreeSet<_>>().len(), history.len(), "{history:?} comes back");
        }
        let ends: BTreeSet<S> = histories.iter().filter_map(|h| h.last().copied()).collect();
        let missing = if entry == S::Built { vec![S::Queued, S::Building, S::TimedOut] } else { vec![] };
        assert!(S::ALL.iter().all(|s| ends.contains(s) != missing.contains(s)), "{ends:?}");
    }
}

#[test]
fn overtaking_and_superseding() {
    assert_eq!(next(S::Queued, E::ImageReady), Next::To(S::Built));
    assert_eq!(next(S::Built, E::Dispatched), Next::Stay);
    for state in [S::Queued, S::Building, S::Built] {
        assert_eq!(next(state, E::NewerAccepted), Next::To(S::Superseded));
    }
    assert_eq!(next(S::Deploying, E::NewerAccepted), Next::Stay);
    assert_eq!(next(S::Deploying, E::NewerBuilt), Next::To(S::Superseded));
    for late in [E::BuildFailed, E::BuildCancelled, E::BuildTimedOut] {
        assert_eq!((next(S::Built, late), next(S::Deploying, late)), (Next::Stay, Next::Stay));
    }
    for state in S::ALL.into_iter().filter(|s| !s.is_terminal()) {
        assert_eq!(next(state, E::Cancel), Next::To(S::Cancelled));
        assert_eq!(next(state, E::Abandoned), Next::To(S::Failed));
    }
}

#[test]
fn names_are_the_ones_on_the_wire() {
    for state in S::ALL {
        assert_eq!(S::from_name(state.as_str()), Some(state));
        assert_eq!(serde_json::to_string(&state).unwrap(), format!("\"{}\"", state.as_str()));
    }
    assert_eq!(S::from_name("timed_out"), Some(S::TimedOut));
    assert_eq!(S::from_name("Queued"), None);
}
