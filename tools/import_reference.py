#!/usr/bin/env python
"""Turn a state dict of the reference implementation, cfchen-duke/ProtoPNet, into our checkpoint."""

import argparse
from pathlib import Path

# First: it says what to install where MMPretrain is missing.
from mmproto.utils.command_line import one_line_errors

# isort: split
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from mmengine.runner import save_checkpoint

from mmproto.apis.import_reference import BACKBONES, import_reference, load_state_dict
from mmproto.utils.files import check_out_file, whole_file


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('state_dict', metavar='IN.pth', help='state dict of the reference')
    parser.add_argument('out', metavar='OUT.pth', help='where to save our checkpoint')
    parser.add_argument(
        '--backbone', required=True, help=f'what the model is built on: {", ".join(BACKBONES)}'
    )
    parser.add_argument(
        '--similarity',
        choices=['linear', 'log'],
        default='log',
        help="the reference's prototype_activation_function, which a state dict does not hold",
    )
    return parser.parse_args()


def main():
    args = parse_args()
    out = Path(args.out)
    check_out_file(out)
    init_default_scope('mmpretrain')
    MMLogger.get_current_instance().setLevel('WARNING')
    state = load_state_dict(args.state_dict)
    config, state_dict = import_reference(state, args.backbone, args.similarity)
    checkpoint = dict(meta=dict(imported_from=Path(args.state_dict).name), state_dict=state_dict)
    with whole_file(out) as file:
        save_checkpoint(checkpoint, str(file))
    print(
        f'{Config(dict(model=config)).pretty_text}\n'
        f'Saved {out}. The lines above are its model: put them below the _base_ of a config with '
        'its data.\nWhere its prototypes come from is not known (head.prototypes_are_patches is '
        'False): tools/push.py finds out and makes it true.'
    )
    if config['head']['prototypes_per_class'] is None:
        print('It was pruned: each prototype has the class to which its connection is strongest.')


if __name__ == '__main__':
    with one_line_errors():
        main()
