"""Completion of `tagwharf` for bash, made of the generated reference of its commands."""

from __future__ import annotations

import re
from typing import Final

_HEADING: Final = re.compile(r"^## tagwharf (?P<words>[a-z-]+(?: [a-z-]+)*)$", re.MULTILINE)
_OPTION: Final = re.compile(r"^\| `(?P<name>--[a-z-]+)", re.MULTILINE)
_SCRIPT: Final = """# bash completion for tagwharf; made from the reference of its commands
_tagwharf() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} path=tagwharf word choices=
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        case $word in
            -*) ;;
            *) case "$path $word" in {commands}) path="$path $word" ;; esac ;;
        esac
    done
    case $path in
{cases}
    esac
    mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$current")
}}
complete -o default -F _tagwharf tagwharf
"""


def script(reference: str) -> str:
    """The script for the commands that docs/reference/cli.md tells."""
    known: dict[str, set[str]] = {"tagwharf": {"--help", "--version"}}
    parts = _HEADING.split(reference)[1:]
    for words, body in zip(parts[::2], parts[1::2], strict=True):
        path = "tagwharf"
        for word in words.split():
            known.setdefault(path, set()).add(word)
            path = f"{path} {word}"
        known.setdefault(path, set()).update({"--help", *_OPTION.findall(body)})
    cases = [f'        "{path}") choices="{" ".join(sorted(choices))}" ;;' for path, choices in sorted(known.items())]
    commands = "|".join(f'"{path}"' for path in sorted(known) if path != "tagwharf")
    return _SCRIPT.format(commands=commands, cases="\n".join(cases))
