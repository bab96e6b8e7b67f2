"""Pushes in tests: one that leaves all of its files, and what one in a training changes."""

import torch
from mmengine.hooks import Hook

from mmproto.apis import push_prototypes, write_prototypes
from mmproto.datasets.map_dataset import images_of
from mmproto.engine.push_record import push_record
from mmproto.models import unwrap_model


def push_to(folder, model, dataloader, **record):
    """Push; ``record`` goes to ``push.json``."""
    nearest = push_prototypes(model, dataloader)
    push_record(model.head, dataloader.dataset, **record).save(folder)
    write_prototypes(model, nearest, dataloader.dataset, folder)


def own_patch_scores(model, dataset):
    """What each prototype scores at the place that it is said to come from."""
    head = model.eval().head
    images = torch.stack([dataset[image]['inputs'] for image in head.prototype_image.tolist()])
    with torch.no_grad():
        data = model.data_preprocessor(dict(inputs=images.float()))
        maps = head.similarity_maps(model.extract_feat(data['inputs']))
    places = enumerate(head.prototype_location.tolist())
    return torch.stack([maps[j, j, row, column] for j, (row, column) in places])


class NoteAccuracy(Hook):
    """Notes accuracy and predictions in validation before and after the fourth epoch's push."""

    priority = 'ABOVE_NORMAL'

    def after_train_epoch(self, runner):
        if runner.epoch == 3:
            self.before, self.predicted_before = accuracy(runner)

    def before_train_epoch(self, runner):
        if runner.epoch == 4:
            self.after, self.predicted_after = accuracy(runner)


@torch.no_grad()
def accuracy(runner):
    """In percent, with the predictions, by one batch of all images."""
    model, dataset = unwrap_model(runner.model).eval(), images_of(runner.val_dataloader.dataset)
    samples = [dataset[index]['inputs'] for index in range(len(dataset))]
    data = model.data_preprocessor(dict(inputs=samples), training=False)
    predicted = model(data['inputs'], mode='tensor').argmax(dim=1)
    return 100 * (predicted.numpy() == dataset.labels).mean(), predicted
