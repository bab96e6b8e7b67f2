#!/usr/bin/env python
"""Say which predictions on the test set moved prototypes were certain not to change."""

import json
from pathlib import Path

from mmproto.apis.certify import certify_checkpoints
from mmproto.utils.command_line import (
    config_parser,
    existing_checkpoint,
    is_main_process,
    load_config,
    one_line_errors,
)
from mmproto.utils.files import check_out_file, whole_file
from mmproto.visualization.certificate_table import certificate_table


def parse_args():
    parser = config_parser(__doc__)
    parser.add_argument('before', help='checkpoint file')
    parser.add_argument('after', help='the same with moved prototypes, as tools/push.py makes it')
    parser.add_argument(
        '--json', metavar='FILE.json', help='write what is known of each image to a file'
    )
    return parser.parse_args()


def main():
    args = parse_args()
    if args.json:
        check_out_file(Path(args.json))
    cfg = load_config(args)
    before, after = existing_checkpoint(args.before), existing_checkpoint(args.after)
    certification = certify_checkpoints(cfg, before, after)
    if not is_main_process():
        return
    if certification.other_last_layer:
        print(
            f'{before} and {after} have different last layers: both are given that of {before}, '
            'so this is what moving the prototypes does, without what the last layer did then.'
        )
    print(certificate_table(certification.effect, certification.moves))
    if args.json:
        text = json.dumps(certification.to_json(), indent=1, allow_nan=False)
        with whole_file(Path(args.json)) as file:
            file.write_text(text, encoding='utf-8')


if __name__ == '__main__':
    with one_line_errors():
        main()
