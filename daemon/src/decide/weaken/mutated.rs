//! INP-05: a file that was damaged is refused, or no less strict than it was, or said to be weaker.

use super::super::dice::Dice;
use super::random::{random_config, random_has, random_login, random_policies, was_there, ways};
use super::*;

/// Pieces that mean something to the reader.
const PIECES: [&str; 16] = [
    "#",
    "\"",
    "[",
    "]",
    "{",
    "}",
    "=",
    ",",
    "\n",
    "\\",
    "'''",
    "[[policy]]\n",
    "status = \"off\"\n",
    "name = \"x\"\n",
    "except = { users = [\"ann\"] }\n",
    "\u{202e}",
];

fn index(dice: &mut Dice, length: usize) -> usize {
    usize::try_from(dice.roll(length.max(1) as u64)).expect("fits")
}

/// One change, as an editor, a disk or a tired person makes it.
fn damaged(dice: &mut Dice, text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    let (one, other) = (index(dice, lines.len()), index(dice, lines.len()));
    match dice.roll(8) {
        0 => drop(lines.remove(one)),
        1 => lines.insert(one, lines[other]),
        2 => lines.swap(one, other),
        3 => lines.truncate(one.max(1)),
        4 => {
            let commented = format!("#{}", lines[one]);
            lines[one] = &commented;
            return lines.join("\n");
        }
        5 => return words_exchanged(dice, text),
        6 => {
            let at = (0..=index(dice, text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            return format!("{}{}{}", &text[..at], dice.pick(&PIECES), &text[at..]);
        }
        _ => {
            let mut bytes = text.as_bytes().to_vec();
            let at = index(dice, bytes.len());
            bytes[at] ^= 1 << dice.roll(7);
            return String::from_utf8_lossy(&bytes).into_owned();
        }
    }
    lines.join("\n")
}

/// One quoted word in the place of another.
fn words_exchanged(dice: &mut Dice, text: &str) -> String {
    let parts: Vec<&str> = text.split('"').collect();
    let quoted = parts.len() / 2;
    if quoted == 0 {
        return text.to_owned();
    }
    let (at, from) = (index(dice, quoted) * 2 + 1, index(dice, quoted) * 2 + 1);
    let mut parts = parts.clone();
    parts[at] = parts[from];
    parts.join("\"")
}

#[test]
fn inp_05_damage_is_refused_or_no_less_strict_or_told() {
    let mut dice = Dice(0x5bd1_e995_9e37_79b1);
    let (mut loaded, mut quiet_changes, mut losses) = (0, 0, 0);
    for _ in 0..1000 {
        let (text, old) = random_config(&mut dice, random_policies);
        for _ in 0..20 {
            let mut new_text = damaged(&mut dice, &text);
            if dice.roll(3) == 0 {
                new_text = damaged(&mut dice, &new_text);
            }
            let Ok(new) = countersign_config::parse("random.toml", &new_text) else { continue };
            loaded += 1;
            if old.policies == new.policies && old.email == new.email {
                continue;
            }
            let quiet = weakened(&old, &new).is_empty();
            quiet_changes += u32::from(quiet);
            for _ in 0..10 {
                let (login, has) = (random_login(&mut dice), random_has(&mut dice));
                let (before, after) = (ways(&old, &login, &has), ways(&new, &login, &has));
                if let Some(way) = after.iter().find(|way| !was_there(&before, way)) {
                    losses += 1;
                    assert!(!quiet, "{way:?} is new, before {before:?}: {login:?}\n{text}\n\n{new_text}");
                }
            }
        }
    }
    println!("{loaded} of 20000 loaded, {quiet_changes} changes without a loss, {losses} losses");
    assert!(loaded > 4000 && quiet_changes > 500 && losses > 500, "{loaded} {quiet_changes} {losses}");
}
