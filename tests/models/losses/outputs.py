"""What a head might have computed, out of a seed."""

import torch

from mmproto.models import DenseLastLayer, HeadOutputs


def random_outputs(images=4, classes=3, prototypes_per_class=2, channels=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    count = classes * prototypes_per_class
    prototype_class = torch.arange(count) // prototypes_per_class

    def rand(*shape):
        return torch.rand(*shape, generator=generator).requires_grad_()

    last_layer = DenseLastLayer(prototype_class, classes, other_class_weight=0.0)
    outputs = HeadOutputs(
        feature_map=rand(images, channels, 4, 4),
        distances=rand(images, count),
        locations=torch.zeros(images, count, 2, dtype=torch.long),
        scores=rand(images, count),
        logits=rand(images, classes),
        prototypes=rand(count, channels, 1, 1),
        prototype_class=prototype_class,
        last_layer=last_layer,
    )
    last_layer.set(rand(classes, count), prototype_class)
    return outputs
