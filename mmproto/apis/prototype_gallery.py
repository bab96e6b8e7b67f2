from pathlib import Path

from mmproto.apis.image_reader import ImageReader
from mmproto.models import ProtoPNet
from mmproto.visualization.prototype_images import (
    Gallery,
    NoImages,
    SavedImages,
    TrainingImages,
    find_saved,
    push_folders,
)


def find_gallery(
    model: ProtoPNet,
    reader: ImageReader,
    folder: str | Path | None,
    checkpoint: str | None,
    attribution: str,
) -> Gallery:
    """Find images of a model's prototypes.

    Args:
        model: The classifier, in eval mode.
        reader: Knows the training images of the model's config.
        folder: What a push has written; if None it is looked for beside the checkpoint, and where
            there is none, the training images are run through the network.
        checkpoint: The model's checkpoint, if it is a file.
        attribution: What finds the boxes and heat maps on training images.

    Raises:
        InputError: If the folder is none of a push, or of the push of another model.
    """
    if folder is not None:
        return SavedImages(model.head, Path(folder))
    saved = find_saved(model.head, push_folders(Path(checkpoint))) if checkpoint else None
    if saved is not None:
        return saved
    dataset = reader.dataset('push_dataloader')
    return TrainingImages(model, dataset, attribution) if len(dataset) else NoImages()
