//! JSON that is read member by member and passed on as it stands.

pub(crate) mod members;
pub(crate) mod pointer;
pub(crate) mod text;
