//! What is in which program.

use countersign_tests::{artifacts, require};

fn holds(program: &[u8], word: &str) -> bool {
    program.windows(word.len()).any(|part| part == word.as_bytes())
}

#[test]
fn the_daemon_has_no_network_code_and_the_mailer_no_database() {
    require!(Staged("countersignd"), Staged("countersign-mailer"));
    let daemon = std::fs::read(artifacts::daemon()).expect("staged");
    let mailer = std::fs::read(artifacts::mailer()).expect("staged");
    // Panic messages name the file of a crate; protocol words are what the code says.
    for word in ["/lettre-", "/rustls-", "/tokio-rustls-", "STARTTLS\r\n", "MAIL FROM:", "CERTIFICATE-----"] {
        assert!(!holds(&daemon, word), "countersignd links {word:?}");
    }
    for word in ["/lettre-", "/rustls-", "STARTTLS\r\n"] {
        assert!(holds(&mailer, word), "the control: countersign-mailer has {word:?}");
    }
    for word in ["SQLite format 3", "/rusqlite-", "CREATE TABLE"] {
        assert!(holds(&daemon, word), "the control: countersignd has {word:?}");
        assert!(!holds(&mailer, word), "countersign-mailer links {word:?}");
    }
}
