import json
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.runner import Runner
from mmpretrain.registry import MODELS

from mmproto.apis import export_onnx as export
from mmproto.engine.push import push_prototypes
from mmproto.errors import InputError
from tests.docs.code_blocks import code_blocks
from tests.toy import ConvBackbone, loader, model_config

onnxruntime = pytest.importorskip('onnxruntime')
ROOT = Path(__file__).parents[2]
SWIN = dict(img_size=64, window_size=2, embed_dim=24, depths=(1, 1, 1, 1))


# Of a block-sparse last layer: two connections to other classes.
LISTED = torch.tensor([[1.0, 2, 0, 0.5, 0, 0], [0, 0, 1, 1, 0, 0], [0, -1, 0, 0, 1, 3]])


def build(
    model_name,
    prototype_size=1,
    preprocessor=None,
    similarity='log',
    memory_format='contiguous_format',
    last_layer='dense',
    **settings,
):
    torch.manual_seed(0)
    config = model_config(
        prototype_size=prototype_size, similarity=similarity, last_layer=last_layer
    )
    config['memory_format'] = memory_format
    config['data_preprocessor'].update(preprocessor or {})
    config['backbone'] = dict(
        type='TIMMBackbone',
        model_name=model_name,
        features_only=True,
        **{'out_indices': (-1,), **settings},
    )
    model = MODELS.build(config).eval()
    if last_layer != 'dense':
        model.head.set_last_layer(LISTED)
    return model


def run(file, images):
    """Logits, scores, location and boxes of the file, as tensors."""
    session = onnxruntime.InferenceSession(file)
    return [torch.from_numpy(out) for out in session.run(None, dict(images=images.numpy()))]


def metadata(file):
    return onnxruntime.InferenceSession(file).get_modelmeta().custom_metadata_map


