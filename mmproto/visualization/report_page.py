"""Shows a report of a whole model as one page that needs nothing but itself."""

from base64 import b64encode
from collections import defaultdict
from collections.abc import Iterator, Mapping
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import numpy as np
from rich.progress import track

from mmproto.analysis.concerns import Concern
from mmproto.analysis.image_patch import ImagePatch
from mmproto.analysis.model_report import ModelReport
from mmproto.analysis.prototype_statistics import PrototypeStatistics
from mmproto.datasets.image_dataset import ImageDataset
from mmproto.evaluation.figure_table import interval_of, number, value_of, worst_prototypes
from mmproto.explanation.image_explanation import ImageExplanation
from mmproto.utils.files import whole_file
from mmproto.visualization.edit_data import edit_data, edit_numbers
from mmproto.visualization.explanation_page import templates
from mmproto.visualization.page_data import page_data
from mmproto.visualization.patch_thumbnails import PATCH, patch_key, patch_thumbnails
from mmproto.visualization.prototype_images import Gallery
from mmproto.visualization.report_words import fires_in_words, percent
from mmproto.visualization.thumbnails import CHUNK, Thumbnails

CROP, IMAGE, EXPLAINED = 96, 112, 360
CONFUSED = 20
SCRIPTS = ('report.js', 'edits.js', 'logits.js', 'edit_figures.js', 'edit_controls.js')
SPLITS = {'train': 'training', 'test': 'test'}

Addresses = dict[str, str] | None


def write_report(
    report: ModelReport, gallery: Gallery, datasets: Mapping[str, ImageDataset], file: Path
) -> None:
    """Write the page of a report.

    Args:
        report: What there is to say.
        gallery: Images of the prototypes.
        datasets: The data sets that the report's patches are of, by the names of their splits.
        file: Where the page goes.
    """
    page = report_page(report, gallery, datasets)
    with whole_file(file) as part:
        part.write_text(page, encoding='utf-8')


def report_page(report: ModelReport, gallery: Gallery, datasets: Mapping[str, ImageDataset]) -> str:
    """Return the page as HTML; what it takes is told at :func:`write_report`."""
    from plotly.offline import get_plotlyjs  # of the extra 'explain'

    thumbnails = Thumbnails()
    prototypes = [
        _prototype_images(gallery, one.prototype, thumbnails)
        for one in track(report.prototypes, description='prototypes')
    ]
    patches = patch_thumbnails(_all_patches(report), datasets, thumbnails)
    names = [name.replace('_', ' ') for name in report.classes]
    scripts = [
        files(__package__).joinpath('templates', name).read_text('utf-8') for name in SCRIPTS
    ]
    plotly = get_plotlyjs()
    return templates().get_template('report.html.j2').render(
        report=report,
        names=names,
        number=number,
        value_of=value_of,
        interval_of=interval_of,
        worst=worst_prototypes,
        doubtful=sum(one.doubtful for one in report.prototypes),
        hinted=sum(bool(one.concerns) and not one.doubtful for one in report.prototypes),
        concerns=prototypes_by_concern(report.prototypes),
        classes=_classes(report, names, prototypes),
        confused=most_confused(report.confusion_matrix)[:CONFUSED],
        mistakes=_explained(report.mistakes, report, thumbnails),
        correct=_explained(report.correct, report, thumbnails),
        images=lambda prototype: prototypes[prototype],
        address=lambda patch: patches[patch_key(patch)],
        percent=percent,
        fires=fires_in_words,
        splits=SPLITS,
        data=_script_data(report, names, prototypes, patches),
        numbers=edit_numbers(report),
        thumbnails=thumbnails.chunks(),
        scripts=scripts,
        plotly=plotly,
        allowed=[_hash(script) for script in (*scripts, plotly)],
    )  # fmt: skip


def prototypes_by_concern(
    prototypes: list[PrototypeStatistics],
) -> list[tuple[Concern, list[PrototypeStatistics]]]:
    """Every concern, without its figures, and the prototypes that give it.

    What is serious comes first, then what is most common; of the prototypes those first that have
    most to say.
    """
    found = defaultdict(list)
    for one in sorted(prototypes, key=lambda one: -one.use):
        for concern in one.concerns:
            found[concern._replace(figures='')].append(one)
    return sorted(found.items(), key=lambda item: (not item[0].serious, -len(item[1])))


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


def _all_patches(report: ModelReport) -> Iterator[ImagePatch]:
    for one in report.prototypes:
        yield from one.nearest_train
        yield from one.nearest_test
    yield from report.latent_map.patches


def _prototype_images(gallery: Gallery, prototype: int, thumbnails: Thumbnails) -> Addresses:
    images = gallery.images(prototype)
    if images is None:
        return None
    sides = dict(crop=CROP, image=IMAGE, heat=IMAGE)
    return {name: thumbnails.add(getattr(images, name), side) for name, side in sides.items()}


def _explained(
    explained: list[ImageExplanation], report: ModelReport, thumbnails: Thumbnails
) -> list[dict]:
    return [
        {
            **page_data(one, EXPLAINED, report.by_attribution.get(one.name)),
            'test_image': report.test_images[one.name],
            'thumbnail': thumbnails.add(one.image, PATCH),
        }
        for one in explained
    ]


def _classes(report: ModelReport, names: list[str], images: list[Addresses]) -> list[dict]:
    """Return the classes with their prototypes; those of no class come last."""
    members = defaultdict(list)
    for one in report.prototypes:
        members[one.label].append(one)
    tested, right = report.confusion_matrix.sum(axis=1), np.diag(report.confusion_matrix)
    classes: list[dict] = [
        dict(label=label, name=name, images=int(tested[label]), right=int(right[label]))
        for label, name in enumerate(names)
    ]
    if -1 in members:
        classes.append(dict(label=-1, name='no class', images=0, right=0))
    for entry in classes:
        entry['prototypes'] = members[entry['label']]
        of_class = (images[one.prototype] for one in members[entry['label']])
        entry['crops'] = [each['crop'] for each in of_class if each]
    return classes


def _script_data(
    report: ModelReport, names: list[str], prototypes: list[Addresses], patches: dict[tuple, str]
) -> dict:
    """Return what the page's scripts draw: the confusion matrix and the map."""
    latent_map = report.latent_map
    return dict(
        names=names,
        chunk=CHUNK,
        splits=SPLITS,
        edit=edit_data(report),
        confusion=report.confusion_matrix.tolist(),
        confused=CONFUSED,
        prototypes=len(prototypes),
        x=[round(float(x), 3) for x in latent_map.positions[:, 0]],
        y=[round(float(y), 3) for y in latent_map.positions[:, 1]],
        label=latent_map.labels.tolist(),
        neighbours=latent_map.neighbours.tolist(),
        images=[
            *(images and images['crop'] for images in prototypes),
            *(patches[patch_key(patch)] for patch in latent_map.patches),
        ],
        patches=[[patch.split, patch.image] for patch in latent_map.patches],
    )


def _hash(script: str) -> str:
    """Return what a Content-Security-Policy calls a script by."""
    return f'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'


def _template(name: str) -> str:
    return files(__package__).joinpath('templates', name).read_text(encoding='utf-8')
