from collections.abc import Callable
from typing import Any

from mmengine.runner import Runner
from torch.utils.data import DataLoader

from mmproto.engine.nearest_patch_search import find_nearest_patches
from mmproto.engine.push_certificate import MoveWatcher, PushCertificate
from mmproto.engine.push_record import PushRecord, push_record
from mmproto.engine.validation import validate
from mmproto.functional import NearestPatch
from mmproto.models import ProtoPNet, unwrap_model

# How a push finds its patches: find_nearest_patches, or find_different_patches.
Search = Callable[[ProtoPNet, DataLoader], NearestPatch]


def push_prototypes(model: ProtoPNet, dataloader: DataLoader) -> NearestPatch:
    """Push every prototype onto the nearest latent training patch of its class (section 2.2).

    Args:
        model: A classifier with a :class:`ProtoPNetHead`; it is in eval mode afterwards.
        dataloader: The training images without augmentation, in order.

    Returns:
        The patches that the prototypes now are.

    Raises:
        InputError: If the images differ in size, or a prototype has no patch to go to.
    """
    model = unwrap_model(model)
    model.eval()
    nearest = find_nearest_patches(model, dataloader)
    model.head.push(nearest)
    return nearest


def watched_push(
    runner: Runner,
    dataloader: DataLoader,
    epoch: int | None = None,
    search: Search = find_nearest_patches,
) -> tuple[NearestPatch, PushRecord]:
    """Push as :func:`push_prototypes` does, and say what that does to the validation set.

    One pass over the validation set, before the prototypes move, and after the search has given all
    processes the same buffers, gives the metrics before the
    push and, if an image has one class and the last layer can be looked at whole, its
    :class:`PushCertificate`.

    Args:
        runner: The runner of the model and of its validation set, if it has one.
        dataloader: See :func:`push_prototypes`.
        epoch: Number of epochs trained, for the record.
        search: What finds the patches.

    Returns:
        The patches that the prototypes now are, and the record, without the metrics after it.
    """
    model = unwrap_model(runner.model)
    model.eval()
    nearest = search(model, dataloader)
    certificates = (
        runner.val_loop is not None
        and model.head.predicts_one_class
        and model.head.last_layer.can_be_whole
    )
    watcher = MoveWatcher(model.head, nearest.vector) if certificates else None
    before, certificate = validate(runner, watcher), None
    if watcher is not None:
        certificate = PushCertificate.of(watcher.effect())
    model.head.push(nearest)
    dataset: Any = dataloader.dataset
    record = push_record(model.head, dataset, epoch, before, certificate=certificate)
    return nearest, record
