#!/usr/bin/env python
"""See the whole method work: render birds, train with push, test, compare, explain, report."""

import argparse
import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROTOPNET = 'configs/protopnet/resnet10t_birds.py'
BASELINE = 'configs/baseline/resnet10t_birds.py'
SHORT = {
    'birds': ['--train', '6', '--test', '2'],
    PROTOPNET: [
        'optim_wrapper.schedule.epochs=3',
        'optim_wrapper.schedule.push_epochs=[2]',
    ],
    BASELINE: ['train_cfg.max_epochs=3'],
}
SHOWN = 3
FULL = {'birds': [], PROTOPNET: [], BASELINE: []}


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', default='work_dirs/demo', help='folder for everything it makes')
    parser.add_argument(
        '--short', action='store_true', help='a minute, to see that everything runs, not learns'
    )
    return parser.parse_args()


def run(environment, tool, *arguments):
    """Run one of the tools, showing the command as a person would type it."""
    print(f'\n$ {shlex.join([tool, *arguments])}', flush=True)
    done = subprocess.run([sys.executable, ROOT / tool, *arguments], check=False, env=environment)
    if done.returncode:
        sys.exit(done.returncode)  # it has said why


def train_and_test(environment, out, config, settings):
    """Train by a config, test its last checkpoint: that, and its accuracy in words."""
    work_dir = out / Path(config).parent.name
    options = ['--cfg-options', *settings] if settings else []
    run(environment, 'tools/train.py', config, '--work-dir', str(work_dir), *options)
    checkpoint = str(work_dir / (work_dir / 'last_checkpoint').read_text())
    metrics = work_dir / 'test.json'
    run(
        environment, 'tools/test.py', config, checkpoint, '--work-dir', str(work_dir),
        '--out', str(metrics),
    )  # fmt: skip
    top1 = json.loads(metrics.read_text())['accuracy/top1']
    epochs = Path(checkpoint).stem.split('_')[1]
    return checkpoint, f'{top1:6.2f} % after {epochs} epochs'


def test_images(birds, count):
    """The first test images of species spread over the data set."""
    split = dict(line.split() for line in (birds / 'train_test_split.txt').open())
    files = [line.split() for line in (birds / 'images.txt').open()]
    tests = [file for number, file in files if split[number] == '0']
    firsts = list({file.split('/')[0]: file for file in reversed(tests)}.values())[::-1]
    chosen = firsts[1 :: max(1, len(firsts) // count)][:count]
    return [str(birds / 'images' / file) for file in chosen]


def main():
    args = parse_args()
    settings = SHORT if args.short else FULL
    start = time.time()
    out = Path(args.out)
    birds = out / 'birds'
    environment = {**os.environ, 'DATA_ROOT': str(birds)}
    if not (birds / 'images.txt').is_file():
        run(environment, 'tools/make_birds.py', str(birds), *settings['birds'])
    checkpoint, accuracy = train_and_test(environment, out, PROTOPNET, settings[PROTOPNET])
    pushes = (out / 'protopnet' / 'prototypes').glob('epoch_*')
    last_push = max(pushes, key=lambda folder: int(folder.name.split('_')[1]))
    sheet = out / 'prototypes.png'
    run(environment, 'tools/prototype_sheet.py', str(last_push), '--out', str(sheet))
    baseline_checkpoint, baseline = train_and_test(environment, out, BASELINE, settings[BASELINE])
    images = test_images(birds, SHOWN)
    figure = out / 'attention.png'
    run(
        environment, 'tools/compare_attention.py', PROTOPNET, checkpoint, BASELINE,
        baseline_checkpoint, *images, '--out', str(figure),
    )  # fmt: skip
    run(environment, 'tools/explain.py', PROTOPNET, checkpoint, *images, '--out', str(out / 'why'))
    run(environment, 'tools/report.py', PROTOPNET, checkpoint, '--out', str(out))
    print(
        f'\nTop-1 on the test birds:\n'
        f'  ProtoPNet, prototypes pushed, last layer solved {accuracy}\n'
        f'  baseline, same backbone with a linear head      {baseline}\n'
        f'The report on the model:                          {out / "report.html"}\n'
        f'Three birds explained:                            {out / "why" / "index.html"}\n'
        f'Beside the attention of the baseline:             {figure}\n'
        f'The prototypes, one row a species:                {sheet}\n'
        f'Took {(time.time() - start) / 60:.1f} minutes.'
    )


if __name__ == '__main__':
    main()
