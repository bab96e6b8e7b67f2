"""Which arguments a registered class takes, those that it hands on to its parents among them."""

import ast
import inspect
import textwrap
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple, get_type_hints

from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
NOTHING = inspect.Parameter.empty


class Argument(NamedTuple):
    """An argument.

    Attributes:
        default: Its default, ``NOTHING`` where it has none.
        annotation: What it is annotated with, or ``NOTHING``.
        is_own: Whether it is one of the class itself, which no subclass sets.
    """

    default: Any
    annotation: Any
    is_own: bool


class Signature(NamedTuple):
    """What is taken.

    Attributes:
        arguments: The arguments by name.
        is_open: Whether there may be others, because ``**kwargs`` go where they cannot be followed.
    """

    arguments: Mapping[str, Argument]
    is_open: bool


# Whose arguments a class hands its ``**kwargs`` on to, where that is no parent.
HANDED_ON: dict[Any, Callable] = {CheckpointHook: Runner.save_checkpoint}


@cache
def signature_of(built: Callable) -> Signature:
    """Return what a class or a function takes.

    ``**kwargs`` of a class are followed to its parents if all it does with them is to hand them to
    ``super().__init__``; if it does anything else, there is no knowing.
    """
    owners = built.__mro__ if isinstance(built, type) else (built,)
    arguments: dict[str, Argument] = {}
    for owner in owners:
        function = vars(owner).get('__init__') if isinstance(built, type) else built
        if function is None:
            continue
        if owner is object:
            return Signature(arguments, built.__new__ is not object.__new__)
        try:
            parameters = inspect.signature(function).parameters
        except (TypeError, ValueError):
            return Signature(arguments, True)
        hints = _hints(function)
        skipped, is_own = 'self' if isinstance(built, type) else None, not arguments
        for name, parameter in parameters.items():
            if parameter.kind in NAMED and name != skipped:
                argument = Argument(parameter.default, hints.get(name, NOTHING), is_own)
                arguments.setdefault(name, argument)
        rest = [p.name for p in parameters.values() if p.kind is inspect.Parameter.VAR_KEYWORD]
        if not rest:
            return Signature(arguments, False)
        if owner in HANDED_ON:
            others = inspect.signature(HANDED_ON[owner]).parameters
            more = {n: Argument(p.default, NOTHING, False) for n, p in others.items()}
            return Signature({**more, **arguments}, False)
        if not isinstance(built, type) or not _only_handed_on(function, rest[0]):
            return Signature(arguments, True)
    return Signature(arguments, True)


def _hints(function: Callable) -> dict[str, Any]:
    try:
        return get_type_hints(function)
    except Exception:  # names that are only there for type checkers, and whatever else
        return {}


def _only_handed_on(function: Callable, kwargs: str) -> bool:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return False
    uses = sum(isinstance(node, ast.Name) and node.id == kwargs for node in ast.walk(tree))
    return uses == 1 and any(
        isinstance(node, ast.Call)
        and ast.unparse(node.func).startswith('super(')
        and ast.unparse(node.func).endswith('.__init__')
        and any(
            word.arg is None and isinstance(word.value, ast.Name) and word.value.id == kwargs
            for word in node.keywords
        )
        for node in ast.walk(tree)
    )
