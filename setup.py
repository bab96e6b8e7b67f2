"""Installs mmproto, ProtoPNet as a plugin for MMPretrain."""

from pathlib import Path

from setuptools import find_packages, setup

setup(
    name='mmproto',
    version='0.1.0',
    description='ProtoPNet for MMPretrain: image classifiers that point at training images',
    long_description=Path(__file__).with_name('README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    packages=find_packages(include=['mmproto', 'mmproto.*']),
    python_requires='>=3.10',
    install_requires=[
        'torch>=2.0',
        'timm>=1.0',
        'mmengine>=0.10.7',
        'mmpretrain>=1.2.0',
        'numpy',
        'pillow',
    ],
    extras_require={
        'lite': ['mmcv-lite>=2.0.0'],
        'test': ['pytest', 'hypothesis'],
        'lint': ['ruff', 'pre-commit'],
    },
)
