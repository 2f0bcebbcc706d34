//! The record of acts begins here: every call on an interface runs in the scope of a [`Deed`].

use super::gate::READS;
use crate::act::{self, Deed};
use crate::clock::Clock;
use std::collections::HashMap;
use std::fmt::Write;
use zbus::message::{Header, Message};
use zbus::names::{InterfaceName, MemberName};
use zbus::object_server::{DispatchResult, Interface, SignalEmitter};
use zbus::{BoxDBusError, Connection, ObjectServer, OwnedVariant, Variant, fdo};

/// An interface whose calls are recorded.
pub(super) struct Recorded<I>(pub(super) I, pub(super) Clock);

#[async_trait::async_trait]
impl<I: Interface> Interface for Recorded<I> {
    fn name() -> InterfaceName<'static> {
        I::name()
    }

    fn spawn_tasks_for_methods(&self) -> bool {
        self.0.spawn_tasks_for_methods()
    }

    async fn get(
        &self,
        property: &str,
        server: &ObjectServer,
        bus: &Connection,
        header: Option<&Header<'_>>,
        emitter: &SignalEmitter<'_>,
    ) -> Option<Result<OwnedVariant, BoxDBusError>> {
        self.0.get(property, server, bus, header, emitter).await
    }

    async fn get_all(
        &self,
        server: &ObjectServer,
        bus: &Connection,
        header: Option<&Header<'_>>,
        emitter: &SignalEmitter<'_>,
    ) -> fdo::Result<HashMap<String, OwnedVariant>> {
        self.0.get_all(server, bus, header, emitter).await
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
        self.0.set_mut(property, value, server, bus, header, emitter).await
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
            at: self.1.now().map_or(0, |now| now.wall),
            ..Deed::default()
        };
        match self.0.call(server, bus, message, member) {
            DispatchResult::Async(call) => DispatchResult::Async(Box::pin(act::scope(deed, call))),
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
        self.0.introspect_to_writer(writer, level);
    }
}
