//! Who is measured: ours, the rivals, PAM alone, the floor.

use crate::codes::Codes;
use crate::floor::{self, Floor};
use crate::ours::Ours;
use crate::people;
use crate::rivals::{Kind, Rival, SERVICE};
use crate::sample::{self, Timed};
use countersign_tests::scratch::Scratch;
use countersign_tests::{Stack, World};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

/// How one login is made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Route {
    /// A PAM stack; with the account phase or without.
    Stack { confdir: PathBuf, service: String, account: bool },
    /// A bare exchange over the bus on this socket.
    Exchange { socket: PathBuf, question: Vec<u8> },
}

impl Route {
    /// One login, or one exchange.
    pub(crate) fn go(&self, user: &str, code: &str) -> Timed {
        match self {
            Self::Stack { confdir, service, account } => {
                sample::login(confdir, service, user, code, *account)
            }
            Self::Exchange { socket, question } => {
                let took = floor::exchange(socket, question);
                Timed::of_exchange(took.as_ref().copied().unwrap_or(Duration::ZERO), took.is_ok())
            }
        }
    }

    /// Keeps what it needs loaded.
    pub(crate) fn keep_loaded(&self) {
        if let Self::Stack { confdir, service, .. } = self {
            sample::keep_loaded(confdir, service);
        }
    }
}

/// One line of every table.
pub(crate) struct Player {
    pub(crate) label: &'static str,
    pub(crate) role: Role,
    pub(crate) route: Route,
    pub(crate) stack: Option<Rc<Stack>>,
    pub(crate) codes: Rc<RefCell<Codes>>,
}

/// What a player is compared as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Our auth phase: Begin, Respond, one durable commit.
    Ours,
    /// The same and Confirm.
    OursWithAccount,
    Google,
    Oath,
    /// pam_oath with a file so large that it answers a few logins a second.
    LargeOath,
    Permit,
    /// One exchange over the bus and one durable commit.
    Floor,
    /// One exchange over the bus.
    Exchange,
}

impl Player {
    /// Logs the next person in.
    pub(crate) fn turn(&self) -> Timed {
        self.turn_of_somebody().1
    }

    /// Logs the next person in, and tells who it was.
    pub(crate) fn turn_of_somebody(&self) -> (usize, Timed) {
        let (person, code) = self.codes.borrow_mut().take();
        (person, self.route.go(&people::name(person), &code))
    }

    /// Logs the same person in again.
    pub(crate) fn turn_of(&self, person: usize) -> Timed {
        let code = self.codes.borrow_mut().take_of(person);
        self.route.go(&people::name(person), &code)
    }
}

/// All of them with what they stand on. Fields drop in this order.
pub(crate) struct Cast {
    pub(crate) players: Vec<Player>,
    rivals: Vec<Rival>,
    _floor: Floor,
    pub(crate) ours: Ours,
    _files: Scratch,
}

/// How many people our daemon has enrolled beside the largest file of pam_oath.
pub(crate) const ENROLLED: usize = 10_000;

impl Cast {
    pub(crate) fn gather(world: &World) -> Self {
        let files = Scratch::new("floor");
        let ours = Ours::start(world, people::ACTIVE, ENROLLED);
        let floor = Floor::start(&ours.bus, files.path());
        let codes = || Rc::new(RefCell::new(Codes::new(&people::keys())));
        let our_codes = codes();
        let our_route = |account| Route::Stack {
            confdir: ours.stack.dir().to_owned(),
            service: "cs".to_owned(),
            account,
        };
        let mut players = vec![
            Player {
                label: "countersign, auth phase",
                role: Role::Ours,
                route: our_route(false),
                stack: Some(Rc::clone(&ours.stack)),
                codes: Rc::clone(&our_codes),
            },
            Player {
                label: "countersign, auth and account",
                role: Role::OursWithAccount,
                route: our_route(true),
                stack: Some(Rc::clone(&ours.stack)),
                codes: our_codes,
            },
        ];
        let mut rivals = Vec::new();
        for (label, role, kind) in [
            ("pam_google_authenticator", Role::Google, Kind::Google),
            ("pam_oath, 1 user", Role::Oath, Kind::Oath(1)),
            ("pam_oath, 1,000 users", Role::Oath, Kind::Oath(1_000)),
            ("pam_oath, 10,000 users", Role::LargeOath, Kind::Oath(10_000)),
            ("PAM alone (pam_permit)", Role::Permit, Kind::Permit),
        ] {
            let rival = Rival::new(kind);
            let route = Route::Stack {
                confdir: rival.stack.dir().to_owned(),
                service: SERVICE.to_owned(),
                account: true,
            };
            let stack = Some(Rc::clone(&rival.stack));
            players.push(Player { label, role, route, stack, codes: codes() });
            rivals.push(rival);
        }
        for (label, role, commit) in [
            ("floor: exchange and commit", Role::Floor, true),
            ("an exchange without commit", Role::Exchange, false),
        ] {
            players.push(Player { label, role, route: floor.route(commit), stack: None, codes: codes() });
        }
        players.iter().for_each(|player| player.route.keep_loaded());
        Self { players, rivals, _floor: floor, ours, _files: files }
    }

    /// The player with this role.
    pub(crate) fn player(&self, role: Role) -> &Player {
        self.players.iter().find(|player| player.role == role).expect("every role is played")
    }

    /// Makes everybody forget which codes were used.
    pub(crate) fn forget_codes(&mut self) {
        self.ours.forget_codes();
        self.rivals.iter().for_each(Rival::forget_codes);
        for player in &self.players {
            player.codes.borrow_mut().forget();
        }
    }
}
