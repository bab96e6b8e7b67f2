#!/usr/bin/env python
"""Try one model of every family of timm: build, a training step, a push, save and load.

A family is one of timm's model modules; of each the smallest model is tried, on random images
held in memory, without pretrained weights. Nothing but ``model.backbone.model_name`` differs.
"""

import argparse
import contextlib
import copy
import io
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path

# First: it says what to install where MMPretrain is missing.
from mmproto.utils.command_line import one_line_errors

# isort: split
import torch
from mmengine.config import Config, ConfigDict
from mmengine.logging import MMLogger
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from timm.models import get_pretrained_cfg
from torch.utils.data import Dataset

from mmproto.engine.fixed_batches import BATCH_SIZE
from mmproto.engine.push import push_prototypes
from mmproto.utils.files import check_out_file, whole_file

SCHEDULE = Path(__file__).parents[1] / 'configs/_base_/schedules/protopnet.py'

FAMILIES = {
    'beit': 'beit_base_patch16_224',
    'byoanet': 'halonet_h1',
    'byobnet': 'test_byobnet',
    'cait': 'cait_xxs24_224',
    'coat': 'coat_tiny',
    'convit': 'convit_tiny',
    'convmixer': 'convmixer_768_32',
    'convnext': 'test_convnext',
    'cpubone': 'cpubone_nano',
    'crossvit': 'crossvit_tiny_240',
    'csatv2': 'csatv2',
    'cspnet': 'cs3darknet_focus_s',
    'cspnext': 'cspnext_tiny',
    'davit': 'davit_tiny',
    'deepseek_vit': 'deepseek_vit_412m',
    'deit': 'deit_tiny_patch16_224',
    'densenet': 'densenet121',
    'dla': 'dla34',
    'dpn': 'dpn48b',
    'edgenext': 'edgenext_xx_small',
    'efficientformer': 'efficientformer_l1',
    'efficientformer_v2': 'efficientformerv2_s0',
    'efficientnet': 'test_efficientnet',
    'efficientvim': 'efficientvim_m1',
    'efficientvit_mit': 'efficientvit_b0',
    'efficientvit_msra': 'efficientvit_m0',
    'eva': 'vit_tiny_patch16_dinov3_qkvb',
    'fasternet': 'fasternet_t0',
    'fastvit': 'fastvit_t8',
    'focalnet': 'focalnet_tiny_srf',
    'gcvit': 'gcvit_xxtiny',
    'gemma4_vit': 'gemma4_vit_167m',
    'ghostnet': 'ghostnet_050',
    'hardcorenas': 'hardcorenas_b',
    'hgnet': 'hgnetv2_b0',
    'hiera': 'hiera_tiny_224',
    'hieradet_sam2': 'sam2_hiera_tiny',
    'hrnet': 'hrnet_w18_small',
    'iformer': 'iformer_t',
    'inception_next': 'inception_next_atto',
    'inception_resnet_v2': 'inception_resnet_v2',
    'inception_v3': 'inception_v3',
    'inception_v4': 'inception_v4',
    'lcnetv2': 'lcnetv2_small',
    'levit': 'levit_128',
    'lowformer': 'lowformer_b0',
    'mambaout': 'test_mambaout',
    'maxxvit': 'test_coatnet',
    'metaformer': 'poolformer_s12',
    'mlp_mixer': 'gmlp_ti16_224',
    'mobilenetv3': 'mobilenetv3_small_050',
    'mobilenetv5': 'mobilenetv5_base',
    'mobilevit': 'mobilevit_xxs',
    'mvitv2': 'mvitv2_tiny',
    'naflexvit': 'naflexvit_base_patch16_siglip',
    'nasnet': 'nasnetalarge',
    'nest': 'nest_tiny',
    'nextvit': 'nextvit_small',
    'nfnet': 'test_nfnet',
    'pit': 'pit_ti_224',
    'pnasnet': 'pnasnet5large',
    'pvt_v2': 'pvt_v2_b0',
    'qwen3_vit': 'qwen3_vit_88m',
    'rdnet': 'rdnet_tiny',
    'regnet': 'regnetx_002',
    'repghost': 'repghostnet_050',
    'repvit': 'repvit_m1',
    'res2net': 'res2next50',
    'resnest': 'resnest14d',
    'resnet': 'test_resnet',
    'resnetv2': 'resnetv2_18',
    'rexnet': 'rexnet_100',
    'selecsls': 'selecsls42',
    'senet': 'legacy_seresnet18',
    'sequencer': 'sequencer2d_s',
    'shvit': 'shvit_s1',
    'sknet': 'skresnet18',
    'starnet': 'starnet_s050',
    'swiftformer': 'swiftformer_xs',
    'swin_transformer': 'swin_tiny_patch4_window7_224',
    'swin_transformer_v2': 'swinv2_tiny_window8_256',
    'swin_transformer_v2_cr': 'swinv2_cr_tiny_224',
    'tiny_vit': 'tiny_vit_5m_224',
    'tnt': 'tnt_s_legacy_patch16_224',
    'tresnet': 'tresnet_m',
    'twins': 'twins_svt_small',
    'vgg': 'vgg11',
    'visformer': 'visformer_tiny',
    'vision_transformer': 'test_vit',
    'vision_transformer_hybrid': 'vit_tiny_r_s16_p8_224',
    'vision_transformer_relpos': 'test_vit_relpos',
    'vision_transformer_sam': 'samvit_base_patch16_224',
    'vitamin': 'vitamin_small_224',
    'volo': 'volo_d1_224',
    'vovnet': 'ese_vovnet19b_slim_dw',
    'xception': 'legacy_xception',
    'xception_aligned': 'xception41p',
    'xcit': 'xcit_nano_12_p8_224',
}

