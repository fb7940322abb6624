//! `pages`, against real servers on the loopback interface: which page comes next, what is in it, what goes wrong, how far ahead.

mod ahead;
mod content;
mod endless;
mod faults;
mod rig;
mod ways;
