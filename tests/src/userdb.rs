//! What systemd-userdbd would say: a Varlink server with a script, in the test's own `/run`.

use std::fs::{self, Permissions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Where it is asked.
pub const SOCKET: &str = "/run/systemd/userdb/io.systemd.Multiplexer";

/// What it does with a question.
#[derive(Debug, Clone)]
pub enum Answer {
    /// These bytes, whatever they are.
    Bytes(Vec<u8>),
    /// More bytes than anybody wants, without an end.
    Endless,
    /// Nothing, while the connection stays open.
    Silence,
    /// The connection is closed.
    HangUp,
}

impl Answer {
    /// A record with these members.
    #[must_use]
    pub fn record(members: &str) -> Self {
        let text = format!("{{\"parameters\":{{\"record\":{{{members}}},\"incomplete\":false}}}}\0");
        Self::Bytes(text.into_bytes())
    }
}

/// A server. Dropped, its socket is gone; connections that are open end by themselves.
pub struct Userdb {
    answer: Arc<Mutex<Answer>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Userdb {
    /// Serves from now on.
    ///
    /// # Panics
    /// When the socket cannot be bound.
    #[must_use]
    pub fn start(answer: Answer) -> Self {
        fs::create_dir_all(Path::new(SOCKET).parent().expect("a folder")).expect("our own /run");
        drop(fs::remove_file(SOCKET));
        let listener = UnixListener::bind(SOCKET).expect("our own /run");
        // As systemd makes it: everybody may ask.
        fs::set_permissions(SOCKET, Permissions::from_mode(0o666)).expect("ours");
        let answer = Arc::new(Mutex::new(answer));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let server = Self { answer: Arc::clone(&answer), asked: Arc::clone(&asked) };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, asked) = (Arc::clone(&answer), Arc::clone(&asked));
                std::thread::spawn(move || serve(stream, &answer, &asked));
            }
        });
        server
    }

    /// Another script.
    pub fn say(&self, answer: Answer) {
        *lock(&self.answer) = answer;
    }

    /// The questions so far, as they came.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        lock(&self.asked).clone()
    }
}

impl Drop for Userdb {
    fn drop(&mut self) {
        drop(fs::remove_file(SOCKET));
    }
}

fn serve(mut stream: UnixStream, answer: &Mutex<Answer>, asked: &Mutex<Vec<String>>) {
    let mut question = Vec::new();
    let mut byte = [0];
    while stream.read(&mut byte).is_ok_and(|read| read == 1) && byte[0] != 0 {
        question.push(byte[0]);
    }
    lock(asked).push(String::from_utf8_lossy(&question).into_owned());
    let answer = lock(answer).clone();
    // Whoever asked may be gone.
    match answer {
        Answer::Bytes(bytes) => drop(stream.write_all(&bytes)),
        Answer::Endless => while stream.write_all(&[b' '; 4096]).is_ok() {},
        Answer::Silence => std::thread::sleep(Duration::from_secs(20)),
        Answer::HangUp => {}
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
