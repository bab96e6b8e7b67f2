"""Writes explanations: for each image a page (HTML), an image (PNG) and the figures (JSON)."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryFile

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
# What the index says of an image, of what its page says.
INDEXED = (
    'name', 'true_class', 'correct', 'classes_predicted', 'predicted', 'probability', 'verdict'
)  # fmt: skip

Write = Callable[[list[ImageExplanation], str | None], list[Path]]


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


@contextmanager
def explanation_writer(gallery: Gallery, folder: Path) -> Iterator[Write]:
    """Write explanations as they come, and at the end an index where there are several.

    .. code:: python

        with explanation_writer(gallery, folder) as write:
            for explanations in batches:
                pages = write(explanations, warning)

    What is held are the images of the prototypes; of the explanations themselves nothing is.

    Args:
        gallery: Images of the prototypes.
        folder: An existing folder.

    Yields:
        A function that writes page, image and figures of each explanation, with what every page
        says first, if anything. It returns the pages.

    Raises:
        InputError: If a file cannot be written. Of the explanations that it is about, those of one
            call, nothing is left then; those written before stay.
    """
    thumbnails = cache(partial(prototype_thumbnails, gallery))

    @cache
    def uris(prototype: int) -> dict[str, str] | None:
        images = thumbnails(prototype)
        if images is None:
            return None
        return {name: data_uri(image) for name, image in images.items()}

    page, index = map(templates().get_template, ('explanation.html.j2', 'index.html.j2'))
    count, said = 0, None

    def write_one(one: ImageExplanation, warning: str | None) -> str:
        text = json.dumps({**explanation_json(one, gallery), 'warning': warning}, indent=1)
        with whole_file(folder / f'{one.name}.json') as file:
            file.write_text(text, encoding='utf-8')
        with whole_file(folder / f'{one.name}.png') as file:
            explanation_sheet(one, thumbnails, warning).save(file, compress_level=1)
        data = page_data(one)
        html = page.render(one=data, prototypes=uris, warning=warning, origin=gallery.origin)
        with whole_file(folder / f'{one.name}.html') as file:
            file.write_text(html, encoding='utf-8')
        entry = {name: data[name] for name in INDEXED}
        return json.dumps({**entry, 'uri': data_uri(thumbnail(one.image, INDEX_SIDE))})

    def write(explanations: list[ImageExplanation], warning: str | None) -> list[Path]:
        nonlocal count, said
        # A gallery may run the network, which is no work for several threads.
        matches = (match for one in explanations for match in one.prediction.matches)
        for prototype in sorted({match.prototype for match in matches}):
            uris(prototype)
        try:
            with ThreadPoolExecutor() as threads:  # what compresses images waits for no other
                written = list(threads.map(partial(write_one, warning=warning), explanations))
            entries.writelines(f'{entry}\n' for entry in written)
        except OSError as error:
            for one in explanations:
                for kind in KINDS:
                    (folder / f'{one.name}{kind}').unlink(missing_ok=True)
            raise _unwritable(folder, error) from None
        count, said = count + len(explanations), warning
        return [folder / f'{one.name}.html' for one in explanations]

    with TemporaryFile('w+', encoding='utf-8') as entries:
        yield write
        if count < 2:
            return
        entries.seek(0)
        stream = index.stream(explanations=map(json.loads, entries), count=count, warning=said)
        try:
            with (
                whole_file(folder / 'index.html') as part,
                part.open('w', encoding='utf-8') as file,
            ):
                file.writelines(stream)
        except OSError as error:
            raise _unwritable(folder, error) from None


def _unwritable(folder: Path, error: OSError) -> InputError:
    return InputError(f'nothing can be written in {folder}: {error.strerror}')
