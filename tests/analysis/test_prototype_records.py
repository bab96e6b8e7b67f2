import pytest
import torch
from mmengine.runner import Runner
from mmpretrain.registry import MODELS

from mmproto.analysis.prototype_records import activation_maps, prototype_records
from mmproto.apis import push_prototypes
from mmproto.explanation.high_activation import cell_centre, region_box, upsample
from tests.toy import loader, model_config


def test_a_record_says_where_a_prototype_comes_from():
    torch.manual_seed(0)
    model = MODELS.build(model_config())
    dataset = Runner.build_dataloader(loader(count=37, size=48)).dataset
    before = model.head.prototype_vectors.data.clone()
    model.head.name_prototypes({2: 'red beak'})
    nearest = push_prototypes(model, Runner.build_dataloader({**loader(), 'dataset': dataset}))
    records = prototype_records(model, activation_maps(model.head, nearest), dataset)
    head = model.head
    assert [record.prototype for record in records] == list(range(6))
    for record, image in zip(records, head.prototype_image.tolist()):
        number = record.prototype
        assert record.name == ('red beak' if number == 2 else None)
        assert record.class_index == int(head.prototype_class[number])
        assert record.class_name == f'class {record.class_index}'
        assert (record.image, record.image_index) == (f'{image}.png', image)
        assert record.image_size == (48, 48)
        assert record.location == tuple(head.prototype_location[number].tolist())
        assert record.distance == pytest.approx(float(head.prototype_distance[number]))
        assert record.receptive_field is None  # of an unknown backbone

    # The box is around what was most similar to the prototype before it moved.
    head.prototype_vectors.data.copy_(before)
    for record in records:
        inputs = dataset[record.image_index]['inputs'][None].float() / 255
        with torch.no_grad():
            maps = head.similarity_maps(model.extract_feat(inputs))[0, record.prototype]
        point = cell_centre(record.location, maps.shape, (48, 48))
        box = region_box(upsample(maps.numpy(), (48, 48)), point)
        assert list(record.box) == ['top', 'bottom', 'left', 'right']
        assert list(record.box.values()) == pytest.approx(list(box), abs=1)
