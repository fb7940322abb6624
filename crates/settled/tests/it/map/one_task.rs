//! In one task: limits, order, fairness, what borrows.
