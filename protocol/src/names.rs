//! The names that hosts, packages and bus policies know us by.

/// The well-known bus name that the daemon owns.
pub const BUS_NAME: &str = "org.countersign1";
/// The one object the daemon exports.
pub const OBJECT_PATH: &str = "/org/countersign1";
/// What the PAM module calls.
pub const LOGIN_INTERFACE: &str = "org.countersign1.Login";
/// What `countersignctl` calls.
pub const MANAGER_INTERFACE: &str = "org.countersign1.Manager";
/// The system bus, compiled in: no environment variable can point a login elsewhere.
pub const SYSTEM_BUS_ADDRESS: &str = "unix:path=/run/dbus/system_bus_socket";
/// The service under which people show a factor of theirs to `countersignctl` before they change what
/// they have. Such a login asks whoever has a factor, whatever policy says.
pub const OWN_SERVICE: &str = "countersignctl";
/// The account the daemon runs as; the module checks the bus name's owner against its uid.
pub const DAEMON_USER: &str = "countersign";

/// The well-known bus name that the mailer owns.
pub const MAILER_BUS_NAME: &str = "org.countersign1.Mailer";
/// The one object the mailer exports.
pub const MAILER_PATH: &str = "/org/countersign1/Mailer";
/// What the daemon calls to have something mailed.
pub const MAILER_INTERFACE: &str = "org.countersign1.Mailer";
/// The account the mailer runs as.
pub const MAILER_USER: &str = "countersign-mail";

/// D-Bus error names. The text beside them is for people; the name is what programs match.
pub mod error {
    /// The caller may not do this.
    pub const NOT_AUTHORIZED: &str = "org.countersign1.Error.NotAuthorized";
    /// No such person, login or enrollment.
    pub const NOT_FOUND: &str = "org.countersign1.Error.NotFound";
    /// The login or enrollment was once valid and no longer is.
    pub const EXPIRED: &str = "org.countersign1.Error.Expired";
    /// Too much is in flight; try again.
    pub const BUSY: &str = "org.countersign1.Error.Busy";
    /// The daemon cannot decide (its store cannot be read or written).
    pub const UNAVAILABLE: &str = "org.countersign1.Error.Unavailable";
    /// An argument is malformed or the request makes no sense in the present state.
    pub const INVALID_ARGUMENT: &str = "org.countersign1.Error.InvalidArgument";
}
