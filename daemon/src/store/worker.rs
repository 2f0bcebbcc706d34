//! The thread that owns the database.
//!
//! It takes every use case of a login that waits, runs each in its own savepoint of one IMMEDIATE
//! transaction, commits once, and only then lets the replies go. After a failed commit nobody gets what
//! they asked for, and the connection is opened and proven anew.
//!
//! What belongs to administration waits for the logins (`turns.rs`).

use super::chain::{Added, Chain};
use super::files::{self, InPlace, Layout};
use super::instance::Instance;
use super::turns::{Places, Turn};
use super::{act, notice, schema};
use crate::clock::HighWater;
use crate::error::Error;
use crate::event;
use crate::meter::Meter;
use crate::seal::{INSTANCE_BYTES, Keys};
use rusqlite::Connection;
use std::collections::VecDeque;
use std::fs::File;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};

/// Use cases that may wait; one more is told to come back.
const QUEUE: usize = 1024;
/// Use cases that share one commit.
const BATCH: usize = 128;
/// Pages of the log at which SQLite folds it into the database, as it does by itself.
pub(super) const FOLDED_AT: i64 = 1000;

/// What a use case's commit must survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Durability {
    /// The death of the daemon: anything a person can simply do again.
    Kill,
    /// The loss of power: whatever lets someone in, charges a try, or changes a factor.
    Power,
}

type Reply = Box<dyn FnOnce(Result<(), &Error>) + Send>;

/// Runs a use case, or takes the reason why there is no usable database. Tells whether to keep
/// its work.
type Run = Box<dyn FnOnce(Result<&Connection, &Error>) -> (bool, Reply) + Send>;

/// Something that is done between transactions.
type Between = Box<dyn FnOnce(&mut Worker) + Send>;

enum Job {
    Case(Case),
    Between(Between),
}

struct Case {
    durability: Durability,
    run: Run,
    turn: Turn,
}

/// The handle that use cases are sent through.
#[derive(Debug, Clone)]
pub struct Store {
    queue: SyncSender<Job>,
    places: Places,
    noticed: Arc<Notify>,
}

/// Tells when the store's thread has closed the database, which it does when the last handle is gone.
#[derive(Debug)]
pub struct Closed(Receiver<()>);

impl Closed {
    /// Waits for it, but no longer than this.
    pub fn wait(&self, patience: Duration) {
        // Nothing is ever sent: the channel ends with the thread.
        let _ = self.0.recv_timeout(patience);
    }
}

impl Store {
    /// Opens the store of an installation and starts its thread.
    ///
    /// # Errors
    /// When any of key, instance file and database is missing, damaged, of another version, of
    /// another installation or rolled back, or when another daemon has it open.
    pub fn open(
        layout: Layout,
        expected: [u8; INSTANCE_BYTES],
        high_water: HighWater,
        meter: Arc<Meter>,
    ) -> Result<(Self, Closed), Error> {
        layout.check_state_dir()?;
        let mut instance = Instance::open(&layout.instance())?;
        if instance.id != expected {
            return Err(Error::unavailable(format!(
                "the key file {} belongs to another installation than {}; restore both from the same backup",
                layout.key.display(),
                layout.instance().display()
            )));
        }
        let session = Session::open(&layout, &mut instance, &high_water, None)?;
        let (queue, jobs) = sync_channel(QUEUE);
        let (open, closed) = channel();
        let noticed = Arc::new(Notify::new());
        let tell = Arc::clone(&noticed);
        let worker =
            Worker { layout, instance, high_water, keys: None, meter, session: Ok(session), noticed: tell };
        std::thread::Builder::new().name("store".into()).spawn(move || worker.serve(&jobs, open))?;
        Ok((Self { queue, places: Places::default(), noticed }, Closed(closed)))
    }

    /// Waits until a notice was committed, since the last time that this was waited for.
    pub async fn noticed(&self) {
        self.noticed.notified().await;
    }

