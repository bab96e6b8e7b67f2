"""Images as a measure is given them, of a small model."""

import numpy as np
import torch
from mmpretrain.registry import MODELS

from mmproto.evaluation.explained_image import explained_images
from mmproto.evaluation.network_probe import NetworkProbe
from tests.toy import ArrayDataset, model_config


def small_network(**changes):
    torch.manual_seed(0)
    model = MODELS.build(model_config(**changes)).eval()
    torch.nn.init.normal_(model.head.last_layer.weight)
    return NetworkProbe(model)


def varied_network(**changes):
    """One whose prototypes and predictions vary from image to image.

    The prototypes are patches of several images, the weights leave out what scores have in common.
    """
    network = small_network(**changes)
    head = network.model.head
    inputs = torch.stack([image.input for image in explained(network, 20)])
    features = network.outputs(inputs).feature_map
    for number, vector in enumerate(head.prototype_vectors.data):
        vector[:, 0, 0] = features[number, :, number, 7 - number]
    weight = head.last_layer.weight.data
    mean = torch.tensor(np.mean([image.scores for image in explained(network, 20)], axis=0))
    weight -= (weight @ mean)[:, None] * mean / mean.square().sum()
    return network


def explained(network, count=5, seed=0):
    """Images of noise of three classes."""
    dataset = ArrayDataset(count=count, seed=seed)
    pixels = torch.from_numpy(dataset.images).permute(0, 3, 1, 2)
    labels = dataset.labels.tolist()
    return explained_images(
        network, list(pixels), pixels / 255, range(count), labels, dataset, set()
    )


def rows_of(images, found):
    return [dict(row, number=image.number, label=image.label) for image, row in zip(images, found)]


def classes(network):
    return np.array(network.model.head.prototype_class)
