"""Shows the reStructuredText of docstrings, as help() users know it, in Markdown."""

import re

from griffe import Extension, Module, Object

ROLE = re.compile(r':(?:class|func|meth|mod|attr):`~?\.?([^`]+)`')
CODE = re.compile(r'^([ ]*)\.\. code:: (\w+)\n\n((?:\1[ ]+.*\n|\n)+)', re.MULTILINE)


def to_markdown(text: str) -> str:
    """Replace ``.. code::`` blocks and roles by what Markdown has for them."""

    def fenced(match: re.Match) -> str:
        indent, language, code = match.groups()
        lines = [line.removeprefix(f'{indent}    ') for line in code.rstrip('\n').split('\n')]
        body = '\n'.join(f'{indent}{line}'.rstrip() for line in lines)
        return f'{indent}```{language}\n{body}\n{indent}```\n\n'

    return ROLE.sub(r'`\1`', CODE.sub(fenced, f'{text}\n'))


class ReST(Extension):
    """Translates every docstring as it is collected, and shows every name where it is defined."""

    def on_module_members(self, *, mod: Module, **kwargs) -> None:
        """Forget ``__all__``, for whose sake a package would show its modules' names again."""
        mod.exports = None

    def on_object(self, *, obj: Object, **kwargs) -> None:
        """Translate the docstring of a module, class, function or attribute."""
        if obj.docstring is not None:
            obj.docstring.value = to_markdown(obj.docstring.value)
