from torch.utils.data import DataLoader

from mmproto.engine.nearest_patch_search import find_nearest_patches
from mmproto.functional import NearestPatch
from mmproto.models import ProtoPNet, unwrap_model


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
