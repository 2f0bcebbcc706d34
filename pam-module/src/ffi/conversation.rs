//! Talking to the person through the host's conversation function (pam_conv(3)).

use std::{
    ffi::{CStr, CString, c_char, c_int, c_void},
    ptr, slice,
    time::Duration,
};

use pam::{constants::PamResultCode, module::PamHandle};
use zeroize::Zeroize;

use super::libpam;
use crate::{
    deadline::Stopwatch,
    login::{Answer, Message, Person, Prompt},
};

/// The delay before a refusal, in microseconds: as pam_unix has it.
const REFUSAL_DELAY: u32 = 2_000_000;

/// Styles of pam_conv(3).
const PROMPT_ECHO_OFF: c_int = 1;
const PROMPT_ECHO_ON: c_int = 2;
const ERROR_MSG: c_int = 3;
const TEXT_INFO: c_int = 4;

#[repr(C)]
struct RawMessage {
    style: c_int,
    text: *const c_char,
}

#[repr(C)]
struct RawResponse {
    text: *mut c_char,
    code: c_int,
}

type Converse =
    unsafe extern "C" fn(c_int, *const *const RawMessage, *mut *mut RawResponse, *mut c_void) -> c_int;

#[repr(C)]
struct RawConversation {
    converse: Option<Converse>,
    data: *mut c_void,
}

/// The person behind a PAM handle.
pub(super) struct Conversation<'a> {
    handle: &'a mut PamHandle,
    /// `PAM_SILENT` or `quiet`: no information, only prompts.
    silent: bool,
}

impl<'a> Conversation<'a> {
    pub(super) fn new(handle: &'a mut PamHandle, silent: bool) -> Self {
        Self { handle, silent }
    }

    /// One call of the host's function with all of `messages`. The answers, one for each message;
    /// `None` when the host says that it failed.
    fn call(&mut self, messages: &[(c_int, &str)]) -> Option<Vec<Option<Answer>>> {
        let texts: Vec<CString> =
            messages.iter().map(|(_, text)| CString::new(*text)).collect::<Result<_, _>>().ok()?;
        let raw: Vec<RawMessage> = messages
            .iter()
            .zip(&texts)
            .map(|((style, _), text)| RawMessage { style: *style, text: text.as_ptr() })
            .collect();
        // Linux-PAM reads an array of pointers, Solaris a pointer to an array; this is both.
        let pointers: Vec<*const RawMessage> = raw.iter().map(ptr::from_ref).collect();
        let count = c_int::try_from(pointers.len()).ok()?;
        let (converse, data) = self.function()?;
        let mut responses: *mut RawResponse = ptr::null_mut();
        // SAFETY: the function and its data are what the host registered for this handle; all
        // pointers outlive the call.
        let result = unsafe { converse(count, pointers.as_ptr(), &raw mut responses, data) };
        if result != PamResultCode::PAM_SUCCESS as c_int {
            // pam_conv(3): without success no response is ours to free.
            return None;
        }
        Some(take(responses, pointers.len()))
    }

    fn function(&self) -> Option<(Converse, *mut c_void)> {
        let mut item: *const c_void = ptr::null();
        // SAFETY: the handle is libpam's own and `item` a place for one pointer.
        let result =
            unsafe { libpam::pam_get_item(ptr::from_ref(self.handle), libpam::PAM_CONV, &raw mut item) };
        if result != PamResultCode::PAM_SUCCESS as c_int {
            return None;
        }
        // SAFETY: the item PAM_CONV is null or a `struct pam_conv` that lives with the handle.
        let conversation = unsafe { item.cast::<RawConversation>().as_ref() }?;
        Some((conversation.converse?, conversation.data))
    }
}

impl Person for Conversation<'_> {
    fn say(&mut self, messages: &[Message]) -> Duration {
        if self.silent || messages.is_empty() {
            return Duration::ZERO;
        }
        let watch = Stopwatch::start();
        let raw: Vec<(c_int, &str)> = messages
            .iter()
            .map(|message| (if message.is_error { ERROR_MSG } else { TEXT_INFO }, message.text.as_str()))
            .collect();
        // Many hosts answer information with nothing at all, or fail: neither refuses anybody.
        self.call(&raw);
        watch.elapsed()
    }

    fn ask(&mut self, prompt: &Prompt) -> (Option<Answer>, Duration) {
        let style = if prompt.echo { PROMPT_ECHO_ON } else { PROMPT_ECHO_OFF };
        let watch = Stopwatch::start();
        let answers = self.call(&[(style, &prompt.text)]);
        let answer = answers.and_then(|mut answers| answers.pop().flatten());
        (answer, watch.elapsed())
    }

    fn is_password(&self, answer: &Answer) -> bool {
        libpam::is_password(self.handle, answer)
    }

    fn forward_password(&mut self, password: &Answer) -> bool {
        libpam::store_password(self.handle, password)
    }

    fn delay_refusal(&mut self) {
        libpam::delay_refusal(self.handle, REFUSAL_DELAY);
    }
}

/// Copies the answers, wipes and frees what the host allocated.
fn take(responses: *mut RawResponse, count: usize) -> Vec<Option<Answer>> {
    if responses.is_null() {
        return Vec::new();
    }
    // SAFETY: on success a host gives an array with one response for each message (pam_conv(3)).
    let raw = unsafe { slice::from_raw_parts(responses, count) };
    let answers = raw.iter().map(|response| take_text(response.text)).collect();
    // SAFETY: the array came from malloc(3) and is ours; nothing refers to it any more.
    unsafe { libc::free(responses.cast()) };
    answers
}

fn take_text(text: *mut c_char) -> Option<Answer> {
    if text.is_null() {
        return None;
    }
    // SAFETY: the host gives a string that ends with a NUL.
    let len = unsafe { CStr::from_ptr(text) }.count_bytes();
    // SAFETY: those bytes are initialized, and since the call returned they are only ours.
    let bytes = unsafe { slice::from_raw_parts_mut(text.cast::<u8>(), len) };
    let answer = Answer::new(bytes.to_vec());
    bytes.zeroize();
    // SAFETY: the string came from malloc(3) and is ours; nothing refers to it any more.
    unsafe { libc::free(text.cast()) };
    Some(answer)
}
