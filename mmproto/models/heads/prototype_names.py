"""Names of prototypes as a checkpoint keeps them: a row of bytes each, since it keeps tensors."""

import unicodedata

import torch
from torch import Tensor

from mmproto.errors import InputError

NAME_BYTES = 64


def encode_name(name: str) -> Tensor:
    """Return a name as a row of a tensor, uint8 (64,): UTF-8, zeros behind it.

    Raises:
        InputError: If it is too long, or holds line breaks, control characters or half a character.
    """
    if any(unicodedata.category(character) in ('Cc', 'Cs') for character in name):
        raise InputError(
            f'the name {name!r} has a line break or a control character: write it in one line'
        )
    text = name.encode()
    if len(text) > NAME_BYTES:
        raise InputError(
            f'the name {name!r} has {len(text)} bytes in UTF-8: a prototype takes at most '
            f'{NAME_BYTES}'
        )
    return torch.tensor([*text, *bytes(NAME_BYTES - len(text))], dtype=torch.uint8)


def decode_names(rows: Tensor) -> list[str]:
    """Return the names of rows (P, 64), '' for none."""
    return [
        bytes(row).rstrip(b'\0').decode(errors='replace') for row in rows.cpu().numpy().tolist()
    ]