    /// Runs one use case in a transaction and waits for the commit. What it changes as part of a call on
    /// the Manager interface is recorded.
    pub(super) async fn run<T, F>(&self, durability: Durability, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    {
        match crate::act::current() {
            Some(deed) => {
                let (done, changed) = self
                    .run_unrecorded(durability, move |db| {
                        let changes = db.total_changes();
                        let done = act::recorded(db, &deed, work)?;
                        Ok((done, db.total_changes() != changes))
                    })
                    .await?;
                if changed {
                    crate::act::recorded();
                }
                Ok(done)
            }
            None => self.run_unrecorded(durability, work).await,
        }
    }

    /// The same without a record.
    pub(super) async fn run_unrecorded<T, F>(&self, durability: Durability, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    {
        let turn = self.places.turn().await;
        self.send(durability, turn, work)?.await.map_err(|_| gave_no_answer())?
    }

    /// The same for threads that may wait: at the start of the daemon, and where files are read. Unrecorded.
    pub(super) fn run_blocking<T, F>(&self, durability: Durability, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    {
        let turn = Turn::Manager { _place: None };
        self.send(durability, turn, work)?.blocking_recv().map_err(|_| gave_no_answer())?
    }

    fn send<T, F>(
        &self,
        durability: Durability,
        turn: Turn,
        work: F,
    ) -> Result<oneshot::Receiver<Result<T, Error>>, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    {
        let (send, receive) = oneshot::channel();
        let run = move |database: Result<&Connection, &Error>| -> (bool, Reply) {
            let result = database.map_err(Clone::clone).and_then(work);
            let keep = result.is_ok();
            let reply: Reply = Box::new(move |commit| {
                // A caller that no longer waits is no error: the work is committed either way.
                let _ = send.send(commit.map_err(Clone::clone).and(result));
            });
            (keep, reply)
        };
        self.put(Job::Case(Case { durability, run: Box::new(run), turn }))?;
        Ok(receive)
    }

    /// Does something with the open database between two transactions, quickly: logins wait.
    pub(super) async fn between<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Session) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (send, receive) = oneshot::channel();
        self.put(Job::Between(Box::new(|worker| {
            let done = worker.ready().and_then(work);
            // A caller that no longer waits is no error.
            let _ = send.send(done);
        })))?;
        receive.await.map_err(|_| gave_no_answer())?
    }

    /// Takes the chains of the log up, once the keys are known. Nothing can be written before. Blocks.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn take_up_chain(&self, keys: Arc<Keys>) -> Result<(), Error> {
        let (send, receive) = oneshot::channel();
        self.put(Job::Between(Box::new(move |worker| {
            let done = match &mut worker.session {
                Ok(session) => session.take_up_chain(&keys, &worker.high_water),
                Err(e) => Err(e.clone()),
            };
            worker.keys = Some(keys);
            let _ = send.send(done);
        })))?;
        receive.blocking_recv().map_err(|_| gave_no_answer())?
    }

    /// The same where nobody waits for it.
    pub(super) fn between_unwatched(&self, work: impl FnOnce(&mut Session) + Send + 'static) {
        let job = Job::Between(Box::new(|worker| {
            if let Ok(session) = &mut worker.session {
                work(session);
            }
        }));
        // With a full queue or no thread, what it would do is done when the database is opened next.
        drop(self.put(job));
    }

    fn put(&self, job: Job) -> Result<(), Error> {
        self.queue.try_send(job).map_err(|e| match e {
            TrySendError::Full(_) => Error::Busy("too many logins wait for the database; try again".into()),
            TrySendError::Disconnected(_) => Error::unavailable("the database thread is gone"),
        })
    }
}

fn gave_no_answer() -> Error {
    Error::unavailable("the database gave no answer")
}

/// An open database.
pub(super) struct Session {
    pub(super) db: Connection,
    /// The same file for reading it past SQLite. Opened before the connection and closed after it: closing
    /// any descriptor of a file gives up all locks that the process has on it (fcntl(2)).
    pub(super) file: File,
    pub(super) files: InPlace,
    /// The generation that the file alone holds and keeps, while it is copied.
    pub(super) still: Option<i64>,
    synchronous: Option<Durability>,
    /// The latest wall clock that is in the database.
    high_water: i64,
    /// The last notice that the journal knows.
    noted: i64,
    /// The generation that it was opened with.
    generation: i64,
    /// `None` until the keys are known, which follow from what is in the database; nothing is written before.
    pub(super) chain: Option<Chain>,
}

