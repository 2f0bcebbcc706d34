//! Logins held at their prompt, and many of them released at once.
//!
//! A gap of 5 ms between two answers is enough to hide the race that some second factors have.
//! A [`Rush`] therefore hands every thread its answer first and then opens one gate: a
//! condition variable for threads, a file lock for programs.

use crate::host;
use crate::login::Login;
use crate::talk::{HANG_UP, Outcome, Reply, Shown, speechless};
use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Longest wait for a login to reach its next prompt or end; a login of ours is bounded well below.
const PATIENCE: Duration = Duration::from_secs(150);

/// What a login did next.
#[derive(Debug)]
pub enum Turn {
    /// It stands at this prompt.
    Prompt(Shown),
    /// It ended.
    Done(Box<Outcome>),
}

/// What comes up from a login in the background.
pub(crate) enum Event {
    Turn(Turn),
    /// A program waits at the gate with its answer.
    AtGate,
}

/// One answer on its way to a waiting thread.
pub(crate) struct Answer {
    reply: Reply,
    gate: Option<Gate>,
}

/// Where the threads of a rush wait with their answers in hand.
#[derive(Clone)]
struct Gate(Arc<(Mutex<GateState>, Condvar, Condvar)>);

struct GateState {
    waiting: usize,
    open: bool,
    left_at: Vec<Instant>,
}

impl Gate {
    fn new() -> Self {
        let state = GateState { waiting: 0, open: false, left_at: Vec::with_capacity(256) };
        Self(Arc::new((Mutex::new(state), Condvar::new(), Condvar::new())))
    }

    fn pass(&self) {
        let (state, arrived, opened) = &*self.0;
        let mut state = state.lock().expect("no panic holds it");
        state.waiting += 1;
        arrived.notify_one();
        let mut state = opened.wait_while(state, |s| !s.open).expect("no panic holds it");
        state.left_at.push(Instant::now());
    }

    fn wait_for(&self, threads: usize) {
        let (state, arrived, _) = &*self.0;
        drop(arrived.wait_while(state.lock().expect("no panic holds it"), |s| s.waiting < threads));
    }

    fn open(&self) {
        let (state, _, opened) = &*self.0;
        state.lock().expect("no panic holds it").open = true;
        opened.notify_all();
    }

    fn left_at(&self) -> Vec<Instant> {
        self.0.0.lock().expect("no panic holds it").left_at.clone()
    }
}

enum Line {
    Thread(Sender<Answer>),
    Program(host::Program),
}

/// A login that stands at a prompt, or has ended.
pub struct Held {
    line: Line,
    turns: Receiver<Event>,
    turn: Option<Turn>,
    before_code: VecDeque<Reply>,
    _worker: Option<JoinHandle<()>>,
}

impl Held {
    /// Starts the login; `settle` waits for its prompt.
    pub(crate) fn open(login: &Login) -> Self {
        let (turn_in, turns) = channel();
        let before_code = login.before_code.clone().into();
        let (line, worker) = match &login.program {
            None => {
                let (line, worker) = spawn_thread(login.clone(), turn_in);
                (Line::Thread(line), Some(worker))
            }
            Some(words) => (Line::Program(host::Program::start(login, words, turn_in)), None),
        };
        Self { line, turns, turn: None, before_code, _worker: worker }
    }

    /// Waits for the first code prompt, giving the password to prompts before it.
    pub(crate) fn settle(&mut self) {
        loop {
            let turn = self.wait_turn();
            if let Turn::Prompt(shown) = &turn
                && !shown.asks_code()
                && let Some(reply) = self.before_code.pop_front()
            {
                self.send(Answer { reply, gate: None });
                continue;
            }
            self.turn = Some(turn);
            return;
        }
    }

    /// Where the login stands.
    #[must_use]
    pub fn turn(&self) -> &Turn {
        self.turn.as_ref().expect("a held login stands somewhere")
    }

    /// The prompt it stands at.
    ///
    /// # Panics
    /// When the login has ended.
    #[must_use]
    pub fn prompt(&self) -> &str {
        match self.turn() {
            Turn::Prompt(shown) => &shown.text,
            Turn::Done(outcome) => panic!("no prompt, the login ended: {outcome:?}"),
        }
    }

    /// Whether it ended before (or instead of) a prompt.
    #[must_use]
    pub fn ended(&self) -> bool {
        matches!(self.turn(), Turn::Done(_))
    }

    /// Answers and returns at once; [`wait`](Self::wait) tells what came of it.
    pub fn send_answer(&mut self, reply: impl Into<Reply>) {
        assert!(!self.ended(), "the login has ended: {:?}", self.turn());
        self.turn = None;
        self.send(Answer { reply: reply.into(), gate: None });
    }

    /// Waits for the next prompt or the end.
    pub fn wait(&mut self) -> &Turn {
        if self.turn.is_none() {
            self.turn = Some(self.wait_turn());
        }
        self.turn()
    }

    /// Answers, hangs up at any further prompt, and returns how the login ended.
    pub fn answer(mut self, reply: impl Into<Reply>) -> Outcome {
        self.send_answer(reply);
        self.finish()
    }

