//! Many letters at once.

use super::{Post, TO, good};
use countersign_protocol::names::{MAILER_BUS_NAME, MAILER_INTERFACE, MAILER_PATH};
use countersign_tests::require;
use zbus::Message;
use zbus::message::Type;

#[test]
fn avl_a_thousand_letters_at_once_take_little_memory() {
    require!(Staged("countersign-mailer"), Tool("openssl"));
    let post = Post::with("starttls", "login = \"none\"", good);
    assert_eq!(post.code(10_000).outcome, "sent");
    let before = post.mailer.peak_kib();
    // A bus holds back the calls of a client with more than 128 unanswered: eight clients with 125.
    let text = "The code is 31415926\n".repeat(100);
    let begun = std::time::Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut wire = post.mailer.daemon(&post.bus);
                for _ in 0..125 {
                    let call = Message::method_call(MAILER_PATH, "Send")
                        .destination(MAILER_BUS_NAME)
                        .serial(wire.next_serial())
                        .interface(MAILER_INTERFACE)
                        .build(&("ops", TO, "Your code", text.as_str(), 60_000_u32))
                        .expect("a well-formed call");
                    wire.send(call.data().bytes()).expect("the bus reads");
                }
                let mut answers = 0;
                while answers < 125 {
                    let reply = wire.receive().expect("an answer");
                    if reply.message_type() == Type::MethodReturn {
                        let (outcome, ..): (String, String, String, String) =
                            reply.body().deserialize().expect("four words");
                        assert_eq!(outcome, "sent");
                        answers += 1;
                    } else {
                        assert_ne!(reply.message_type(), Type::Error, "{reply:?}");
                    }
                }
            });
        }
    });
    let grown = post.mailer.peak_kib().saturating_sub(before);
    let heard = post.server.heard();
    println!("1000 letters in {:?}, {grown} KiB more, {} at once", begun.elapsed(), heard.most_open);
    assert_eq!(heard.letters.len(), 1001);
    assert!(grown < 24 * 1024, "the mailer grew by {grown} KiB");
    // 16 letters, and as many goodbyes that nobody waits for.
    assert!(heard.most_open <= 40, "{} connections at once", heard.most_open);
}
