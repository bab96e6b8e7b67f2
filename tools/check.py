#!/usr/bin/env python
"""Check a config before it is trained: everything that cannot be, or would do nothing, at once."""

from mmproto.apis.config_check.checks import require_sound
from mmproto.utils.command_line import config_parser, load_config, one_line_errors


def main():
    args = config_parser(__doc__).parse_args()
    misspelt: list[str] = []
    cfg = load_config(args, misspelt)
    require_sound(cfg, args.cfg_options or (), misspelt=misspelt)
    print(f'{args.config} can be trained.')


if __name__ == '__main__':
    with one_line_errors():
        main()
