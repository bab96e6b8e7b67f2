"""Copies the configs into the wheel; everything else about the package is in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithConfigs(build_py):
    """Puts the configs, the tools and the model index into `mmproto/.mim`, where MIM looks.

    An editable install needs no copy: `mmproto.model_index` finds those of the repository.
    """

    def run(self):
        """Build the modules, then copy the rest beside them."""
        super().run()
        if self.editable_mode:
            return
        mim = Path(self.build_lib, 'mmproto', '.mim')
        shutil.rmtree(mim, ignore_errors=True)  # an earlier build may have left removed configs
        for folder in ('configs', 'tools'):
            shutil.copytree(folder, mim / folder, ignore=shutil.ignore_patterns('__pycache__'))
        shutil.copy('model-index.yml', mim)


setup(cmdclass=dict(build_py=BuildWithConfigs))