# Networks that take any size are tried on small images, those built for one size on that one.
SIZE = 128
# The exceptions: blocks or strides that need more, and networks too large for more.
SIZES = {
    'beit_base_patch16_224': 112,
    'csatv2': 256,
    'deepseek_vit_412m': 56,
    'gemma4_vit_167m': 96,
    'halonet_h1': 256,
    'qwen3_vit_88m': 96,
    'sam2_hiera_tiny': 224,
    'samvit_base_patch16_224': 112,
}

IMAGES = 4
CLASSES = 2
HEADER = ('family', 'model', 'input', 'map', 'stride', 'parameters', 'push')


class RandomImages(Dataset):
    """A few random images of every class in turn."""

    def __init__(self, size):
        self.images = torch.randint(0, 256, (IMAGES, 3, size, size), dtype=torch.uint8)
        self.metainfo = dict(classes=[f'class {label}' for label in range(CLASSES)])

    def __len__(self):
        return IMAGES

    def __getitem__(self, index):
        sample = DataSample().set_gt_label(index % CLASSES)
        return dict(inputs=self.images[index], data_samples=sample)

    def get_data_info(self, index):
        return dict(img_path=f'{index}.png', gt_label=index % CLASSES)


@dataclass(frozen=True)
class Result:
    """What a model that works was measured at."""

    size: int
    map_size: tuple[int, int]
    parameters: int
    push_seconds: float

    def columns(self):
        return (
            f'{self.size} x {self.size}',
            f'{self.map_size[0]} x {self.map_size[1]}',
            f'{self.size / self.map_size[0]:.3g}',
            f'{self.parameters / 1e6:.1f} M',
            f'{self.push_seconds:.1f} s',
        )


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--only', nargs='+', metavar='NAME', help='only these families or models')
    parser.add_argument('--out', type=Path, help='Markdown file for the table')
    args = parser.parse_args()
    if unknown := set(args.only or ()) - {*FAMILIES, *FAMILIES.values()}:
        parser.error(f'--only: no such family or model: {", ".join(sorted(unknown))}')
    return args


def input_size(name):
    """Side of the images that a model is tried on."""
    declared = get_pretrained_cfg(name)
    size = declared.input_size[-1]
    return SIZES.get(name, size if declared.fixed_input_size else min(size, SIZE))


def build(name, size):
    """The classifier; a network that is built for one size is built for this one."""
    backbone = dict(
        type='TIMMBackbone',
        model_name=name,
        features_only=True,
        out_indices=(-1,),
        pretrained=False,
    )
    if name in SIZES and get_pretrained_cfg(name).fixed_input_size:
        backbone['img_size'] = size
    return MODELS.build(
        dict(
            type='ProtoPNet',
            backbone=backbone,
            neck=dict(type='ProtoPNetAddOn', out_channels=16),
            head=dict(
                type='ProtoPNetHead', num_classes=CLASSES, in_channels=16, prototypes_per_class=2
            ),
        )
    )


def train_step(model, dataset):
    """One step of the joint stage; its loss has to be finite and to reach the backbone."""
    optim_wrapper = build_optim_wrapper(model, Config.fromfile(SCHEDULE).optim_wrapper)
    model.train()
    optim_wrapper.activate('joint', model, iterations=1)
    samples = [dataset[index] for index in range(CLASSES)]
    data = dict(
        inputs=torch.stack([sample['inputs'] for sample in samples]),
        data_samples=[sample['data_samples'] for sample in samples],
    )
    before = samples_of(model.backbone)
    loss = model.train_step(data, optim_wrapper)['loss'].item()
    if not math.isfinite(loss):
        raise ArithmeticError(f'the loss is {loss}')
    if torch.equal(before, samples_of(model.backbone)):
        raise ArithmeticError('the step left the backbone as it was')


