//! Faults, caused for real against the program, and what must hold after each of them:
//!
//! *Every accepted job has exactly one final newest outcome line; a resume completes the list; no success is claimed that did
//! not happen; nothing that was committed is lost.*
//!
//! Random tests print their seed (`SETTLED_FAULT_SEED` repeats one, `SETTLED_FAULT_SEEDS` says how many kills there are), and
//! every test prints how many cases it ran: none is a failure. Faults that this machine can't cause are skipped by name.

mod children;
mod clock;
mod damage;
mod edited;
mod hostile;
mod kill;
mod ledger;
mod limits;
mod memory;
mod power;
mod rig;
mod slow;
mod storage;
mod torn;
