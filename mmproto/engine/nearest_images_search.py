"""Walks a data set and finds every prototype's nearest images, on one process or several."""

from torch.utils.data import DataLoader

from mmproto.engine.fixed_batches import Images, gather_processes, map_images
from mmproto.errors import InputError
from mmproto.functional import NearestImages
from mmproto.models import ProtoPNet


def find_nearest_images(model: ProtoPNet, dataloader: DataLoader, k: int) -> NearestImages:
    """Find for every prototype the k nearest patches of a data set, one an image (section 2.4).

    One pass over the data; nothing is held but k patches a prototype. Every process takes its
    share of the data and gets the same result, which does not depend on the number of processes,
    the batch size or the number of workers.

    Args:
        model: A classifier with a :class:`ProtoPNetHead`, in eval mode.
        dataloader: Images without augmentation, in the order of the data set.
        k: How many images to find of each prototype, of whatever class.

    Raises:
        InputError: If the images differ in size, or the network gives numbers that are not finite.
    """

    def search(images: Images) -> NearestImages:
        return model.head.nearest_images([images.features], images.numbers, k)

    mine = NearestImages.merge_all(map_images(search, model, dataloader, 'nearest images'))
    nearest = NearestImages.merge_all(gather_processes(mine))
    if not nearest.distance[:, 0].isfinite().all():
        raise InputError(
            'the network gives numbers that are not finite: give a checkpoint of a training that '
            'went well'
        )
    return nearest
