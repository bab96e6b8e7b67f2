from mmengine.runner import Runner
from torch.utils.data import DataLoader

from mmproto.datasets.checks import (
    check_every_class,
    check_in_order,
    check_label_counts,
    check_labels,
    check_not_augmented,
)
from mmproto.datasets.folds import in_fold
from mmproto.engine.allowed_patches import check_forbidden
from mmproto.errors import InputError
from mmproto.models import unwrap_model
from mmproto.models.backbones.backbone_info import check_image_size, one_patch_warning


def build_push_dataloader(runner: Runner) -> DataLoader:
    """Build ``push_dataloader`` of the runner's config and check its data.

    .. code:: python

        push_dataloader = dict(batch_size=75, dataset=dict(...),
                               sampler=dict(type='DefaultSampler', shuffle=False))

    Where the training set is a fold of a ``KFoldDataset``, so is this one.

    Raises:
        InputError: If it is missing, shuffles, augments or has no image of some class, if its
            images have several labels and the head takes one, if a label is out of range, if the
            backbone cannot take images of this size, or if a patch of an image that it does not
            have is forbidden.
    """
    config = runner.cfg.get('push_dataloader')
    if config is None:
        raise InputError(
            'the config has no push_dataloader: add one that gives the training images '
            'without augmentation, in order'
        )
    train = (runner.cfg.get('train_dataloader') or {}).get('dataset')
    config = {**config, 'dataset': in_fold(config['dataset'], train)}
    dataloader = runner.build_dataloader(config, seed=runner.seed)
    dataset, model = dataloader.dataset, unwrap_model(runner.model)
    check_in_order(dataloader)
    check_label_counts(dataset, model.head.predicts_one_class, 'push_dataloader')
    labels = check_labels(dataset, model.head.num_classes, 'push_dataloader')
    check_every_class(dataset, labels, model.head.prototype_class.tolist())
    check_not_augmented(dataset)
    check_forbidden(model.head, dataset)
    shape = dataset[0]['inputs'].shape
    check_image_size(model.backbone, shape)
    warning = one_patch_warning(model.backbone, shape, model.head.prototype_vectors.shape[2:])
    if warning is not None:
        runner.logger.warning(f'model.backbone: {warning}.')
    return dataloader