    /// Hangs up at this and any further prompt.
    pub fn hang_up(self) -> Outcome {
        self.finish()
    }

    /// Waits for the end; the person hangs up at any further prompt.
    pub fn finish(mut self) -> Outcome {
        loop {
            let turn = self.turn.take().unwrap_or_else(|| self.wait_turn());
            match turn {
                Turn::Done(outcome) => return *outcome,
                Turn::Prompt(shown) => {
                    let reply = speechless(&shown);
                    self.send(Answer { reply, gate: None });
                }
            }
        }
    }

    fn send(&mut self, answer: Answer) {
        match &mut self.line {
            Line::Thread(sender) => sender.send(answer).expect("the login thread waits for its answer"),
            Line::Program(program) => program.answer(answer.reply, None),
        }
    }

    fn wait_turn(&mut self) -> Turn {
        loop {
            if let Event::Turn(turn) = self.next_event() {
                return turn;
            }
        }
    }

    fn next_event(&mut self) -> Event {
        self.turns.recv_timeout(PATIENCE).expect("a login asks or ends within 150 s and does not panic")
    }
}

fn spawn_thread(login: Login, turns: Sender<Event>) -> (Sender<Answer>, JoinHandle<()>) {
    let (line, answers) = channel::<Answer>();
    let worker = std::thread::Builder::new()
        .name("held login".to_owned())
        .stack_size(1 << 20)
        .spawn(move || {
            let asked = turns.clone();
            let outcome = login.run_here(&mut |shown| {
                if !shown.style.asks() {
                    return Reply::Null;
                }
                if asked.send(Event::Turn(Turn::Prompt(shown.clone()))).is_err() {
                    return HANG_UP;
                }
                let Ok(answer) = answers.recv() else { return HANG_UP };
                if let Some(gate) = answer.gate {
                    gate.pass();
                }
                answer.reply
            });
            // The test may have dropped its end: a login nobody waits for.
            drop(turns.send(Event::Turn(Turn::Done(Box::new(outcome)))));
        })
        .expect("a thread for a held login");
    (line, worker)
}

/// Many logins at their prompts.
pub struct Rush {
    held: Vec<Held>,
}

/// What came of a rush.
#[derive(Debug)]
pub struct RushResult {
    /// One per login, in the order they were opened.
    pub outcomes: Vec<Outcome>,
    /// How long letting go took: until every login was runnable with its answer.
    pub released_in: Duration,
    /// From the first login that moved on to the last. With more logins than processors this is the scheduler's.
    pub spread: Duration,
}

impl RushResult {
    /// How many were let in.
    #[must_use]
    pub fn passed(&self) -> usize {
        self.outcomes.iter().filter(|o| o.passed()).count()
    }

    /// How many ended their auth phase with this code.
    #[must_use]
    pub fn count(&self, auth: crate::Code) -> usize {
        self.outcomes.iter().filter(|o| o.auth == auth).count()
    }
}

impl Rush {
    /// Opens all of them and waits until each stands at its first code prompt (or has ended).
    #[must_use]
    pub fn open<'a>(logins: impl IntoIterator<Item = &'a Login>) -> Self {
        let mut held: Vec<Held> = logins.into_iter().map(Held::open).collect();
        held.iter_mut().for_each(Held::settle);
        Self { held }
    }

    /// How many stand at a prompt.
    #[must_use]
    pub fn at_prompt(&self) -> usize {
        self.held.iter().filter(|h| !h.ended()).count()
    }

    /// Lets all answers go at once. `answer(i)` is what login `i` types; at any further prompt the person hangs up.
    pub fn release<R: Into<Reply>>(mut self, mut answer: impl FnMut(usize) -> R) -> RushResult {
        let threads = self.held.iter().filter(|h| !h.ended() && matches!(h.line, Line::Thread(_))).count();
        let gate = Gate::new();
        let lock = tempfile::NamedTempFile::new().expect("a lock file");
        lock.as_file().lock().expect("our own file");
        for (i, held) in self.held.iter_mut().enumerate().filter(|(_, h)| !h.ended()) {
            let reply = answer(i).into();
            held.turn = None;
            match &mut held.line {
                Line::Thread(sender) => sender
                    .send(Answer { reply, gate: Some(gate.clone()) })
                    .expect("the login thread waits for its answer"),
                Line::Program(program) => {
                    program.answer(reply, Some(lock.path()));
                    // It says so just before it asks for the lock.
                    assert!(matches!(held.next_event(), Event::AtGate), "a program waits at the gate");
                }
            }
        }
        gate.wait_for(threads);
        let began = Instant::now();
        gate.open();
        lock.as_file().unlock().expect("our own file");
        let released_in = began.elapsed();
        let outcomes = self.held.into_iter().map(Held::finish).collect();
        let left_at = gate.left_at();
        let spread = match (left_at.iter().min(), left_at.iter().max()) {
            (Some(first), Some(last)) => *last - *first,
            _ => released_in,
        };
        RushResult { outcomes, released_in, spread }
    }
}