impl Session {
    fn open(
        layout: &Layout,
        instance: &mut Instance,
        clock: &HighWater,
        keys: Option<&Keys>,
    ) -> Result<Self, Error> {
        let file = files::open_own(&layout.database(), false)?;
        let (db, generation) = schema::open(layout, instance)?;
        // We were killed between a commit and its note: catch up.
        if generation > instance.generation {
            instance.advance(generation)?;
        }
        // The file alone holds everything now, and is never behind this again. Where it cannot be
        // done (a full disk), the last such moment still counts.
        if schema::fold_log(&db).is_ok() {
            instance.settle(generation)?;
        }
        let high_water = db.query_row("SELECT high_water FROM meta", [], |r| r.get(0))?;
        clock.raise(high_water);
        let noted = notice::last(&db)?;
        let files = InPlace::new(layout.clone())?;
        let mut session = Self {
            db,
            file,
            files,
            still: None,
            synchronous: None,
            high_water,
            noted,
            generation,
            chain: None,
        };
        if let Some(keys) = keys {
            session.take_up_chain(keys, clock)?;
        }
        Ok(session)
    }

    fn take_up_chain(&mut self, keys: &Keys, clock: &HighWater) -> Result<(), Error> {
        self.chain = Some(Chain::open(&mut self.db, keys.chain_key(), self.generation, clock)?);
        Ok(())
    }

    /// Part of whatever transaction comes next, once a minute. Earlier than before is what an
    /// administrator accepted.
    fn keep_high_water(&mut self, latest: i64) -> Result<(), Error> {
        if latest >= self.high_water + HIGH_WATER_LAG || latest < self.high_water {
            self.db.prepare_cached("UPDATE meta SET high_water = ?1 WHERE id = 1")?.execute([latest])?;
            self.high_water = latest;
        }
        Ok(())
    }

    /// `synchronous` cannot change inside a transaction, so it is set between them.
    fn set_durability(&mut self, durability: Durability) -> Result<(), Error> {
        if self.synchronous != Some(durability) {
            let word = match durability {
                Durability::Kill => "NORMAL",
                Durability::Power => "FULL",
            };
            self.db.pragma_update(None, "synchronous", word)?;
            self.synchronous = Some(durability);
        }
        Ok(())
    }
}

/// Seconds by which the latest wall clock in the database may lag behind.
const HIGH_WATER_LAG: i64 = 60;

struct Worker {
    layout: Layout,
    instance: Instance,
    high_water: HighWater,
    keys: Option<Arc<Keys>>,
    meter: Arc<Meter>,
    session: Result<Session, Error>,
    noticed: Arc<Notify>,
}

impl Worker {
    /// Serves until the last handle is gone; `open` ends after the database is closed.
    fn serve(mut self, jobs: &Receiver<Job>, open: Sender<()>) {
        let mut waiting = VecDeque::new();
        loop {
            let mut batch = Vec::new();
            let mut between = Vec::new();
            let mut next = if waiting.is_empty() {
                let Ok(job) = jobs.recv() else { break };
                Some(job)
            } else {
                jobs.try_recv().ok()
            };
            while let Some(job) = next {
                match job {
                    Job::Case(case @ Case { turn: Turn::Manager { .. }, .. }) => waiting.push_back(case),
                    Job::Case(case) => batch.push(case),
                    Job::Between(work) => between.push(work),
                }
                next = if batch.len() < BATCH { jobs.try_recv().ok() } else { None };
            }
            if !batch.is_empty() {
                self.serve_batch(batch);
            }
            for work in between {
                work(&mut self);
            }
            if let Some(one) = waiting.pop_front() {
                self.serve_batch(vec![one]);
            }
        }
        drop(self);
        drop(open);
    }

