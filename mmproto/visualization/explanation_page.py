"""Writes explanations: for each image a page (HTML), an image (PNG) and the figures (JSON)."""

import json
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import jinja2

from mmproto.errors import InputError
from mmproto.explanation.image_explanation import ImageExplanation
from mmproto.models import ProtoPNetHead
from mmproto.utils.files import whole_file
from mmproto.visualization.drawing import data_uri, thumbnail
from mmproto.visualization.explanation_json import explanation_json
from mmproto.visualization.explanation_sheet import explanation_sheet
from mmproto.visualization.page_data import page_data, prototype_thumbnails
from mmproto.visualization.prototype_images import Gallery

INDEX_SIDE = 128
KINDS = ('.html', '.png', '.json')


@cache
def templates() -> jinja2.Environment:
    """Return the templates of the pages; what comes from data is escaped."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader('mmproto.visualization'),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )


def patches_warning(head: ProtoPNetHead) -> str | None:
    """Return what every page says of a model whose prototypes are no training patches."""
    if head.prototypes_are_patches:
        return None
    if (head.prototype_image < 0).any():
        return (
            'The prototypes of this model have never been pushed: they are no training patches, '
            'and no image shows them. Push it by tools/push.py.'
        )
    return (
        'This model has been trained since its last push: its prototypes are no training patches '
        'any more. The images show where they were. Push it by tools/push.py.'
    )


def write_explanations(
    explanations: list[ImageExplanation], gallery: Gallery, folder: Path, warning: str | None
) -> list[Path]:
    """Write page, image and figures of each explanation, and an index where there are several.

    Args:
        explanations: The explanations.
        gallery: Images of the prototypes.
        folder: An existing folder.
        warning: What every page says first, if anything.

    Returns:
        The page of each image.

    Raises:
        InputError: If a file cannot be written; nothing of these explanations is left then.
    """
    thumbnails = cache(lambda prototype: prototype_thumbnails(gallery, prototype))

    @cache
    def uris(prototype: int) -> dict[str, str] | None:
        images = thumbnails(prototype)
        if images is None:
            return None
        return {name: data_uri(image) for name, image in images.items()}

    # A gallery may run the network, which is no work for several threads.
    matches = (match for one in explanations for match in one.prediction.matches)
    for prototype in sorted({match.prototype for match in matches}):
        uris(prototype)
    page = templates().get_template('explanation.html.j2')

    def write(one: ImageExplanation) -> dict:
        text = json.dumps({**explanation_json(one, gallery), 'warning': warning}, indent=1)
        with whole_file(folder / f'{one.name}.json') as file:
            file.write_text(text, encoding='utf-8')
        with whole_file(folder / f'{one.name}.png') as file:
            explanation_sheet(one, thumbnails, warning).save(file, compress_level=1)
        data = page_data(one)
        html = page.render(one=data, prototypes=uris, warning=warning, origin=gallery.origin)
        with whole_file(folder / f'{one.name}.html') as file:
            file.write_text(html, encoding='utf-8')
        return {**data, 'uri': data_uri(thumbnail(one.image, INDEX_SIDE))}

    try:
        with ThreadPoolExecutor() as threads:  # what compresses images waits for no other
            written = list(threads.map(write, explanations))
        if len(written) > 1:
            index = templates().get_template('index.html.j2')
            html = index.render(explanations=written, warning=warning)
            with whole_file(folder / 'index.html') as file:
                file.write_text(html, encoding='utf-8')
    except OSError as error:
        for one in explanations:
            for kind in KINDS:
                (folder / f'{one.name}{kind}').unlink(missing_ok=True)
        raise InputError(f'nothing can be written in {folder}: {error.strerror}') from None
    return [folder / f'{one.name}.html' for one in explanations]
