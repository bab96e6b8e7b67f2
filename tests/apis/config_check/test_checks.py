"""Each mistake is told by a line that names the setting, and what is no mistake passes."""

import copy
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.logging import MMLogger
from mmpretrain.registry import HOOKS

from mmproto.apis import load_config
from mmproto.apis.config_check.checks import check_config, check_settings, require_sound
from mmproto.datasets.birds import make_birds
from mmproto.errors import InputListError
from tests.test_configs import CONFIGS, LEAVES, data_of, images  # noqa: F401
from tests.toy import loader, train_config

NO_EFFECT = 'has no effect'


def changed(tmp_path, settings, drop=()):
    """The toy's config with settings by their dotted names."""
    cfg = Config(copy.deepcopy(train_config(tmp_path / 'work')))
    cfg.merge_from_dict(settings)
    for name in drop:
        *places, last = name.split('.')
        section = cfg
        for place in places:
            section = section[int(place) if place.isdecimal() else place]
        section.pop(last)
    return cfg


def lines(cfg, options=()):
    found = [str(finding) for finding in check_config(cfg, options)]
    assert all('\n' not in line for line in found)
    return found


def test_a_sound_config_has_no_findings_and_stays_as_it_is(tmp_path):
    cfg = changed(tmp_path, {})
    before = copy.deepcopy(cfg.to_dict())
    logger = MMLogger.get_current_instance()
    assert lines(cfg) == []
    assert cfg.to_dict() == before
    assert not (tmp_path / 'work').exists()
    assert MMLogger.get_current_instance() is logger


