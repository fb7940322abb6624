//! Waiting for several: `all`, `all_settled`, `any`, `race`, `series`, and the keyed forms.

mod uses;