def samples_of(module):
    """The first number of every weight: enough to see a step, and no second large model."""
    return torch.stack([parameter.detach().flatten()[0] for parameter in module.parameters()])


def push(model, dataset):
    """Seconds of a push onto the data set."""
    loader = Runner.build_dataloader(
        ConfigDict(
            batch_size=IMAGES,
            num_workers=0,
            dataset=dataset,
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=dict(type='default_collate'),
        )
    )
    start = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):  # no progress bars between the rows
        push_prototypes(model, loader)
    return time.perf_counter() - start


@torch.no_grad()
def save_and_load(model, fresh, images):
    """An untrained model with the saved weights has to give the same logits; returns (H', W')."""
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    fresh.load_state_dict(torch.load(file))
    fresh.eval()
    feats = model.extract_feat(images)
    if not torch.equal(model.head(feats), fresh.head(fresh.extract_feat(images))):
        raise ArithmeticError('the loaded model gives other logits')
    return tuple(feats[-1].shape[-2:])


def try_model(name):
    """Take one model through everything."""
    torch.manual_seed(0)
    size = input_size(name)
    dataset = RandomImages(size)
    model = build(name, size)
    fresh = copy.deepcopy(model)
    train_step(model, dataset)
    seconds = push(model, dataset)
    images = model.data_preprocessor({'inputs': [dataset[0]['inputs']]})['inputs']
    map_size = save_and_load(model, fresh, images)
    parameters = sum(parameter.numel() for parameter in model.backbone.parameters())
    return Result(size, map_size, parameters, seconds)


def row_of(family, name):
    """The row of one model, and whether it works."""
    try:
        return (family, name, *try_model(name).columns()), True
    except Exception as error:  # one model's error must not end the sweep
        reason = ' '.join(f'{type(error).__name__}: {error}'.split())[:200].replace('|', '/')
        return (family, name, f'fails: {reason}', '', '', '', ''), False


def markdown(rows, summary):
    lines = [HEADER, ('---',) * 4 + ('---:',) * 3, *rows]
    table = '\n'.join('| ' + ' | '.join(line) + ' |' for line in lines)
    return (
        '# Backbones\n\n'
        'One model of every family of timm, as `python tools/sweep_backbones.py --out '
        'docs/backbones.md` finds\nthem: built by `model.backbone.model_name` alone, a training '
        f'step, a push onto {IMAGES} random images,\nsaved and loaded. Images are '
        'normalised as each network was trained. Networks that take any size are\ntried on small '
        'images, those built for one size mostly on that; parameters are those of the feature\n'
        f'extractor. The push takes one thread a batch, which is {BATCH_SIZE} images whatever '
        'their number.\n\n'
        'A transformer that works is not yet one whose explanations are true. Trained on the\n'
        "same birds by the same recipe, and judged beside the demo's convolutional network, a\n"
        'ViT explains all of its points by prototypes of the class that it predicts, as that\n'
        'one does; but the part in a box is the one that the score depends on in about half\n'
        'of the images only, and the parts under its boxes keep the prediction less often\n'
        'than those under the same boxes elsewhere. It classifies worse as well, so this is\n'
        'one network beside another, not their families:\n'
        '[explanations.md](explanations.md#a-vision-transformer-beside-a-convolutional-network).\n\n'
        f'{summary}.\n\n{table}\n'
    )


def main():
    args = parse_args()
    if args.out is not None:
        check_out_file(args.out)
    init_default_scope('mmpretrain')
    MMLogger.get_current_instance().setLevel('ERROR')
    torch.set_num_threads(1)  # as in a push; networks this small gain little from more
    chosen = {
        family: name
        for family, name in FAMILIES.items()
        if args.only is None or family in args.only or name in args.only
    }
    rows, works = [], []
    for family, name in chosen.items():
        row, good = row_of(family, name)
        print('  '.join(row), flush=True)
        rows.append(row)
        works.append(good)
    summary = f'{sum(works)} of {len(works)} families work'
    print(summary)
    if args.out is not None:
        with whole_file(args.out) as file:
            file.write_text(markdown(rows, summary))
    sys.exit(not all(works))


if __name__ == '__main__':
    with one_line_errors():
        main()