ADAM = 'optim_wrapper.stages.joint'
TIMM = dict(
    _delete_=True,
    type='TIMMBackbone',
    model_name='test_resnet',
    features_only=True,
    out_indices=(99,),
)
MISTAKES = {
    # names
    'model.head.prototypes_per_clas': (3, 'did you mean prototypes_per_class?'),
    'model.head.type': ('ProtoHead', 'did you mean ProtoPNetHead?'),
    'model.head.loss': (dict(type='ProtoLoss'), 'did you mean ProtoPNetLoss?'),
    'model.backbone.chanels': (3, 'did you mean channels?'),
    'modle': (dict(backbone=dict(depth=18)), 'did you mean model?'),
    'train_dataloader.batchsize': (3, 'did you mean batch_size?'),
    'train_dataloader.dataset.type': ('ArayDataset', 'did you mean ArrayDataset?'),
    'train_dataloader.sampler.type': ('DefaultSampeler', 'did you mean DefaultSampler?'),
    'default_hooks.checkpoint.type': ('CheckpontHook', 'did you mean CheckpointHook?'),
    'default_hooks.checkpoint.save_bst': ('auto', 'did you mean save_best?'),
    'default_hooks.loger': (dict(interval=3), 'did you mean logger?'),
    'custom_hooks.0.type': ('PushHook', 'no hook that is registered'),
    'val_evaluator.type': ('Acuracy', 'did you mean Accuracy?'),
    'val_evaluator.topkk': ((1,), 'did you mean topk?'),
    'optim_wrapper.clip_grd': (dict(max_norm=1), 'did you mean clip_grad?'),
    'optim_wrapper.optimizer.type': ('Adamm', 'did you mean Adam'),
    f'{ADAM}.neck.learning_rate': (0.1, 'Adam takes no learning_rate for a group'),
    f'{ADAM}.optimizer': (dict(type='SDG'), 'did you mean SGD?'),
    'visualizer': (dict(type='UniversalVisualiser'), 'did you mean UniversalVisualizer?'),
    'log_processor': (dict(type='LogProcesor'), 'did you mean LogProcessor?'),
    'randomness.sed': (3, 'did you mean seed?'),
    'auto_scale_lr': (dict(base_batch=3), 'did you mean base_batch_size?'),
    # values
    'train_dataloader.num_workers': ('two', 'has to be a whole number'),
    'train_dataloader.batch_size': (-3, 'at least 1'),
    'push_dataloader.drop_last': ('no', 'has to be True or False'),
    f'{ADAM}.neck.lr': (-1, 'at least 0'),
    f'{ADAM}.prototypes.lr': (float('nan'), 'give a number'),
    f'{ADAM}.backbone.lr': ('fast', 'has to be a number'),
    f'{ADAM}': (None, 'say what it trains'),
    'optim_wrapper.stages': (None, "lacks ['stages']"),
    'optim_wrapper.stages ': (7, 'give a dict of stages'),
    'optim_wrapper.clip_grad': (dict(max_norm='abc'), 'could not convert'),
    'optim_wrapper.optimizer.betas': (3, 'has to be a list'),
    'param_scheduler': (7, 'give a list of schedulers'),
    'train_cfg.val_interval': (0, 'at least 1'),
    'model.head.num_classes': (2.5, 'a whole number'),
    'model.head.similarity': (3, 'Similarity'),
    'model.head.topk': ('one', 'topk'),
    'model.neck': (7, 'give a dict'),
    'model.head.cal_acc': ('yes', 'has to be True or False'),
    'default_hooks.checkpoint.interval': ('often', 'has to be a whole number'),
    'default_hooks.visualization': (None, 'no such hook to leave out'),
    'custom_hooks': (3, 'has to be a list'),
    'log_level': ('LOUD', 'name a level'),
    'resume': ('yes', 'has to be True or False'),
    'default_hooks.checkpoint.max_keep_ckpts': (float('inf'), 'a whole number'),
    'train_cfg.val_begin': ([1, 2], 'a whole number'),
    'default_scope': ('mmpretrai', 'did you mean mmpretrain?'),
    'env_cfg': (dict(mp_cfg=dict(mp_start_method='knife')), 'choose among'),
    'env_cfg.mp_cfg': (dict(mp_start='fork'), 'did you mean mp_start_method?'),
    'randomness.deterministic': (None, 'has to be True or False'),
    'randomness.seed': (True, 'a whole number'),
    'param_scheduler.joint': ([None], 'give a dict'),
    'model.backbone': (False, 'give a dict'),
    'train_cfg.dynamic_intervals': ([(1, 0)], 'a list of pairs'),
    'model.backbone.drop_path_rate': (-1, 'a number from 0 to 1'),
    'model.init_cfg': (dict(type='Nothing'), 'no weight initializer that is registered'),
    'model.backbone.init_cfg': ([dict(type='Pretrained')], 'Pretrained needs checkpoint'),
    'model.head.prototypes_per_class': (10**9, 'at most 1000000 in all'),
    'model.head.prototype_size': (1.5, 'give one side, or height and width'),
    'model.train_cfg': (dict(augments=[dict(type='MixUp', alpha=1)]), 'did you mean Mixup?'),
    'data_preprocessor.batch_augments': (dict(augments='Mixup'), 'give a dict with its type'),
    'model.neck.init_cfg': (3, 'has to be a dict'),
    'model.backbone ': (TIMM, 'model.backbone.out_indices=(99,) does not work'),
    'optim_wrapper.schedule.epochs': (10**10, 'at most 100000'),
    'optim_wrapper.schedule': ([dict(stage='joint', epochs=10**6, push=True)], 'at most 100000'),
    'randomness.seed ': (2**32, 'at most 4294967295'),
    'train_dataloader.num_workers ': (10**6, 'at most 1000'),
    'train_dataloader.worker_init_fn': ('x', 'give a dict with its type'),
    'env_cfg.resource_limit': ('x', 'a whole number'),
    'auto_scale_lr.enable': ('x', 'True or False'),
    'auto_scale_lr.base_batch_size': (0, 'at least 1'),
    'log_processor.window_size': ('x', 'a whole number'),
    'optim_wrapper.clip_grad ': (dict(max_norm=0), 'a number above 0'),
    f'{ADAM}.neck.lr ': (True, 'a number of at least 0'),
    'custom_hooks.0.priority': ('MIDDLE', 'choose among'),
    'default_hooks.timer': (None, 'leave it in'),
    'default_hooks.runtime_info': (None, 'leave it in'),
    'default_hooks.checkpoint.filename_tmpl': ('a{}{}.pth', 'put {} where the number'),
    'default_hooks.checkpoint.out_dir': (5, 'has to be a text'),
    # what has no effect
    'runner_type': ('FlexibleRunner', 'does not train a ProtoPNet'),
    'strategy': (dict(type='FSDPStrategy'), NO_EFFECT),
    'optim_wrapper.optimizer.lr': (0.1, NO_EFFECT),
    'optim_wrapper.schedule.warm_epochs': (99, 'lower the one'),
    'param_scheduler.joints': ([], "has ['joints']"),
    'train_dataloader.prefetch_factor': (2, NO_EFFECT),
    # what has to fit
    'model.head.loss ': (dict(type='LabelSmoothLoss'), 'model.head.loss.cls.label_smoothing'),
    'data_preprocessor': (dict(std=[1, 1, 1]), 'data_preprocessor.mean: set both'),
    'data_preprocessor ': (dict(mean=[0, 0, 0], std=[1, 0, 1]), 'numbers that are positive'),
    'model.head.num_classes ': (5, 'has no image of 2 of 5 classes'),
    'model.head.type ': ('LinearClsHead', 'has no prototypes'),
    'val_evaluator.topk': ((1, 5), 'model.head has 3 classes'),
    'default_hooks.checkpoint.save_best': ('accuracy/foo', 'did you mean accuracy/top1?'),
    'train_cfg.type': ('EpochBasedTrainLoop', 'go together'),
    'val_dataloader': (None, 'val_dataloader is missing'),
    'push_dataloader': (None, 'push_dataloader is missing'),
    'push_dataloader.dataset': (dict(type='UnevenDataset', count=3), 'different sizes'),
    'push_dataloader.dataset.type ': ('NoisyDataset', 'augments'),
    'model.neck.out_channels': (7, 'channels'),
    'custom_hooks.0': (dict(type='SolverHook'), 'nothing would push'),
}


