"""The command ``mmproto``: runs the tools, from a repository or an installed package.

Outside the package, whose import waits for torch, so that ``mmproto --help`` answers at once.
"""

import ast
import runpy
import sys
from importlib.util import find_spec
from pathlib import Path


def tools() -> dict[str, Path]:
    """Return the tools by their names; a wheel has them in ``.mim``, a repository at its top."""
    spec = find_spec('mmproto')
    if spec is None or spec.origin is None:
        sys.exit('error: mmproto is not installed')
    package = Path(spec.origin).parent
    folders = (package / '.mim' / 'tools', package.parent / 'tools')
    return {file.stem: file for folder in reversed(folders) for file in folder.glob('*.py')}


def first_line(file: Path) -> str:
    """Return what a tool says of itself."""
    doc = ast.get_docstring(ast.parse(file.read_text(encoding='utf-8'))) or ''
    return doc.partition('\n')[0]


def usage(files: dict[str, Path]) -> str:
    """Return the help: a line a tool."""
    width = max(map(len, files))
    lines = [f'  {name:{width}}  {first_line(file)}' for name, file in sorted(files.items())]
    return '\n'.join(
        [
            'usage: mmproto TOOL ...',
            '',
            *lines,
            '',
            'mmproto TOOL --help says more. A CONFIG is a file, or the name of one that comes with',
            'mmproto, such as protopnet/resnet34_folder.py. Several GPUs:',
            'torchrun --nproc_per_node=GPUS --no-python mmproto train CONFIG --launcher pytorch',
        ]
    )


def main() -> None:
    """Run the tool that the command line names, with the rest of its arguments."""
    files = tools()
    name, *arguments = sys.argv[1:] or ['--help']
    if name in ('-h', '--help'):
        print(usage(files))
    elif name in files:
        sys.argv = [f'mmproto {name}', *arguments]
        runpy.run_path(str(files[name]), run_name='__main__')
    else:
        sys.exit(f'error: {name} is no tool of mmproto: {", ".join(sorted(files))}')


if __name__ == '__main__':
    main()
