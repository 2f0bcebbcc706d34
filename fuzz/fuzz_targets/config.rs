//! INP-05: any bytes as a configuration and a drop-in, which a byte 0xFF divides.
//!
//! `make fuzz` runs it with the stable compiler, `cargo +nightly fuzz run config` with sanitizers.
//!
//! What must hold is what `config/tests/properties.rs` tries with mutated files in each test run.

#![no_main]

use countersign_config::{MAX_REMEMBER, parse_all};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let files: Vec<(&str, &[u8])> = ["c.toml", "conf.d/1.toml"]
        .into_iter()
        .zip(data.splitn(2, |byte| *byte == 0xFF))
        .collect();
    match parse_all(&files) {
        Ok(config) => {
            assert!(!config.policies.is_empty());
            assert!(!config.email.addresses.is_empty());
            for policy in &config.policies {
                assert!(!policy.factors.is_empty() && policy.remember <= MAX_REMEMBER);
                assert!(policy.groups.as_ref().is_none_or(|list| !list.is_empty()));
                assert!(policy.users.as_ref().is_none_or(|list| !list.is_empty()));
                assert!(policy.services.as_ref().is_none_or(|list| !list.is_empty()));
                assert!(policy.networks.only.as_ref().is_none_or(|list| !list.is_empty()));
            }
            // The same bytes mean the same, and cost no more the second time.
            assert_eq!(parse_all(&files).as_ref(), Ok(&config));
            drop(config.warnings_at(0));
            drop(config.missing_groups(&["wheel".to_owned()], |_| true));
        }
        Err(problems) => {
            let shown = problems.to_string();
            assert!(!shown.is_empty() && !shown.contains(|c: char| c.is_control() && c != '\n'));
        }
    }
});
