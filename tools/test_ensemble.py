#!/usr/bin/env python
"""Test networks combined by the sum of their logits, each by its own config's test pipeline."""

import argparse
from pathlib import Path

# First: it says what to install where MMPretrain is missing.
from mmproto.utils.command_line import (
    add_run_options,
    existing_checkpoint,
    load_config,
    one_line_errors,
)

# isort: split
import mmengine
from mmengine.dist import init_dist, is_distributed

from mmproto.apis.ensemble import load_member, predict_ensemble
from mmproto.errors import InputError
from mmproto.utils.files import check_out_file, whole_file


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'members',
        nargs='+',
        metavar='CONFIG CHECKPOINT',
        help='config file and checkpoint file of each network',
    )
    parser.add_argument('--out', metavar='FILE.json', help='write the accuracies to a file')
    add_run_options(parser)
    return parser.parse_args()


def load_configs(paths, args):
    # the first config sets up the processes
    launchers = [args.launcher] + ['none'] * (len(paths) - 1)
    cfgs = [
        load_config(
            argparse.Namespace(
                **{**vars(args), 'config': path, 'work_dir': None, 'launcher': launcher}
            )
        )
        for path, launcher in zip(paths, launchers)
    ]
    if args.launcher != 'none' and not is_distributed():
        init_dist(args.launcher, **cfgs[0].env_cfg.dist_cfg)
    return cfgs


def print_table(rows):
    width = max(len(name) for name, _ in rows)
    print(f'{"":{width}}' + ''.join(f'{key:>8}' for key in rows[0][1]))
    for name, accuracies in rows:
        print(f'{name:{width}}' + ''.join(f'{value:8.2f}' for value in accuracies.values()))


def main():
    args = parse_args()
    paths, checkpoints = args.members[::2], args.members[1::2]
    if len(paths) != len(checkpoints):
        raise InputError(f'{paths[-1]} has no checkpoint: give CONFIG CHECKPOINT for each network')
    if args.out:
        check_out_file(Path(args.out))
    checkpoints = [existing_checkpoint(path) for path in checkpoints]
    members = [load_member(*pair) for pair in zip(load_configs(paths, args), checkpoints)]
    prediction = predict_ensemble(members)
    if prediction is None:
        return
    names = [f'{path} {checkpoint}' for path, checkpoint in zip(paths, checkpoints)]
    rows = [*zip(names, prediction.member_accuracies()), ('sum', prediction.accuracies())]
    print_table(rows)
    if args.out:
        members = [dict(name=name, **accuracies) for name, accuracies in rows[:-1]]
        with whole_file(Path(args.out)) as file:
            mmengine.dump(dict(members=members, sum=rows[-1][1]), file)


if __name__ == '__main__':
    with one_line_errors():
        main()
