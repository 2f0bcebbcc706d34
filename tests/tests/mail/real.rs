//! The mail server of the distribution, and what arrives in the mailbox.

use super::TO;
use countersign_tests::certificates::Authority;
use countersign_tests::mailer::send;
use countersign_tests::postfix::{PASSWORD, Postfix, USER};
use countersign_tests::{Mailer, PrivateBus, World, require};

#[test]
fn a_real_server_takes_letters_by_tls_and_login() {
    require!(Root, Staged("countersign-mailer"), Tool("openssl"), Tool("postfix"), Tool("dovecot"));
    let world = World::enter();
    let bus = PrivateBus::start(world.daemon_uid());
    let authority = Authority::new();
    let server = Postfix::start(&authority.vouch_for("127.0.0.1"));
    let config = |tls: &str| {
        format!(
            "[[policy]]\nname = \"everyone else\"\nstatus = \"off\"\n\n[mailbox.ops]\nserver = \"127.0.0.1\"\n\
             tls = \"{tls}\"\nfrom = \"Acme <noreply@example.org>\"\nuser = \"{USER}\"\nca_file = \"{}\"\n",
            authority.file().display()
        )
    };
    let mut mailer = Mailer::prepare(&world, &bus, None);
    mailer.configure(&config("starttls"));
    mailer.secret("ops", PASSWORD);
    mailer.resume(&[], &[]);
    let mut daemon = mailer.daemon(&bus);
    for (count, tls) in [(1, "starttls"), (2, "implicit")] {
        mailer.configure(&config(tls));
        let sent = send(&mut daemon, "", TO, "Your code", "The code is 31415926\n", 10_000).expect("taken");
        assert_eq!(sent.outcome, "sent", "{tls}: {sent:?}\n{}", server.said());
        let letters = server.wait_for(count);
        assert!(letters.iter().all(|letter| letter.contains("The code is 31415926")), "{letters:#?}");
        assert!(letters.iter().all(|letter| letter.contains("(using TLSv1.3")), "{letters:#?}");
    }
    mailer.secret("ops", "a wrong one");
    let sent = send(&mut daemon, "ops", TO, "Your code", "The code is 27182818\n", 10_000).expect("taken");
    assert_eq!((sent.stage.as_str(), sent.said.as_str()), ("login", "535"), "{sent:?}");
    assert!(!server.said().contains("27182818"));
}
