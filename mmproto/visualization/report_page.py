"""Shows a report of a whole model as one page that needs nothing but itself."""

from base64 import b64encode
from collections import defaultdict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from importlib.resources import files
from math import isnan
from pathlib import Path

import numpy as np
import torch
from rich.progress import track
from torch.utils.data import Dataset

from mmproto.analysis.model_report import (
    ImagePatch,
    ModelReport,
    PartAgreement,
    PrototypeStatistics,
)
from mmproto.explanation.image_explanation import ImageExplanation
from mmproto.utils.files import whole_file
from mmproto.visualization.explanation_page import templates
from mmproto.visualization.page_data import page_data
from mmproto.visualization.prototype_images import Gallery, to_bgr
from mmproto.visualization.thumbnails import CHUNK, Thumbnails

CROP, IMAGE, PATCH = 96, 112, 56
PICTURE = 360
CONFUSED = 20
SPLITS = {'train': 'training', 'test': 'test'}

Pictures = dict[str, str] | None


def write_report(
    report: ModelReport, gallery: Gallery, datasets: Mapping[str, Dataset], file: Path
) -> None:
    """Write the page of a report.

    Args:
        report: What there is to say.
        gallery: Pictures of the prototypes.
        datasets: The data sets that the report's patches_seen are of, by the names of their splits.
        file: Where the page goes.
    """
    page = report_page(report, gallery, datasets)
    with whole_file(file) as part:
        part.write_text(page, encoding='utf-8')


def report_page(report: ModelReport, gallery: Gallery, datasets: Mapping[str, Dataset]) -> str:
    """The page as HTML; what it takes is told at :func:`write_report`."""
    from plotly.offline import get_plotlyjs  # of the extra 'explain'

    thumbnails = Thumbnails()
    prototypes = [
        _prototype_pictures(gallery, one.number, thumbnails)
        for one in track(report.prototypes, description='prototypes')
    ]
    patches = patch_pictures(_all_sightings(report), datasets, thumbnails)
    names = [name.replace('_', ' ') for name in report.classes]
    script = files(__package__).joinpath('templates/report.js').read_text(encoding='utf-8')
    plotly = get_plotlyjs()
    return templates().get_template('report.html.j2').render(
        report=report,
        names=names,
        truth=report.truth and truth_in_words(report.truth),
        concerned=[one for one in report.prototypes if one.concerns],
        concerns=prototypes_by_concern(report.prototypes),
        classes=_shown_classes(report, names, prototypes),
        confused=most_confused(report.confusion)[:CONFUSED],
        mistakes=_shown_explained(report.mistakes, report.again, thumbnails),
        right=_shown_explained(report.right, report.again, thumbnails),
        pictures=lambda prototype: prototypes[prototype],
        patch=lambda sighting: patches[_patch(sighting)],
        percent=percent,
        fires=fires_in_words,
        splits=SPLITS,
        data=_script_data(report, names, prototypes, patches),
        thumbnails=thumbnails.chunks(),
        script=script,
        plotly=plotly,
        allowed=[_hash(script), _hash(plotly)],
    )  # fmt: skip


def percent(share: float) -> str:
    """A share in words."""
    return f'{100 * share:.0f} %'


def fires_in_words(one: PrototypeStatistics) -> str:
    """On how many test images a prototype fires."""
    if one.label < 0:
        return f'Fires on {percent(one.fires_other)} of all test images.'
    if isnan(one.fires_own):
        return f'Its class has no test image; fires on {percent(one.fires_other)} of the others.'
    own = f'Fires on {percent(one.fires_own)} of its class'
    if isnan(one.fires_other):
        return f'{own}; there is no other test image.'
    return f'{own}, {percent(one.fires_other)} of the others.'


def truth_in_words(truth: PartAgreement) -> str:
    """What the part locations say of the boxes."""

    def by_chance(share: float) -> str:
        return f'by chance it would be {percent(share)}'

    if isnan(truth.on_same_part):
        same_part = 'none has a training patch that shows a part'
    else:
        same_part = (
            f'{percent(truth.on_same_part)} on a part that their training patch shows '
            f'({by_chance(truth.chance_on_same_part)})'
        )
    return (
        f'Of the ten highest-scoring prototypes of each test image, {percent(truth.on_object)} '
        f'have their box on the object ({by_chance(truth.chance_on_object)}), {same_part}.'
    )


