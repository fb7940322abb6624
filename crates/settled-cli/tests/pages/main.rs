//! `settled pages`, the real binary against real servers: what comes out where, how it ends, and what is asked of the server.

mod ends;
mod outputs;
mod tool;
