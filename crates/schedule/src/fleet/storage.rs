//! The cheapest way to run one store against prices, exactly.
//!
//! What is left to pay from a step on is a convex, piecewise linear function of what is stored. Going back a step merges the
//! slopes of what the step can do into those of the function; going forward picks where slopes meet. No grid, no linear program.
//!
//! # Source
//!
//! Dynamic programming over convex piecewise linear functions ("slope trick"); infimal convolution merges sorted slopes: R. T. Rockafellar,
//! "Convex Analysis", section 5.

/// What a store can do in one step: the state becomes `retained * state + base + u`, where `u` is made of pieces.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct StoreStep {
    /// Part of the state that is left.
    pub(crate) retained: f64,
    /// What is added when no piece is used.
    pub(crate) base: f64,
    /// Two ways to add more, each up to a length, with a cost for each unit.
    pub(crate) pieces: [Piece; 2],
    /// Least and greatest state after the step.
    pub(crate) bounds: (f64, f64),
}

/// A way to add to a state.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Piece {
    pub(crate) length: f64,
    pub(crate) slope: f64,
}

/// A convex, piecewise linear function without its height: where it begins, and its pieces in rising slope.
#[derive(Debug, Clone, Default)]
struct Convex {
    from: f64,
    pieces: Vec<Piece>,
}

/// Room that is used again from store to store.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    functions: Vec<Convex>,
}

/// Rounding that is overlooked in states.
const TOLERANCE: f64 = 1e-9;

/// Finds the cheapest pieces of each step from an initial state. Returns whether the bounds can be kept; `used[t]` is then how much of each piece
/// is used.
pub(crate) fn cheapest(
    initial: f64,
    steps: &[StoreStep],
    scratch: &mut Scratch,
    used: &mut Vec<[f64; 2]>,
) -> bool {
    scratch.functions.resize_with(steps.len().max(scratch.functions.len()), Convex::default);
    used.clear();
    used.resize(steps.len(), [0.0; 2]);
    let Some(last) = steps.last() else { return true };
    // functions[t]: what is left to pay after step t, as a function of the state then.
    let (least, most) = last.bounds;
    if least > most + TOLERANCE {
        return false;
    }
    let end = &mut scratch.functions[steps.len() - 1];
    end.from = least;
    end.pieces.clear();
    end.pieces.push(Piece { length: (most - least).max(0.0), slope: 0.0 });
    for t in (1..steps.len()).rev() {
        let (before, after) = scratch.functions.split_at_mut(t);
        if !go_back(&steps[t], steps[t - 1].bounds, &after[0], &mut before[t - 1]) {
            return false;
        }
    }
    let mut state = initial;
    for (t, step) in steps.iter().enumerate() {
        let start = step.retained * state + step.base;
        match go_forward(start, step, &scratch.functions[t]) {
            Some((amounts, next)) => (used[t], state) = (amounts, next),
            None => return false,
        }
    }
    true
}

/// Computes what is left to pay before a step from what is left after it. Returns whether any state within `bounds` can go on.
fn go_back(step: &StoreStep, bounds: (f64, f64), after: &Convex, before: &mut Convex) -> bool {
    // As a function of y = retained * state: the pieces of the step used to the full shift its beginning to the left, and a
    // larger y saves what they cost.
    let full: f64 = step.pieces.iter().map(|piece| piece.length).sum();
    before.pieces.clear();
    let mut added = step.pieces.map(|piece| Piece { length: piece.length, slope: -piece.slope });
    added.sort_by(|a, b| a.slope.total_cmp(&b.slope));
    let mut added = added.into_iter().filter(|piece| piece.length > 0.0).peekable();
    for &piece in &after.pieces {
        while let Some(next) = added.next_if(|next| next.slope < piece.slope) {
            before.pieces.push(next);
        }
        before.pieces.push(piece);
    }
    before.pieces.extend(added);
    before.from = after.from - step.base - full;
    if step.retained != 1.0 {
        before.from /= step.retained;
        for piece in &mut before.pieces {
            piece.length /= step.retained;
            piece.slope *= step.retained;
        }
    }
    before.keep_within(bounds)
}

impl Convex {
    /// Cuts off what lies outside of bounds. Returns whether anything is left.
    fn keep_within(&mut self, (least, most): (f64, f64)) -> bool {
        let mut cut = least - self.from;
        if cut > 0.0 {
            let mut gone = 0;
            for piece in &mut self.pieces {
                if piece.length > cut {
                    piece.length -= cut;
                    cut = 0.0;
                    break;
                }
                cut -= piece.length;
                gone += 1;
            }
            if cut > TOLERANCE {
                return false;
            }
            self.pieces.drain(..gone);
            self.from = least;
        }
        let mut room = most - self.from;
        if room < -TOLERANCE {
            return false;
        }
        room = room.max(0.0);
        let mut kept = 0;
        for piece in &mut self.pieces {
            if room <= 0.0 {
                break;
            }
            piece.length = piece.length.min(room);
            room -= piece.length;
            kept += 1;
        }
        self.pieces.truncate(kept);
        true
    }
}

/// Uses pieces as long as they cost less than what they save, and as the function asks for. Returns the amounts and the state after.
fn go_forward(start: f64, step: &StoreStep, after: &Convex) -> Option<([f64; 2], f64)> {
    let order = if step.pieces[0].slope <= step.pieces[1].slope { [0, 1] } else { [1, 0] };
    let mut amounts = [0.0; 2];
    let mut state = start;
    // Up to where the function begins, there is no choice.
    for i in order {
        let missing = (after.from - state).max(0.0);
        amounts[i] = missing.min(step.pieces[i].length);
        state += amounts[i];
    }
    if state < after.from - TOLERANCE {
        return None;
    }
    let mut passed = after.from;
    let mut i = 0;
    for piece in &after.pieces {
        let until = passed + piece.length;
        while i < 2 && state < until {
            let way = &step.pieces[order[i]];
            if way.slope + piece.slope >= 0.0 {
                return Some((amounts, state));
            }
            let more = (way.length - amounts[order[i]]).min(until - state);
            amounts[order[i]] += more;
            state += more;
            if amounts[order[i]] >= way.length {
                i += 1;
            }
        }
        passed = until;
    }
    (state <= passed + TOLERANCE).then_some((amounts, state.min(passed)))
}