def prototypes_by_concern(
    prototypes: list[PrototypeStatistics],
) -> list[tuple[str, list[PrototypeStatistics]]]:
    """Every concern, without its figures, and the prototypes that give it; the most common first.

    Figures follow a colon.
    """
    found = defaultdict(list)
    for one in prototypes:
        for concern in one.concerns:
            found[concern.split(':')[0]].append(one)
    return sorted(found.items(), key=lambda item: -len(item[1]))


def most_confused(confusion: np.ndarray) -> list[tuple[int, int, int, int]]:
    """Which class is taken for which: true class, predicted class, how many of how many images.

    Args:
        confusion: Images by true class (rows) and predicted class (K, K).
    """
    wrong = confusion - np.diag(np.diag(confusion))
    pairs = sorted(zip(*np.nonzero(wrong)), key=lambda pair: -wrong[pair])
    return [
        (int(true), int(taken), int(wrong[true, taken]), int(confusion[true].sum()))
        for true, taken in pairs
    ]


def patch_pictures(
    patches_seen: list[ImagePatch], datasets: Mapping[str, Dataset], thumbnails: Thumbnails
) -> dict[tuple, str]:
    """Address of the picture of every patch; each image is loaded once."""
    boxes = defaultdict(set)
    for one in patches_seen:
        boxes[one.split, one.image].add(one.box)

    def crop(image: tuple[str, int]) -> dict[tuple, np.ndarray]:
        split, number = image
        picture = to_bgr(datasets[split][number]['inputs'])
        return {
            (split, number, box): picture[box[0] : box[1], box[2] : box[3]]
            for box in sorted(boxes[image])
        }

    found = {}
    with ThreadPoolExecutor(torch.get_num_threads()) as threads:
        images = sorted(boxes)
        for crops in track(threads.map(crop, images), total=len(images), description='patches'):
            found |= {key: thumbnails.add(picture, PATCH) for key, picture in crops.items()}
    return found


def _patch(sighting: ImagePatch) -> tuple:
    return sighting.split, sighting.image, sighting.box


def _all_sightings(report: ModelReport) -> list[ImagePatch]:
    nearest = (
        sighting
        for one in report.prototypes
        for sighting in (*one.nearest_train, *one.nearest_test)
    )
    return [*nearest, *report.latent.sighting]


def _prototype_pictures(gallery: Gallery, prototype: int, thumbnails: Thumbnails) -> Pictures:
    pictures = gallery.pictures(prototype)
    if pictures is None:
        return None
    sides = dict(crop=CROP, image=IMAGE, heat=IMAGE)
    return {name: thumbnails.add(getattr(pictures, name), side) for name, side in sides.items()}


def _shown_explained(
    explained: list[ImageExplanation], again: dict[str, ImageExplanation], thumbnails: Thumbnails
) -> list[dict]:
    return [
        {
            **page_data(one, PICTURE, again.get(one.name)),
            'thumbnail': thumbnails.add(one.image, PATCH),
        }
        for one in explained
    ]


def _shown_classes(report: ModelReport, names: list[str], pictures: list[Pictures]) -> list[dict]:
    """The classes with their prototypes; those of no class come last."""
    members = defaultdict(list)
    for one in report.prototypes:
        members[one.label].append(one)
    images, right = report.confusion.sum(axis=1), np.diag(report.confusion)
    classes = [
        dict(label=label, name=name, images=int(images[label]), right=int(right[label]))
        for label, name in enumerate(names)
    ]
    if -1 in members:
        classes.append(dict(label=-1, name='no class', images=0, right=0))
    for one in classes:
        one['prototypes'] = members[one['label']]
        shown = (pictures[prototype.number] for prototype in one['prototypes'])
        one['crops'] = [each['crop'] for each in shown if each]
    return classes


def _script_data(
    report: ModelReport, names: list[str], prototypes: list[Pictures], patches: dict[tuple, str]
) -> dict:
    """What the page's script draws: the confusion matrix and the map."""
    latent = report.latent
    return dict(
        names=names,
        chunk=CHUNK,
        splits=SPLITS,
        confusion=report.confusion.tolist(),
        prototypes=len(prototypes),
        x=[round(float(x), 3) for x in latent.position[:, 0]],
        y=[round(float(y), 3) for y in latent.position[:, 1]],
        label=latent.label.tolist(),
        neighbours=latent.neighbours.tolist(),
        pictures=[
            *(shown and shown['crop'] for shown in prototypes),
            *(patches[_patch(one)] for one in latent.sighting),
        ],
        patches=[[one.split, one.image] for one in latent.sighting],
    )


def _hash(script: str) -> str:
    """What a Content-Security-Policy calls a script by."""
    return f'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'
