"""What is asked of a user, with what holds where nobody replies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

MOST = 5


@dataclass(frozen=True)
class Question:
    """One question. problem: of an reply, why it is none, "" where it is right."""

    text: str
    default: str
    problem: Callable[[str], str] = lambda _: ""


Ask = Callable[[Question], str]


def take_default(question: Question) -> str:
    """Reply as nobody does: with the default."""
    return question.default


def asker(read: Callable[[str], str], write: Callable[[str], object]) -> Ask:
    """Return what asks at most five questions; later ones get their default, and so does an empty reply.

    read: shows a prompt and returns a line, or raises EOFError at the end of the input.
    """
    asked = 0

    def ask(question: Question) -> str:
        nonlocal asked
        if asked >= MOST:
            return question.default
        asked += 1
        while True:
            try:
                reply = read(f"{question.text} [{question.default or 'none'}]: ").strip() or question.default
            except EOFError:
                write("\n")
                asked = MOST  # nobody is there
                return question.default
            problem = question.problem(reply)
            if not problem or reply == question.default:
                return reply
            write(f"  {problem}\n")

    return ask


def one_of(*words: str) -> Callable[[str], str]:
    """Return the check of a question with these replies."""
    return lambda reply: "" if reply in words else f"one of: {', '.join(words)}"
