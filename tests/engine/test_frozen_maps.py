import torch
import torch.multiprocessing as mp
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmpretrain.registry import MODELS

from mmproto.engine.frozen_maps import map_dataset, take_images, take_maps
from tests.toy import loader, model_config


def build():
    init_default_scope('mmpretrain')
    torch.manual_seed(0)
    dataloader = Runner.build_dataloader(ConfigDict(loader(count=37)))
    return MODELS.build(model_config()).eval(), dataloader


def logits(model, dataset):
    samples = [dataset[index]['inputs'] for index in range(len(dataset))]
    data = model.data_preprocessor(dict(inputs=samples), training=False)
    with torch.no_grad():
        return model(data['inputs'], mode='tensor')


def test_the_head_sees_the_same_in_maps_as_in_images():
    model, dataloader = build()
    wanted, state = logits(model, dataloader.dataset), model.state_dict()
    maps = map_dataset(model, dataloader)
    assert [sample['data_samples'].gt_label.item() for sample in maps] == [
        maps.get_data_info(index)['gt_label'] for index in range(37)
    ]
    take_maps(model)
    torch.testing.assert_close(logits(model, maps), wanted)
    assert model.state_dict().keys() == state.keys()
    take_images(model)
    assert torch.equal(logits(model, dataloader.dataset), wanted)


def test_maps_with_channels_last_are_given_as_the_backbone_gives_them():
    backbone = dict(type='TIMMBackbone', model_name='swin_s3_tiny_224', features_only=True)
    model = MODELS.build({**model_config(), 'backbone': {**backbone, 'out_indices': (0,)}}).eval()
    dataloader = Runner.build_dataloader(ConfigDict(loader(count=3, size=224)))
    wanted = logits(model, dataloader.dataset)
    maps = map_dataset(model, dataloader)
    take_maps(model)
    torch.testing.assert_close(logits(model, maps), wanted)


def run_process(rank, folder):
    torch.distributed.init_process_group(
        'gloo', f'file://{folder}/rendezvous', rank=rank, world_size=2
    )
    torch.save(map_dataset(*build()).maps, f'{folder}/{rank}.pt')
    torch.distributed.destroy_process_group()


def test_two_processes_make_the_maps_that_one_makes(tmp_path):
    maps = map_dataset(*build()).maps
    mp.spawn(run_process, (str(tmp_path),), nprocs=2)
    for rank in range(2):
        assert torch.equal(torch.load(tmp_path / f'{rank}.pt'), maps)
