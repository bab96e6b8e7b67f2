"""A push of images with any number of labels, on one process and on two."""

import pytest
import torch
import torch.multiprocessing as mp
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmpretrain.registry import DATASETS, MODELS
from mmpretrain.structures import DataSample

from mmproto.engine.push import push_prototypes
from tests.toy import ArrayDataset, loader, model_config

COUNT = 37  # no multiple of a number of processes, or of a batch size
CLASSES = 3


@DATASETS.register_module()
class FindingsDataset(ArrayDataset):
    """Image i has the classes whose bits are set in i: one, several or none."""

    def labels_of(self, index):
        return [label for label in range(CLASSES) if index >> label & 1]

    def get_data_info(self, index):
        return dict(gt_label=self.labels_of(index), img_path=f'{index}.png')

    def __getitem__(self, index):
        sample = DataSample().set_gt_label(self.labels_of(index))
        return {**super().__getitem__(index), 'data_samples': sample}


def model_and_loader():
    init_default_scope('mmpretrain')
    torch.manual_seed(0)
    model = MODELS.build(model_config(type='MultiLabelProtoPNetHead')).eval()
    config = loader(batch_size=5, count=COUNT)
    config['dataset']['type'] = 'FindingsDataset'
    return model, Runner.build_dataloader(ConfigDict(config))


def run_process(rank, world_size, folder):
    """One of several processes that push together."""
    torch.distributed.init_process_group(
        'gloo', f'file://{folder}/rendezvous', rank=rank, world_size=world_size
    )
    torch.set_num_threads(1)
    model, dataloader = model_and_loader()
    push_prototypes(model, dataloader)
    torch.save(model.state_dict(), f'{folder}/{rank}.pth')
    torch.distributed.destroy_process_group()


def test_two_processes_push_findings_as_one_does(tmp_path):
    model, dataloader = model_and_loader()
    push_prototypes(model, dataloader)
    head = model.head
    for label, image in zip(head.prototype_class.tolist(), head.prototype_image.tolist()):
        assert label in dataloader.dataset.labels_of(image)
    mp.start_processes(run_process, (2, str(tmp_path)), 2, start_method='fork')
    for rank in range(2):
        for name, value in torch.load(tmp_path / f'{rank}.pth').items():
            assert torch.equal(value, model.state_dict()[name]), name


def test_each_prototype_is_the_nearest_patch_of_its_finding():
    model, dataloader = model_and_loader()
    before = model.head.prototype_vectors.detach().clone()
    dataset = dataloader.dataset
    with torch.no_grad():
        maps = [
            model.extract_feat(dataset[i]['inputs'][None].float() / 255)[-1][0]
            for i in range(COUNT)
        ]
    push_prototypes(model, dataloader)
    for j, label in enumerate(model.head.prototype_class.tolist()):
        distances = {
            i: (maps[i] - before[j]).square().sum(dim=0).min().item()
            for i in range(COUNT)
            if i >> label & 1
        }
        nearest = min(distances, key=distances.get)
        assert model.head.prototype_image[j] == nearest
        assert model.head.prototype_distance[j].item() == pytest.approx(
            distances[nearest], rel=1e-3, abs=1e-4
        )