    fn serve_batch(&mut self, batch: Vec<Case>) {
        let durability = batch.iter().map(|j| j.durability).max().unwrap_or(Durability::Power);
        let mut replies = Vec::with_capacity(batch.len());
        let outcome = self.transaction(durability, batch, &mut replies);
        if let Err(e) = &outcome {
            crate::journal::error("the store refuses", &[("error", e.text())]);
            self.session = Err(e.clone());
        }
        for reply in replies {
            reply(outcome.as_ref().map(|_| ()));
        }
    }

    /// The open database, opened anew where it was given up, if its files are still those on disk.
    fn ready(&mut self) -> Result<&mut Session, Error> {
        if self.session.is_err() {
            let keys = self.keys.as_deref();
            self.session = Session::open(&self.layout, &mut self.instance, &self.high_water, keys);
        }
        let session = self.session.as_mut().map_err(|e| e.clone())?;
        self.instance.check()?;
        session.files.check()?;
        Ok(session)
    }

    fn transaction(
        &mut self,
        durability: Durability,
        batch: Vec<Case>,
        replies: &mut Vec<Reply>,
    ) -> Result<(), Error> {
        let begun = self.ready().and_then(|s| {
            s.set_durability(durability)?;
            s.db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
            Ok(())
        });
        let Self { instance, session, high_water, meter, noticed, .. } = self;
        let session = match begun.and_then(|()| session.as_mut().map_err(|e| e.clone())) {
            Ok(session) => session,
            Err(e) => {
                replies.extend(batch.into_iter().map(|case| (case.run)(Err(&e)).1));
                return Err(e);
            }
        };
        let shared = batch.len() > 1;
        // What only reads goes on with a full disk, so nothing is added to it.
        let changes = session.db.total_changes();
        for case in batch {
            replies.push(run_one(&session.db, case, shared)?);
        }
        let changed = session.db.total_changes() != changes;
        let generation = instance.generation + i64::from(durability == Durability::Power);
        let mut added = Vec::new();
        if changed {
            session.keep_high_water(high_water.latest())?;
        }
        if changed || durability == Durability::Power {
            let chain =
                session.chain.as_mut().ok_or_else(|| Error::unavailable("the log is not open yet"))?;
            added = chain.seal(&session.db, generation)?;
        }
        commit(session, instance, durability)?;
        session.let_go_if_long();
        if changed && let Ok(last) = notice::to_journal(&session.db, session.noted) {
            if last > session.noted {
                noticed.notify_one();
            }
            session.noted = last;
        }
        added.iter().for_each(|one| tell(one, meter));
        Ok(())
    }
}

/// Says to the journal what a commit added to the log, and counts it. It never waits for the journal.
fn tell(added: &Added, meter: &Meter) {
    match added {
        Added::Login(login, caller, first, link) => {
            if event::login(login, *caller, *first, link) {
                meter.ended(login);
            }
        }
        Added::Act(act, link) => event::act(act, link),
    }
}

/// Runs one use case; an error of its own takes back its own work only.
fn run_one(db: &Connection, case: Case, shared: bool) -> Result<Reply, Error> {
    if shared {
        db.execute_batch("SAVEPOINT one")?;
    }
    let (keep, reply) = (case.run)(Ok(db));
    if db.is_autocommit() {
        // SQLite rolled the whole transaction back by itself (disk full, I/O error).
        reply(Err(&Error::unavailable("the database cannot be written")));
        return Err(Error::unavailable("the database cannot be written"));
    }
    match (shared, keep) {
        (true, true) => db.execute_batch("RELEASE one")?,
        (true, false) => db.execute_batch("ROLLBACK TO one; RELEASE one")?,
        (false, true) => {}
        (false, false) => db.execute_batch("ROLLBACK; BEGIN IMMEDIATE")?,
    }
    Ok(reply)
}

fn commit(session: &Session, instance: &mut Instance, durability: Durability) -> Result<(), Error> {
    let db = &session.db;
    let generation = instance.generation + 1;
    if durability == Durability::Power {
        db.prepare_cached("UPDATE meta SET generation = ?1 WHERE id = 1")?.execute([generation])?;
    }
    if let Err(e) = db.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([])) {
        let _ = db.execute_batch("ROLLBACK");
        return Err(e.into());
    }
    if durability == Durability::Power {
        instance.advance(generation)?;
    }
    Ok(())
}
