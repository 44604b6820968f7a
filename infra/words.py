"""Words of the command line, and of the report it writes, in the language of the terminal.

Messages are marked by `told`, as those of organisers' pages are, and shown by `say`. Their catalogue stands in
`infra/locale`, where no function carries it along. Codes, keys of files and JSON are the same in every language.
"""

from __future__ import annotations

import argparse
import gettext
import io
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TextIO

from shared.i18n import LANGUAGES, ORGANISERS, in_language, language_for, number, told, translations

LOCALE = Path(__file__).parent / "locale"
OPTION = "--language"

_spoken = ["en"]

ARGPARSE = (
    told("usage: "),
    told("positional arguments"),
    told("options"),
    told("show this help message and exit"),
    told("the following arguments are required: %s"),
    told("unrecognized arguments: %s"),
    told("argument %(argument_name)s: %(message)s"),
    told("invalid choice: %(value)r (choose from %(choices)s)"),
    told("invalid %(type)s value: %(value)r"),
    told("expected one argument"),
    told("%(prog)s: error: %(message)s\n"),
)
"""What Python's own argparse says, in the words by which it asks its catalogue."""


def take_language(arguments: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """Choose the language by `--language` or else the terminal's locale; the arguments without that option."""
    rest, wanted = [], ""
    words = iter(arguments)
    for word in words:
        if word == OPTION:
            wanted = next(words, "")
        elif word.startswith(f"{OPTION}="):
            wanted = word.partition("=")[2]
        else:
            rest.append(word)
    locale = next((environment[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environment.get(name)), "")
    speak(language_for(wanted, locale[:2].lower()))
    return rest


def speak(language: str) -> None:
    """Say everything from now on in this language."""
    _spoken[0] = language
    _with_catalogue(language)
    # argparse has no other way to its words; it also asks for None where there are none.
    argparse._ = lambda words: say(words) if words else words  # type: ignore[attr-defined]


def language() -> str:
    """The language that is spoken."""
    return _spoken[0]


def say(value: object) -> str:
    """A message in the language that is spoken; anything else as text."""
    if type(value) is str and value:
        return _with_catalogue(language()).gettext(value)
    return str(in_language(value, language()))


def amount(value: float, digits: int = 0) -> str:
    """A number as the language that is spoken writes it."""
    return number(value, language(), digits)


LONGEST_FAULT = 600
"""Characters of a fault that are shown: a forged name or sentence may have millions."""


def printable(fault: str) -> str:
    """A fault in one line that a terminal shows as it is, whatever names a forged file has."""
    shown = fault if len(fault) <= LONGEST_FAULT else f"{fault[:LONGEST_FAULT]} …"
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in shown)


def tell(value: object, *, file: TextIO | None = None) -> None:
    """Print a message in the language that is spoken."""
    print(say(value), file=file)


def parcours_parser() -> tuple[argparse.ArgumentParser, Any]:
    """The parser of the command line, without any command yet, and where commands are added."""
    parser = argparse.ArgumentParser(prog="parcours", description=told("Registration and a provably best allocation."))
    parser.add_argument(
        OPTION, choices=tuple(LANGUAGES), help=told("of messages and reports (default: the terminal's)")
    )
    return parser, parser.add_subparsers(title=say(told("commands")), required=True, metavar="COMMAND")


def run_parsed(build: Callable[[], argparse.ArgumentParser], arguments: Sequence[str]) -> int:
    """Run the command that the arguments name, in the language that they or the terminal ask for; its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name that the terminal has no letters for is no reason to stop
            stream.reconfigure(errors="backslashreplace")
    rest = take_language(arguments, os.environ)
    options = say_help(build()).parse_args(rest)
    return int(options.run(options))


def say_help(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """The parser, and every parser below it, with its words in the language that is spoken."""
    parser.description = say(parser.description) if parser.description else None
    for action in parser._actions:
        action.help = say(action.help) if action.help else action.help
        if isinstance(action, argparse._SubParsersAction):
            for choice in action._choices_actions:
                choice.help = say(choice.help) if choice.help else None
            for below in action.choices.values():
                say_help(below)
    return parser


@cache
def _with_catalogue(language: str) -> gettext.NullTranslations:
    """The catalogue of organisers in a language, which looks what it lacks up in the command line's."""
    known = translations(language, ORGANISERS)
    known.add_fallback(gettext.translation("commandline", LOCALE, languages=[language], fallback=True))
    return known
