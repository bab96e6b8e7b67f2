"""Writes explanations: for each picture a page (HTML), a picture (PNG) and the figures (JSON)."""

import json
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import jinja2
from torch import nn

from mmproto.errors import InputError
from mmproto.explanation.image_explanation import ImageExplanation
from mmproto.utils.files import whole_file
from mmproto.visualization.drawing import data_uri, thumbnail
from mmproto.visualization.explanation_sheet import explanation_sheet
from mmproto.visualization.page_data import prototype_thumbnails, shown_picture
from mmproto.visualization.prototype_images import Gallery

INDEX_SIDE = 128
KINDS = ('.html', '.png', '.json')


@cache
def templates() -> jinja2.Environment:
    """The templates of the pages; what comes from data is escaped."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader('mmproto.visualization'),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )


def patches_warning(head: nn.Module) -> str | None:
    """What has to be said on every page of a model whose prototypes are no training patches."""
    if head.prototypes_are_patches:
        return None
    if (head.prototype_image < 0).any():
        return (
            'The prototypes of this model have never been pushed: they are no training patches, '
            'and no picture shows them. Push it by tools/push.py.'
        )
    return (
        'This model has been trained since its last push: its prototypes are no training patches '
        'any more. The pictures show where they were. Push it by tools/push.py.'
    )


def write_explanations(
    explained: list[ImageExplanation], gallery: Gallery, folder: Path, warning: str | None
) -> list[Path]:
    """Write page, picture and figures of each picture, and an index where there are several.

    Args:
        explained: The pictures.
        gallery: Pictures of the prototypes.
        folder: An existing folder.
        warning: What every page says first, if anything.

    Returns:
        The page of each picture.

    Raises:
        InputError: If a file cannot be written; nothing of these pictures is left then.
    """
    pictures = cache(lambda prototype: prototype_thumbnails(gallery, prototype))

    @cache
    def uris(prototype: int) -> dict[str, str] | None:
        shown = pictures(prototype)
        return shown and {name: data_uri(image) for name, image in shown.items()}

    # A gallery may run the network, which is no work for several threads.
    for prototype in sorted({match.prototype for one in explained for match in one.matches}):
        uris(prototype)
    page = templates().get_template('explanation.html.j2')

    def write(one: ImageExplanation) -> dict:
        text = json.dumps({**one.to_dict(gallery), 'warning': warning}, indent=1)
        with whole_file(folder / f'{one.name}.json') as file:
            file.write_text(text, encoding='utf-8')
        with whole_file(folder / f'{one.name}.png') as file:
            explanation_sheet(one, pictures, warning).save(file, compress_level=1)
        shown = shown_picture(one)
        html = page.render(one=shown, prototypes=uris, warning=warning, origin=gallery.origin)
        with whole_file(folder / f'{one.name}.html') as file:
            file.write_text(html, encoding='utf-8')
        return {**shown, 'uri': data_uri(thumbnail(one.picture, INDEX_SIDE))}

    try:
        with ThreadPoolExecutor() as threads:  # what compresses pictures waits for no other
            written = list(threads.map(write, explained))
        if len(written) > 1:
            index = templates().get_template('index.html.j2')
            html = index.render(pictures=written, warning=warning)
            with whole_file(folder / 'index.html') as file:
                file.write_text(html, encoding='utf-8')
    except OSError as error:
        for one in explained:
            for kind in KINDS:
                (folder / f'{one.name}{kind}').unlink(missing_ok=True)
        raise InputError(f'nothing can be written in {folder}: {error.strerror}') from None
    return [folder / f'{one.name}.html' for one in explained]
