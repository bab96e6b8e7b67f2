import pytest
from mmengine.hooks import CheckpointHook
from mmpretrain.models import TIMMBackbone
from torch.optim import Adam

from mmproto.apis.config_check.signature import signature_of
from mmproto.datasets.cub import AnnotatedCUB
from mmproto.engine.hooks import DiskSpaceHook


class Parent:
    def __init__(self, first: int, second: str = 'b') -> None:
        pass


class HandsOn(Parent):
    def __init__(self, own: float = 1.0, **kwargs) -> None:
        super().__init__(**kwargs)


class LooksInto(Parent):
    def __init__(self, **kwargs) -> None:
        kwargs.setdefault('first', 3)
        super().__init__(**kwargs)


class Elsewhere(Parent):
    def __init__(self, **kwargs) -> None:
        super().__init__(1)
        self.other = dict(**kwargs)


class Tuple(tuple):
    pass


def test_arguments_are_those_of_parents_too():
    arguments, is_open = signature_of(HandsOn)
    assert not is_open
    assert {*arguments} == {'own', 'first', 'second'}
    assert [name for name in arguments if arguments[name].is_own] == ['own']
    assert arguments['own'].annotation is float


@pytest.mark.parametrize('kind', [LooksInto, Elsewhere, TIMMBackbone])
def test_where_keywords_go_is_not_guessed(kind):
    assert signature_of(kind).is_open


def test_classes_of_others():
    assert {'lr', 'betas', 'params'} <= {*signature_of(Adam).arguments}
    assert {'pipeline', 'split', 'data_root'} <= {*signature_of(AnnotatedCUB).arguments}
    assert 'save_optimizer' in signature_of(CheckpointHook).arguments  # of Runner.save_checkpoint
    assert not signature_of(CheckpointHook).is_open


def test_a_class_without_arguments_takes_none():
    assert signature_of(DiskSpaceHook) == ({}, False)
    assert signature_of(Tuple).is_open
