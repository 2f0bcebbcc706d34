//! `email preview`: what a letter looks like.

use countersign_protocol::manager::ManagerProxy;

use crate::cli::EmailPreview;
use crate::errors::Failure;
use crate::json;
use crate::output::Output;
use crate::terminal::Screen;
use crate::text::email as text;

pub(crate) async fn run(manager: &ManagerProxy<'_>, args: &EmailPreview) -> Result<(), Failure> {
    let policy = args.policy.as_deref().unwrap_or_default();
    let preview = manager.preview_email(policy, &args.template).await?;
    let mut out = Output::stdout();
    if args.json {
        out.line(&json::mail_preview(&args.template, &preview))?;
        return out.flush();
    }
    let screen = Screen::stdout();
    for line in text::above_preview(&preview) {
        out.line(&screen.show(&line))?;
    }
    out.line("")?;
    for line in preview.text.lines() {
        out.line(&screen.show(line))?;
    }
    out.flush()
}
