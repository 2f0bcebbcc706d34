//! libpam as an application sees it: the only unsafe code of this program.

#![allow(unsafe_code, reason = "libpam is a C library")]

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::os::unix::ffi::OsStrExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::ptr;

/// Asked with hidden input.
pub(crate) const HIDDEN: c_int = 1;
/// Asked with visible input.
pub(crate) const VISIBLE: c_int = 2;

const SUCCESS: c_int = 0;
const BUF_ERR: c_int = 5;
const CONV_ERR: c_int = 19;
const RUSER: c_int = 8;
const FAIL_DELAY: c_int = 10;
/// As sshd does for a login that never enters the auth phase; our account line then asks the daemon.
const AFTER_KEY: &CStr = c"SSH_AUTH_INFO_0=";

/// What is walked through.
#[derive(Clone, Copy)]
pub(crate) enum Phase {
    /// `pam_authenticate`.
    Auth,
    /// `pam_acct_mgmt`, as after a login by key.
    Account,
}

/// One message of a module.
pub(crate) struct Shown {
    pub(crate) style: c_int,
    pub(crate) text: String,
}

#[repr(C)]
struct PamMessage {
    style: c_int,
    text: *const c_char,
}

#[repr(C)]
struct PamResponse {
    text: *mut c_char,
    unused: c_int,
}

type ConvFn =
    unsafe extern "C" fn(c_int, *const *const PamMessage, *mut *mut PamResponse, *mut c_void) -> c_int;

#[repr(C)]
struct PamConv {
    conv: ConvFn,
    appdata: *mut c_void,
}

#[repr(C)]
struct PamHandle {
    _opaque: [u8; 0],
}

#[link(name = "pam")]
unsafe extern "C" {
    fn pam_start_confdir(
        service: *const c_char,
        user: *const c_char,
        conv: *const PamConv,
        confdir: *const c_char,
        handle: *mut *mut PamHandle,
    ) -> c_int;
    fn pam_end(handle: *mut PamHandle, status: c_int) -> c_int;
    fn pam_authenticate(handle: *mut PamHandle, flags: c_int) -> c_int;
    fn pam_acct_mgmt(handle: *mut PamHandle, flags: c_int) -> c_int;
    fn pam_set_item(handle: *mut PamHandle, item: c_int, value: *const c_void) -> c_int;
    fn pam_putenv(handle: *mut PamHandle, pair: *const c_char) -> c_int;
}

unsafe extern "C" {
    fn calloc(count: usize, size: usize) -> *mut c_void;
    fn strdup(text: *const c_char) -> *mut c_char;
}

/// What answers; its address is the `appdata_ptr` of the conversation.
struct Desk<'a> {
    answer: &'a mut dyn FnMut(&Shown) -> &'static str,
}

/// Walks through the stack `folder/service` as `user`; gives libpam's return code. Nothing sleeps.
pub(crate) fn walk(
    folder: &Path,
    service: &str,
    user: &str,
    phase: Phase,
    mut answer: impl FnMut(&Shown) -> &'static str,
) -> c_int {
    let folder = CString::new(folder.as_os_str().as_bytes());
    let (Ok(folder), Ok(service), Ok(user)) = (folder, CString::new(service), CString::new(user)) else {
        return BUF_ERR;
    };
    let mut desk = Desk { answer: &mut answer };
    let conv = PamConv { conv: converse, appdata: (&raw mut desk).cast() };
    let mut handle = ptr::null_mut();
    // SAFETY: every pointer is a live C string; libpam copies `conv` and the strings, and `desk` outlives the
    // handle, which `pam_end` closes below.
    let rc = unsafe {
        pam_start_confdir(service.as_ptr(), user.as_ptr(), &raw const conv, folder.as_ptr(), &raw mut handle)
    };
    if rc != SUCCESS {
        return rc;
    }
    // SAFETY: the handle is live; the item is a C string that libpam copies.
    let rc = unsafe { pam_set_item(handle, RUSER, c"root".as_ptr().cast()) };
    debug_assert_eq!(rc, SUCCESS);
    let hook = no_delay as *const () as *const c_void;
    // SAFETY: the handle is live and PAM_FAIL_DELAY takes a function pointer of this signature.
    let rc = unsafe { pam_set_item(handle, FAIL_DELAY, hook) };
    debug_assert_eq!(rc, SUCCESS);
    let rc = match phase {
        // SAFETY: the handle is live.
        Phase::Auth => unsafe { pam_authenticate(handle, 0) },
        Phase::Account => {
            // SAFETY: the handle is live and libpam copies the string.
            let rc = unsafe { pam_putenv(handle, AFTER_KEY.as_ptr()) };
            debug_assert_eq!(rc, SUCCESS);
            // SAFETY: the handle is live.
            unsafe { pam_acct_mgmt(handle, 0) }
        }
    };
    // SAFETY: the handle is live and not used again.
    unsafe { pam_end(handle, rc) };
    rc
}

/// Stands in for libpam's sleep after a refusal.
extern "C" fn no_delay(_retval: c_int, _usec: c_uint, _appdata: *mut c_void) {}

unsafe extern "C" fn converse(
    count: c_int,
    messages: *const *const PamMessage,
    responses: *mut *mut PamResponse,
    appdata: *mut c_void,
) -> c_int {
    let answered = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: libpam passes the arguments of the contract of pam_conv(3).
        unsafe { answer_all(count, messages, responses, appdata) }
    }));
    answered.unwrap_or(CONV_ERR)
}

/// # Safety
/// The arguments are those of a `pam_conv(3)` call, `appdata` the desk of a live transaction.
unsafe fn answer_all(
    count: c_int,
    messages: *const *const PamMessage,
    responses: *mut *mut PamResponse,
    appdata: *mut c_void,
) -> c_int {
    let Some(count) = usize::try_from(count).ok().filter(|&n| n > 0) else { return CONV_ERR };
    // SAFETY: `messages` has `count` entries (the Linux-PAM layout: an array of pointers).
    let messages = unsafe { std::slice::from_raw_parts(messages, count) };
    // SAFETY: calloc of a plain C array; ownership goes to the module that asked, which frees it.
    let array = unsafe { calloc(count, size_of::<PamResponse>()) }.cast::<PamResponse>();
    if array.is_null() {
        return BUF_ERR;
    }
    // SAFETY: `count` entries, zeroed, and nobody else has them yet.
    let entries = unsafe { std::slice::from_raw_parts_mut(array, count) };
    // SAFETY: the desk is live, and only this call uses it now.
    let desk = unsafe { &mut *appdata.cast::<Desk<'_>>() };
    for (&message, entry) in messages.iter().zip(entries) {
        // SAFETY: each entry is a live message.
        let message = unsafe { &*message };
        let text = if message.text.is_null() {
            String::new()
        } else {
            // SAFETY: the text of a message is a C string or null.
            unsafe { CStr::from_ptr(message.text) }.to_string_lossy().into_owned()
        };
        let reply = (desk.answer)(&Shown { style: message.style, text });
        if matches!(message.style, HIDDEN | VISIBLE) {
            let Ok(reply) = CString::new(reply) else { return CONV_ERR };
            // SAFETY: `reply` is a live C string; the copy is the module's.
            entry.text = unsafe { strdup(reply.as_ptr()) };
        }
    }
    // SAFETY: `responses` is where the module waits for its array.
    unsafe { *responses = array };
    SUCCESS
}
