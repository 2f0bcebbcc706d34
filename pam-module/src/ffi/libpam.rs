//! What pam-bindings does not offer of libpam, behind safe functions.

use std::{
    ffi::{CStr, c_char, c_int, c_uint, c_void},
    ptr,
};

use pam::{
    constants::PamResultCode,
    items::{AuthTok, Item, RHost, RUser, Service, Tty, User},
    module::PamHandle,
};

use super::process;
use crate::{claims::Items, login::Answer, record::Record};

/// `PAM_CONV` (_pam_types.h).
pub(super) const PAM_CONV: c_int = 5;
/// `PAM_AUTHTOK` (_pam_types.h).
const PAM_AUTHTOK: c_int = 6;

/// The name of our PAM data. The version is in it because the data's layout is that of one build:
/// two builds in one transaction must not read each other's.
const DATA_KEY: &str = concat!("pam_countersign/", env!("CARGO_PKG_VERSION"));

#[link(name = "pam")]
unsafe extern "C" {
    pub(super) fn pam_get_item(handle: *const PamHandle, item: c_int, value: *mut *const c_void) -> c_int;
    fn pam_set_item(handle: *mut PamHandle, item: c_int, value: *const c_void) -> c_int;
    fn pam_getenv(handle: *mut PamHandle, name: *const c_char) -> *const c_char;
    fn pam_fail_delay(handle: *mut PamHandle, microseconds: c_uint) -> c_int;
}

/// Reads every item that a login is told by. The user is asked for where the host set none.
///
/// # Errors
///
/// libpam's code when there is no user; a name that is not UTF-8 is no error here.
pub(super) fn items(handle: &mut PamHandle) -> Result<Items, PamResultCode> {
    // pam-bindings refuses names that are not UTF-8; the item itself is taken as bytes below.
    let asked = handle.get_user(None).map(drop);
    let Some(user) = bytes::<User<'_>>(handle) else {
        return Err(asked.err().unwrap_or(PamResultCode::PAM_SYSTEM_ERR));
    };
    Ok(Items { user, ..items_without_user(handle) })
}

/// Reads the items that need no conversation.
pub(super) fn items_without_user(handle: &mut PamHandle) -> Items {
    Items {
        user: bytes::<User<'_>>(handle).unwrap_or_default(),
        ruser: bytes::<RUser<'_>>(handle).unwrap_or_default(),
        service: bytes::<Service<'_>>(handle).unwrap_or_default(),
        rhost: bytes::<RHost<'_>>(handle).unwrap_or_default(),
        tty: bytes::<Tty<'_>>(handle).unwrap_or_default(),
        ssh_auth_info: variable(handle, c"SSH_AUTH_INFO_0"),
        program: process::program(),
    }
}

/// The service, for a log that must exist before anything can fail.
pub(super) fn service(handle: &PamHandle) -> Vec<u8> {
    bytes::<Service<'_>>(handle).unwrap_or_default()
}

fn bytes<'a, T>(handle: &'a PamHandle) -> Option<Vec<u8>>
where
    T: Item<'a> + std::ops::Deref<Target = &'a CStr>,
{
    let item: T = handle.get_item().ok()??;
    Some(item.to_bytes().to_vec())
}

/// A variable of the PAM environment. Never of the process: in `su` that is the attacker's.
fn variable(handle: &mut PamHandle, name: &CStr) -> Option<Vec<u8>> {
    // SAFETY: the handle is libpam's own, and `name` ends with a NUL.
    let value = unsafe { pam_getenv(ptr::from_mut(handle), name.as_ptr()) };
    if value.is_null() {
        return None;
    }
    // SAFETY: libpam gives a string that ends with a NUL and stays until the environment changes,
    // which nobody does while we copy it.
    Some(unsafe { CStr::from_ptr(value) }.to_bytes().to_vec())
}

/// Makes libpam wait before it reports a refusal. It does so once, after the whole stack.
pub(super) fn delay_refusal(handle: &mut PamHandle, microseconds: c_uint) {
    // SAFETY: the handle is libpam's own. A refusal without delay is still a refusal, so the
    // result does not matter.
    unsafe { pam_fail_delay(ptr::from_mut(handle), microseconds) };
}

/// Whether `answer` is the password that an earlier module has stored.
pub(super) fn is_password(handle: &PamHandle, answer: &Answer) -> bool {
    matches!(handle.get_item::<AuthTok<'_>>(), Ok(Some(password)) if password.as_bytes() == answer.as_bytes())
}

/// Stores a password for the modules after us; libpam copies it, and wipes its copy.
pub(super) fn store_password(handle: &mut PamHandle, password: &Answer) -> bool {
    let mut text = zeroize::Zeroizing::new(Vec::with_capacity(password.as_bytes().len() + 1));
    text.extend_from_slice(password.as_bytes());
    text.push(0);
    // SAFETY: the handle is libpam's own, and `text` ends with a NUL.
    let result = unsafe { pam_set_item(ptr::from_mut(handle), PAM_AUTHTOK, text.as_ptr().cast()) };
    result == PamResultCode::PAM_SUCCESS as c_int
}

/// Keeps a record for the account phase, in place of any earlier one.
pub(super) fn store_record(handle: &mut PamHandle, record: Record) -> Result<(), PamResultCode> {
    handle.set_data(DATA_KEY, Box::new(record))
}

/// The record of the auth phase of this transaction, where there was one.
pub(super) fn record(handle: &PamHandle) -> Option<&Record> {
    // SAFETY: only `store_record` stores under this key, and it stores a `Record` of this build.
    unsafe { handle.get_data::<Record>(DATA_KEY) }.ok()
}