@pytest.mark.parametrize('setting', MISTAKES)
def test_a_mistake_is_told(tmp_path, setting):
    value, message = MISTAKES[setting]
    found = lines(changed(tmp_path, {setting.strip(): value}))
    assert any(message in line for line in found), found
    last = setting.strip().split('.')[-1]
    assert any(last in line or setting.strip().split('.')[0] in line for line in found), found


@pytest.mark.parametrize(
    'setting',
    [
        'default_scope',
        'model',
        'model.head',
        'train_cfg',
        'optim_wrapper.schedule',
        'custom_hooks.0.type',
    ],
)
def test_what_is_missing_is_told(tmp_path, setting):
    found = lines(changed(tmp_path, {}, drop=[setting]))
    *_, last = setting.split('.')
    assert any(last in line for line in found), found


def test_all_is_told_at_once(tmp_path):
    settings = [
        'model.head.prototypes_per_clas',
        'train_dataloader.batch_size',
        'val_evaluator.type',
    ]
    cfg = changed(tmp_path, {setting: MISTAKES[setting][0] for setting in settings})
    found = lines(cfg)
    assert len(found) == 3
    assert all(any(setting in line for line in found) for setting in settings)
    with pytest.raises(InputListError) as errors:
        require_sound(cfg)
    assert [*errors.value.args] == found


def test_a_loader_without_a_batch_is_told(tmp_path):
    few = {'train_dataloader.batch_size': 13, 'train_dataloader.drop_last': True}
    (line,) = lines(changed(tmp_path, few))
    assert 'train_dataloader has no batch' in line
    assert 'batch_size=13 exceeds the 12 images' in line
    assert lines(changed(tmp_path, {**few, 'train_dataloader.batch_size': 12})) == []


@pytest.mark.parametrize(
    ('option', 'settings'),
    [
        ('optim_wrapper.schedule.push_start', {}),
        ('optim_wrapper.schedule.push_interval', {}),
        ('optim_wrapper.stages.warm.neck.lr', {'optim_wrapper.schedule.warm_epochs': 0}),
        (
            'optim_wrapper.schedule.last_layer_epochs',
            {'optim_wrapper.stages.last_layer': dict(solver=dict(type='SparseLastLayer'))},
        ),
    ],
)
def test_options_that_the_schedule_leaves_unused(tmp_path, option, settings):
    cfg = changed(tmp_path, {})
    cfg.merge_from_dict(
        {name: dict(value, _delete_=True) if isinstance(value, dict) else value
         for name, value in settings.items()}
    )  # fmt: skip
    assert lines(cfg) == []  # inherited it is no mistake
    (line,) = lines(cfg, [option])
    assert line.startswith(f'{option} {NO_EFFECT}')


def test_a_list_of_metrics_is_no_best(tmp_path):
    cfg = changed(
        tmp_path,
        {
            'val_evaluator': [
                dict(type='ConfusionMatrix'),
                dict(type='SingleLabelMetric', average=None),
            ],
            'default_hooks.checkpoint.save_best': 'single-label/precision_classwise',
        },
    )
    (line,) = lines(cfg)
    assert 'is a list, not one number' in line


def test_the_best_of_a_class_can_be_kept(tmp_path):
    cfg = changed(
        tmp_path,
        {
            'val_evaluator': [dict(type='Accuracy'), dict(type='ClassAccuracy')],
            'default_hooks.checkpoint.save_best': 'accuracy/of/class 2',
        },
    )
    assert lines(cfg) == []


