"""The config of the page on many classes."""

from mmengine.config import Config
from mmpretrain.registry import HOOKS, MODELS

from tests.docs.code_blocks import DOCS, code_blocks


def test_ten_thousand_classes_are_a_small_head(tmp_path):
    config, spread = code_blocks('many_classes.md', 'Many classes')
    base = DOCS.parent / 'configs/protopnet/vgg19_cub.py'
    text = (config + spread).replace("'vgg19_cub.py'", repr(str(base)))
    (tmp_path / 'many.py').write_text(text)
    cfg = Config.fromfile(tmp_path / 'many.py')
    HOOKS.build(cfg.custom_hooks[-1])
    head = MODELS.build(cfg.model.head)
    assert len(head.prototype_class) == 100_000
    assert head.last_layer.out_features == 10_000
    assert sum(value.numel() for value in head.last_layer.state_dict().values()) == 100_002
    assert list(head.loss_module.terms) == ['cls', 'cluster', 'separation']
