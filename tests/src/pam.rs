//! libpam as an application sees it: the only unsafe code of the harness.

#![allow(unsafe_code, reason = "libpam is a C library")]

use crate::code::Code;
use crate::talk::{Reply, Shown, Style};
use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::ptr;

/// Items of `pam_set_item(3)` that an application may set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
#[allow(missing_docs, reason = "the names of <security/_pam_types.h>")]
pub enum Item {
    Service = 1,
    User = 2,
    Tty = 3,
    Rhost = 4,
    Ruser = 8,
    UserPrompt = 9,
    Xdisplay = 11,
}

const PAM_FAIL_DELAY: c_int = 10;

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
    fn pam_setcred(handle: *mut PamHandle, flags: c_int) -> c_int;
    fn pam_open_session(handle: *mut PamHandle, flags: c_int) -> c_int;
    fn pam_close_session(handle: *mut PamHandle, flags: c_int) -> c_int;
    fn pam_chauthtok(handle: *mut PamHandle, flags: c_int) -> c_int;
    fn pam_set_item(handle: *mut PamHandle, item: c_int, value: *const c_void) -> c_int;
    fn pam_putenv(handle: *mut PamHandle, pair: *const c_char) -> c_int;
}

/// What the conversation and the delay hook share; its address is the `appdata_ptr`.
struct Desk<'a> {
    talk: &'a mut dyn FnMut(&Shown) -> Reply,
    shown: Vec<Shown>,
    delay_usec: u32,
}

/// One PAM transaction, `pam_start_confdir(3)` to `pam_end(3)`.
///
/// A refusal does not sleep: the delay that modules ask for is recorded instead.
pub struct Transaction<'a> {
    handle: *mut PamHandle,
    desk: *mut Desk<'a>,
    last: Code,
}

impl<'a> Transaction<'a> {
    /// Opens a transaction on the stack `confdir/service`. `None` as user leaves the question to the modules.
    ///
    /// # Errors
    /// The code of `pam_start_confdir`.
    ///
    /// # Panics
    /// When a name holds a NUL byte, which no PAM application can express.
    pub fn start(
        confdir: &Path,
        service: &str,
        user: Option<&[u8]>,
        talk: &'a mut dyn FnMut(&Shown) -> Reply,
    ) -> Result<Self, Code> {
        let desk = Box::into_raw(Box::new(Desk { talk, shown: Vec::new(), delay_usec: 0 }));
        let conv = PamConv { conv: converse, appdata: desk.cast() };
        let confdir = c_string(confdir.to_str().expect("confdir is UTF-8").as_bytes());
        let service = c_string(service.as_bytes());
        let user = user.map(c_string);
        let user_ptr = user.as_ref().map_or(ptr::null(), |u| u.as_ptr());
        let mut handle = ptr::null_mut();
        // SAFETY: every pointer is a live C string or null where allowed; libpam copies `conv` and the strings,
        // and `desk` lives until `drop`, after `pam_end`.
        let rc = unsafe {
            pam_start_confdir(service.as_ptr(), user_ptr, &raw const conv, confdir.as_ptr(), &raw mut handle)
        };
        if rc != 0 {
            // SAFETY: `desk` came from Box::into_raw above and libpam holds no handle that could use it.
            drop(unsafe { Box::from_raw(desk) });
            return Err(Code(rc));
        }
        let hook = note_delay as *const () as *const c_void;
        // SAFETY: the handle is live and PAM_FAIL_DELAY takes a function pointer of this signature.
        let rc = unsafe { pam_set_item(handle, PAM_FAIL_DELAY, hook) };
        assert_eq!(rc, 0, "libpam takes no PAM_FAIL_DELAY hook");
        Ok(Self { handle, desk, last: Code::SUCCESS })
    }

    /// `pam_authenticate(3)`.
    pub fn authenticate(&mut self) -> Code {
        // SAFETY: the handle is live until drop.
        self.note(unsafe { pam_authenticate(self.handle, 0) })
    }

    /// `pam_acct_mgmt(3)`.
    pub fn account(&mut self) -> Code {
        // SAFETY: the handle is live until drop.
        self.note(unsafe { pam_acct_mgmt(self.handle, 0) })
    }

    /// `pam_setcred(3)` with `PAM_ESTABLISH_CRED`.
    pub fn setcred(&mut self) -> Code {
        // SAFETY: the handle is live until drop.
        self.note(unsafe { pam_setcred(self.handle, 0x2) })
    }

    /// `pam_open_session(3)`.
    pub fn open_session(&mut self) -> Code {
        // SAFETY: the handle is live until drop.
        self.note(unsafe { pam_open_session(self.handle, 0) })
    }

    /// `pam_close_session(3)`.
    pub fn close_session(&mut self) -> Code {
        // SAFETY: the handle is live until drop.
        self.note(unsafe { pam_close_session(self.handle, 0) })
    }

    /// `pam_chauthtok(3)`.
    pub fn change_password(&mut self) -> Code {
        // SAFETY: the handle is live until drop.
        self.note(unsafe { pam_chauthtok(self.handle, 0) })
    }

    /// `pam_set_item(3)` for a text item.
    pub fn set_item(&mut self, item: Item, value: &[u8]) -> Code {
        let value = c_string(value);
        // SAFETY: the handle is live and libpam copies the string.
        Code(unsafe { pam_set_item(self.handle, item as c_int, value.as_ptr().cast()) })
    }