def test_a_hook_of_ones_own_may_take_anything(tmp_path):
    @HOOKS.register_module()
    class TakesAnything(Hook):
        def __init__(self, **kwargs):
            self.kwargs = kwargs

    try:
        cfg = changed(tmp_path, {})
        cfg.custom_hooks.append(dict(type='TakesAnything', whatever=-1))
        assert [*check_settings(cfg)] == []
    finally:
        HOOKS.module_dict.pop('TakesAnything')


def test_the_test_set_may_be_elsewhere_but_not_wrong(tmp_path):
    test = dict(test_dataloader=loader(file='/nowhere.npz'), test_cfg=dict())
    cfg = changed(tmp_path, {**test, 'test_evaluator': dict(type='Accuracy')})
    assert lines(cfg) == []
    cfg.test_dataloader.dataset = dict(type='ArrayDataset', count='many')
    (line,) = lines(cfg)
    assert line.startswith('test_dataloader.dataset does not work')


def test_the_pipeline_of_a_test_set_elsewhere_is_looked_at(tmp_path):
    test = dict(test_dataloader=loader(), test_cfg=dict(), test_evaluator=dict(type='Accuracy'))
    test['test_dataloader']['dataset'] = dict(
        type='CustomDataset',
        data_root='/nowhere',
        pipeline=[dict(type='LoadPicture', color_type='colo'), dict(type='PackInputs')],
    )
    (line,) = lines(changed(tmp_path, test))
    assert line.startswith("test_dataloader.dataset.pipeline.0: LoadPicture.color_type='colo'")
    test['test_dataloader']['dataset']['pipeline'][0].pop('color_type')
    assert lines(changed(tmp_path, test)) == []


def test_necks_one_after_another(tmp_path):
    cfg = changed(tmp_path, {})
    cfg.model.neck = [dict(type='HRFuseScales', in_channels=(8, 8)), dict(type='Poling')]
    found = [str(one) for one in check_settings(cfg)]
    assert len(found) == 1
    assert found[0].startswith("model.neck.1.type='Poling' is no model")


def test_a_test_needs_no_training_data(tmp_path):
    cfg = changed(tmp_path, {'train_dataloader.dataset.file': '/nowhere.npz'})
    cfg.merge_from_dict(
        dict(test_dataloader=loader(seed=2), test_cfg=dict(), test_evaluator=dict(type='Accuracy'))
    )
    assert check_config(cfg, sets=['test']) == []
    assert any('train_dataloader' in line for line in lines(cfg))


@pytest.mark.parametrize('leaf', LEAVES)
def test_the_shipped_configs_are_sound_as_they_are_read(leaf):
    assert [*check_settings(load_config(CONFIGS / leaf))] == []


@pytest.mark.slow
@pytest.mark.parametrize('leaf', [leaf for leaf in LEAVES if data_of(leaf) in ('cub', 'birds')])
def test_the_shipped_configs_are_sound_as_they_are_built(leaf, tmp_path):
    birds = make_birds(tmp_path / 'birds', train=2, test=1, size=64)
    options = {} if 'birds' in leaf else {'val_evaluator.topk': (1,), 'test_evaluator.topk': (1,)}
    file = CONFIGS / leaf
    cfg = load_config(file, data_root=birds, num_classes=12, cfg_options=options)
    assert check_config(cfg, options) == []


@pytest.mark.slow
def test_every_config_of_mmpretrain_that_classifies_is_sound_as_it_is_read():
    import mmpretrain

    root = Path(mmpretrain.__file__).parent / '.mim/configs'
    files = sorted(root.glob('*/*in1k.py'))[::8]
    for file in [file for file in files if 'resnest' not in file.name]:  # lack val_cfg
        try:
            cfg = Config.fromfile(file)
        except (RuntimeError, KeyError):  # a config that MMEngine does not read
            continue
        assert [str(one) for one in check_settings(cfg)] == [], file.name


def test_what_does_not_go_with_shares_of_the_prototypes_is_found(tmp_path):
    cfg = changed(tmp_path, {'optim_wrapper.clip_grad': dict(max_norm=1)})
    cfg.custom_hooks.append(dict(type='ShardedPrototypesHook'))
    (line,) = lines(cfg)
    assert 'prototypes, but optim_wrapper.clip_grad looks at all gradients at once' in line
