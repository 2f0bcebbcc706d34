//! What could tell somebody a secret without being asked: cores, memory, bad randomness, the time that
//! something takes, and one factor about the other.

mod cores;
mod joint;
mod randomness;
mod timing;

/// What every test here needs, and what this one needs beyond it.
macro_rules! require_all {
    ($($more:expr),*) => {
        countersign_tests::require!(
            Root,
            Staged("countersignd"),
            Staged("countersignctl"),
            Staged("countersign-mailer"),
            Staged("pam_countersign.so")
            $(, $more)*
        )
    };
}
use require_all;