def clearly_nearest(maps):
    """Place (N, P, 2) of the most similar patch, and whether (N, P) no other is as near."""
    best = maps.flatten(2).topk(2)
    index = best.indices[..., 0]
    location = torch.stack([index // maps.shape[-1], index % maps.shape[-1]], dim=-1)
    return location, best.values[..., 0] - best.values[..., 1] > 1e-5


@pytest.mark.parametrize(
    ('name', 'sizes', 'settings'),
    [
        (
            'test_resnet',
            [(64, 96), (128, 65), (97, 160)],
            dict(prototype_size=(1, 2), memory_format='channels_last'),
        ),
        pytest.param(
            'vgg11',
            [(64, 64), (100, 70), (48, 128)],
            dict(prototype_size=2, out_indices=(-2,)),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            'test_convnext',
            [(64, 64), (96, 70), (64, 160)],
            dict(similarity='linear', last_layer='block_sparse'),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            'test_vit',  # its position embeddings are interpolated
            [(64, 64), (96, 64), (32, 128)],
            dict(img_size=64),
            marks=pytest.mark.slow,
        ),
        pytest.param('swin_tiny_patch4_window7_224', [(64, 64)], SWIN, marks=pytest.mark.slow),
    ],
)
@torch.no_grad()
def test_one_file_agrees_with_torch_for_any_number_and_size_of_images(
    tmp_path, name, sizes, settings
):
    model, file = build(name, **settings), tmp_path / 'model.onnx'
    agreement = export.export_onnx(model, sizes[0], file)
    assert agreement.difference < 1e-5
    assert agreement.sizes[0] == sizes[0]
    assert (len(agreement.sizes) > 1) == (len(sizes) > 1)
    assert agreement.cases == (1 + 3) * 6 * len(agreement.sizes)
    assert agreement.same > 0.95 * agreement.cases
    assert [path.name for path in tmp_path.iterdir()] == ['model.onnx']
    written = '64, 64' if len(sizes) == 1 else 'height, width'
    assert f'(N, 3, {written})' in metadata(file)['images']
    for size, count in product(sizes, (1, 8)):
        images = torch.rand(count, 3, *size) * 255
        logits, scores, location, boxes = run(file, images)
        feats = model.extract_feat(images / 255)
        torch.testing.assert_close(logits, model.head(feats), rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(scores, model.head.pre_logits(feats), rtol=1e-5, atol=1e-5)
        expected, clear = clearly_nearest(model.head.similarity_maps(feats))
        assert torch.equal(location[clear], expected[clear])
        assert clear.float().mean() > 0.7
        for axis, extent in enumerate(model.head.prototype_vectors.shape[2:]):
            pixels, cells = size[axis], feats[-1].shape[2 + axis]
            start, end = boxes[..., 2 * axis], boxes[..., 2 * axis + 1]
            assert torch.equal(start, location[..., axis] * pixels // cells)
            assert torch.equal(end, (location[..., axis] + extent) * pixels // cells)
        assert int(boxes[..., 1].max()) <= size[0]
        assert int(boxes[..., 3].max()) <= size[1]


@torch.no_grad()
def test_a_graph_of_torch_has_all_prototypes_for_images_of_any_size(monkeypatch):
    blocks = sys.modules['mmproto.functional.nearest_distance']
    monkeypatch.setattr(blocks, 'PAIRS', 1500)  # one for the example, several for larger images
    model = MODELS.build(model_config(similarity='linear')).eval()
    (code,) = code_blocks('explain.md', 'ONNX')
    names = dict(model=model, images=torch.rand(2, 3, 32, 32))
    exec(code, names)  # noqa: S102 - the page's own
    torch.testing.assert_close(names['logits'], model(names['images']), rtol=1e-5, atol=1e-5)
    for count, size in ((1, (32, 32)), (3, (80, 97)), (2, (200, 256))):
        images = torch.rand(count, 3, *size)
        found = names['graph'].module()(images)
        torch.testing.assert_close(found, model(images), rtol=1e-5, atol=1e-5)


@MODELS.register_module()
class TwoGraphsBackbone(ConvBackbone):
    """Has another graph for images of one height."""

    def forward(self, x):
        return super().forward(x if x.shape[2] == 32 else x.flip(2))


def test_a_network_without_one_graph_for_any_size_is_exported_for_one(tmp_path, caplog):
    MMLogger.get_current_instance().addHandler(caplog.handler)
    config, file = model_config(), tmp_path / 'model.onnx'
    config['backbone']['type'] = 'TwoGraphsBackbone'
    agreement = export.export_onnx(MODELS.build(config), (32, 48), file)
    assert agreement.sizes == [(32, 48)]
    assert '(N, 3, 32, 48)' in metadata(file)['images']
    assert 'A graph for images of any size: the exported model differs from' in caplog.text
    assert 'Exporting one for 32 x 48 alone' in caplog.text


@torch.no_grad()
def test_a_prototype_scores_the_most_where_it_comes_from(tmp_path):
    model, file = build('resnet10t', out_indices=(-2,)), tmp_path / 'model.onnx'
    push_set = Runner.build_dataloader(loader(size=48))
    push_prototypes(model, push_set)
    model.head.name_prototypes({4: 'red <beak>'})
    model._dataset_meta = dict(classes=('wren', 'jay', 'owl'))
    export.export_onnx(model, (48, 48), file)
    about = metadata(file)
    assert json.loads(about['classes']) == ['wren', 'jay', 'owl']
    prototypes = json.loads(about['prototypes'])
    assert [prototype['class_index'] for prototype in prototypes] == [0, 0, 1, 1, 2, 2]
    assert [prototype.get('name') for prototype in prototypes] == [*[None] * 4, 'red <beak>', None]
    for index, prototype in enumerate(prototypes):
        image = push_set.dataset[prototype['image_index']]['inputs'][None].float()
        _, scores, location, _ = run(file, image)
        assert scores[0, index].item() == pytest.approx(9.21034, abs=1e-3)
        assert location[0, index].tolist() == prototype['location']
        assert prototype['distance'] == float(model.head.prototype_distance[index])


@torch.no_grad()
def test_images_go_in_as_rgb_and_are_normalised_and_padded_inside(tmp_path):
    settings = dict(mean=[10, 20, 30], std=[4, 5, 6], to_rgb=True, pad_size_divisor=32)
    model, file = build('test_resnet', preprocessor=settings), tmp_path / 'model.onnx'
    export.export_onnx(model, (50, 40), file)
    images = torch.randint(256, (2, 3, 50, 40)).float()
    logits, *_ = run(file, images)
    bgr = model.data_preprocessor(dict(inputs=images.flip(1)))['inputs']
    assert bgr.shape == (2, 3, 64, 64)
    torch.testing.assert_close(logits, model(bgr, mode='tensor'), rtol=0, atol=1e-4)
    about = metadata(file)
    assert 'float32 (N, 3, height, width)' in about['images']
    assert 'red, green, blue' in about['images']
    assert json.loads(about['classes']) == ['class 0', 'class 1', 'class 2']
    assert json.loads(about['prototypes'])[0] == dict(class_index=0)  # no training patch


def test_a_file_that_differs_is_not_kept(tmp_path, monkeypatch):
    forward = export.LocatingClassifier.forward

    def wrong(self, images):
        logits, *rest = forward(self, images)
        return logits + 1e-2, *rest

    monkeypatch.setattr(export.LocatingClassifier, 'forward', wrong)
    file = tmp_path / 'model.onnx'
    file.write_text('an earlier one')
    with pytest.raises(InputError, match=r'differs from the checkpoint by 1\.0e-02.* was written'):
        export.export_onnx(MODELS.build(model_config()), (64, 64), file)
    assert [path.read_text() for path in tmp_path.iterdir()] == ['an earlier one']


@pytest.mark.parametrize(
    ('pipeline', 'size'),
    [
        ([dict(type='Resize', scale=(96, 64)), dict(type='PackInputs')], (64, 96)),
        ([dict(type='ResizeEdge', scale=256), dict(type='CenterCrop', crop_size=224)], (224, 224)),
        ([dict(type='Resize', scale=(96, 64), keep_ratio=True)], None),
        ([dict(type='ResizeEdge', scale=256)], None),
        (None, None),
    ],
)
def test_the_size_is_that_of_the_test_pipeline(pipeline, size):
    dataset = dict() if pipeline is None else dict(pipeline=pipeline)
    cfg = Config(dict(test_dataloader=dict(dataset=dataset)))
    if size is None:
        with pytest.raises(InputError, match='give their size, height and width in pixels'):
            export.input_size(cfg)
    else:
        assert export.input_size(cfg) == size


def test_what_is_missing_is_named_at_once(tmp_path, monkeypatch):
    with pytest.raises(InputError, match='give a file in a folder that is there'):
        export.check_export(tmp_path / 'no' / 'model.onnx')
    with pytest.raises(InputError, match='opset=17: choose one from 18 to '):
        export.check_export(tmp_path / 'model.onnx', opset=17)
    monkeypatch.setitem(sys.modules, 'onnx', None)
    monkeypatch.delitem(sys.modules, 'onnx')
    monkeypatch.setattr(sys, 'path', [])
    with pytest.raises(InputError, match=r"onnx.*pip install 'mmproto\[export\]'"):
        export.check_export(tmp_path / 'model.onnx')


def test_another_head_is_refused(tmp_path):
    head = dict(type='LinearClsHead', num_classes=3, in_channels=6)
    model = MODELS.build({**model_config(), 'head': head})
    with pytest.raises(InputError, match='has the head LinearClsHead: only one with a Proto'):
        export.export_onnx(model, (64, 64), tmp_path / 'model.onnx')


@pytest.mark.slow
def test_the_command_line(tmp_path):
    config, weights, out = (tmp_path / name for name in ('config.py', 'weights.pth', 'model.onnx'))
    model = build('test_resnet')
    classes = dict(dataset_meta=dict(classes=('wren', 'jay', 'owl')))
    torch.save(dict(state_dict=model.state_dict(), meta=classes), weights)
    settings = {**model_config(), 'backbone': dict(
        type='TIMMBackbone', model_name='test_resnet', features_only=True, out_indices=(-1,)
    )}  # fmt: skip
    config.write_text(f'model = {settings}\n')

    def command(*arguments):
        line = [sys.executable, 'tools/export_onnx.py', config, *arguments]
        done = subprocess.run(
            list(map(str, line)), cwd=ROOT, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout + done.stderr

    code, text = command(weights, '--out', out, '--size', 64, 96)
    assert code == 0, text
    assert 'finds the prototypes in the same place in 96 of 96 cases' in text
    assert 'takes images of any size that the network takes' in text
    assert json.loads(metadata(out)['classes']) == ['wren', 'jay', 'owl']
    images = torch.rand(2, 3, 64, 96)
    with torch.no_grad():
        torch.testing.assert_close(run(out, images * 255)[0], model(images), rtol=0, atol=1e-4)
    for arguments, message in (
        ((tmp_path / 'no.pth', '--out', out, '--size', 64, 64), 'there is no checkpoint'),
        ((weights, '--out', tmp_path / 'no' / 'x.onnx'), 'give a file in a folder'),
        ((weights, '--out', out), 'give their size, height and width in pixels'),
        ((weights, '--out', out, '--size', 1, 0), 'give two numbers of at least 1'),
    ):
        code, text = command(*arguments)
        assert code == 1
        assert text.splitlines()[-1].startswith('error: ')
        assert message in text.splitlines()[-1]
