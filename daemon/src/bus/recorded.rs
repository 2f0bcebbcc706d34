//! The record of acts begins here: every call on an interface runs in the scope of a [`Deed`]. So does
//! fairness: nobody but root has more than a few of them open.

use super::error::Refusal;
use super::fairness::Open;
use super::gate::{READS, caller};
use crate::act::{self, Deed};
use crate::clock::Clock;
use crate::error::Error;
use std::collections::HashMap;
use std::fmt::Write;
use zbus::message::{Header, Message};
use zbus::names::{InterfaceName, MemberName};
use zbus::object_server::{DispatchResult, Interface, SignalEmitter};
use zbus::{BoxDBusError, Connection, ObjectServer, OwnedVariant, Variant, fdo};

/// Calls that one uid may have open at a time.
const OPEN_OF_ONE: u32 = 4;

/// An interface whose calls are recorded.
pub(super) struct Recorded<I> {
    calls: I,
    clock: Clock,
    open: Open,
}

impl<I> Recorded<I> {
    pub(super) fn new(calls: I, clock: Clock) -> Self {
        Self { calls, clock, open: Open::at_most(OPEN_OF_ONE, u32::MAX) }
    }
}

#[async_trait::async_trait]
impl<I: Interface> Interface for Recorded<I> {
    fn name() -> InterfaceName<'static> {
        I::name()
    }

    fn spawn_tasks_for_methods(&self) -> bool {
        self.calls.spawn_tasks_for_methods()
    }

    async fn get(
        &self,
        property: &str,
        server: &ObjectServer,
        bus: &Connection,
        header: Option<&Header<'_>>,
        emitter: &SignalEmitter<'_>,
    ) -> Option<Result<OwnedVariant, BoxDBusError>> {
        self.calls.get(property, server, bus, header, emitter).await
    }

    async fn get_all(
        &self,
        server: &ObjectServer,
        bus: &Connection,
        header: Option<&Header<'_>>,
        emitter: &SignalEmitter<'_>,
    ) -> fdo::Result<HashMap<String, OwnedVariant>> {
        self.calls.get_all(server, bus, header, emitter).await
    }

    async fn set_mut(
        &mut self,
        property: &str,
        value: &Variant<'_>,
        server: &ObjectServer,
        bus: &Connection,
        header: Option<&Header<'_>>,
        emitter: &SignalEmitter<'_>,
    ) -> Option<Result<(), BoxDBusError>> {
        self.calls.set_mut(property, value, server, bus, header, emitter).await
    }

    fn call<'call>(
        &'call self,
        server: &'call ObjectServer,
        bus: &'call Connection,
        message: &'call Message,
        member: MemberName<'call>,
    ) -> DispatchResult<'call> {
        let deed = Deed {
            verb: member.as_str().to_owned(),
            acts: !READS.contains(&member.as_str()),
            // A clock that the kernel refuses fails the call soon after.
            at: self.clock.now().map_or(0, |now| now.wall),
            ..Deed::default()
        };
        match self.calls.call(server, bus, message, member) {
            DispatchResult::Async(call) => DispatchResult::Async(Box::pin(async move {
                let refuse = |e: Error| -> BoxDBusError { Box::new(Refusal::from(e)) };
                let uid = caller(bus, &message.header()).await.map_err(refuse)?;
                let open = if uid == 0 { None } else { self.open.one(uid) };
                if uid != 0 && open.is_none() {
                    return Err(refuse(Error::Busy(
                        "too many calls of yours are open; wait for them".into(),
                    )));
                }
                act::scope(Deed { actor: uid, ..deed }, call).await
            })),
            other => other,
        }
    }

    fn call_mut<'call>(
        &'call mut self,
        _server: &'call ObjectServer,
        _bus: &'call Connection,
        _message: &'call Message,
        _member: MemberName<'call>,
    ) -> DispatchResult<'call> {
        // No method of ours changes the interface itself.
        DispatchResult::NotFound
    }

    fn introspect_to_writer(&self, writer: &mut dyn Write, level: usize) {
        self.calls.introspect_to_writer(writer, level);
    }
}