    /// `pam_putenv(3)`: `name` set to `value` in the PAM environment, empty included.
    pub fn put_env(&mut self, name: &str, value: &str) -> Code {
        let pair = c_string(format!("{name}={value}").as_bytes());
        // SAFETY: the handle is live and libpam copies the string.
        Code(unsafe { pam_putenv(self.handle, pair.as_ptr()) })
    }

    /// Everything the modules showed, in order.
    #[must_use]
    pub fn shown(&self) -> Vec<Shown> {
        // SAFETY: `desk` is live, and no PAM call (the other user of it) is running now.
        unsafe { &*self.desk }.shown.clone()
    }

    /// The delay that the modules asked for on refusal, in microseconds, as libpam spread it.
    #[must_use]
    pub fn delay_usec(&self) -> u32 {
        // SAFETY: as in `shown`.
        unsafe { &*self.desk }.delay_usec
    }

    fn note(&mut self, rc: c_int) -> Code {
        self.last = Code(rc);
        self.last
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        // SAFETY: the handle is live and not used again.
        unsafe { pam_end(self.handle, self.last.0) };
        // SAFETY: `desk` came from Box::into_raw, and libpam has let go of it.
        drop(unsafe { Box::from_raw(self.desk) });
    }
}

fn c_string(bytes: &[u8]) -> CString {
    CString::new(bytes).expect("no NUL byte in what a PAM application passes")
}

/// Stands in for libpam's sleep after a refusal.
unsafe extern "C" fn note_delay(_retval: c_int, usec: c_uint, appdata: *mut c_void) {
    // SAFETY: libpam passes back the appdata of `start`, and no reference to the desk is alive here.
    if let Some(desk) = unsafe { appdata.cast::<Desk<'_>>().as_mut() } {
        desk.delay_usec = desk.delay_usec.max(usec);
    }
}

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
    answered.unwrap_or(Code::CONV_ERR).0
}

/// # Safety
/// The arguments are those of a `pam_conv(3)` call, `appdata` the desk of a live transaction.
unsafe fn answer_all(
    count: c_int,
    messages: *const *const PamMessage,
    responses: *mut *mut PamResponse,
    appdata: *mut c_void,
) -> Code {
    let Some(count) = usize::try_from(count).ok().filter(|&n| n > 0) else { return Code::CONV_ERR };
    // SAFETY: `messages` has `count` entries (the Linux-PAM layout: an array of pointers).
    let messages = unsafe { std::slice::from_raw_parts(messages, count) };
    // SAFETY: calloc of a plain C array; ownership goes to the module that asked, which frees it.
    let array = unsafe { libc::calloc(count, size_of::<PamResponse>()) }.cast::<PamResponse>();
    assert!(!array.is_null(), "out of memory");
    // SAFETY: `count` entries, zeroed, and nobody else has them yet.
    let entries = unsafe { std::slice::from_raw_parts_mut(array, count) };
    for (&message, entry) in messages.iter().zip(&mut *entries) {
        // SAFETY: each entry is a live message whose text is a C string or null.
        let shown = unsafe { read_message(message) };
        // SAFETY: the desk is live, and only this call uses it now.
        let desk = unsafe { &mut *appdata.cast::<Desk<'_>>() };
        desk.shown.push(shown.clone());
        let reply = if shown.style.asks() { (desk.talk)(&shown) } else { desk.note_message(&shown) };
        entry.text = match reply {
            Reply::Text(bytes) => duplicate(&bytes),
            Reply::Null => ptr::null_mut(),
            Reply::Refuse(code) => {
                free_texts(entries);
                // SAFETY: from calloc, and not handed out.
                unsafe { libc::free(array.cast()) };
                return code;
            }
        };
    }
    // SAFETY: `responses` is where the module waits for its array.
    unsafe { *responses = array };
    Code::SUCCESS
}

impl Desk<'_> {
    /// A message has no answer: the talk hears of it only by its style.
    fn note_message(&mut self, shown: &Shown) -> Reply {
        match (self.talk)(shown) {
            Reply::Refuse(code) => Reply::Refuse(code),
            Reply::Text(_) | Reply::Null => Reply::Null,
        }
    }
}

/// # Safety
/// `message` points to a live message whose text is a C string or null.
unsafe fn read_message(message: *const PamMessage) -> Shown {
    // SAFETY: by the contract above.
    let message = unsafe { &*message };
    let text = if message.text.is_null() {
        Vec::new()
    } else {
        // SAFETY: by the contract above.
        unsafe { CStr::from_ptr(message.text) }.to_bytes().to_vec()
    };
    Shown { style: Style::from_number(message.style), text: String::from_utf8_lossy(&text).into_owned() }
}

/// A C string on the C heap, which the asking module frees.
fn duplicate(bytes: &[u8]) -> *mut c_char {
    let text = c_string(bytes);
    // SAFETY: `text` is a live C string.
    unsafe { libc::strdup(text.as_ptr()) }
}

fn free_texts(entries: &mut [PamResponse]) {
    for entry in entries {
        let text = std::mem::replace(&mut entry.text, ptr::null_mut());
        // SAFETY: null, or from `duplicate`, and no longer reachable.
        unsafe { libc::free(text.cast()) };
    }
}
