//! One module a group of hazards. In each test the peer comes first, with what is wrong about it as what is expected.

mod buffered;
mod combine;
mod map;
mod scope;
mod timeout;
