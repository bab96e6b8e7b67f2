"""Installs mmproto, ProtoPNet as a plugin for MMPretrain."""

import shutil
from pathlib import Path

from setuptools import find_packages, setup
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


setup(
    name='mmproto',
    version='0.1.0',
    description='ProtoPNet for MMPretrain: image classifiers that point at training images',
    long_description=Path(__file__).with_name('README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    packages=find_packages(include=['mmproto', 'mmproto.*']),
    package_data={'mmproto.visualization': ['templates/*']},
    cmdclass=dict(build_py=BuildWithConfigs),
    python_requires='>=3.10',
    install_requires=[
        'torch>=2.6',
        'timm>=1.0',
        'huggingface-hub',
        'jinja2',
        'mat4py',
        'numpy',
        'opencv-python',
        'pillow',
        'rich',
    ],
    extras_require={
        # MMPretrain and what it stands on, from one of three sources
        'lite': ['mmengine>=0.10.7', 'mmpretrain>=1.2.0', 'mmcv-lite>=2.0.0'],
        'full': ['mmengine>=0.10.7', 'mmpretrain>=1.2.0', 'mmcv>=2.0.0'],
        'onedl': ['onedl-mmengine>=0.10.12', 'onedl-mmpretrain>=1.3.6', 'onedl-mmcv>=2.3.6'],
        # attribution, the report's map and plots, the class activation maps of a baseline
        'explain': ['captum', 'grad-cam', 'plotly', 'scikit-learn'],
        'export': ['onnx', 'onnxruntime', 'onnxscript'],
        'notebook': ['ipykernel', 'ipywidgets', 'nbclient', 'nbformat'],
        'test': [
            'mmproto[explain,export,notebook]',
            'hypothesis',
            'model-index',
            'pytest',
            'seaborn',
            'selenium',
            'tensorboard',
            'torchvision',
        ],
        'lint': ['ruff', 'pre-commit'],
    },
)
