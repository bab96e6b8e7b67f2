from base64 import b64decode

import cv2
import numpy as np
import pytest

from mmproto.visualization.thumbnails import CHUNK, Thumbnails, encode


def test_equal_images_are_stored_once():
    store = Thumbnails()
    addresses = [store.add(np.full((9, 9, 3), grey // 2, np.uint8), 9) for grey in range(4)]
    assert addresses == ['thumb:0', 'thumb:0', 'thumb:1', 'thumb:1']
    assert [len(chunk) for chunk in store.chunks()] == [2]


def test_an_address_leads_to_its_image():
    store = Thumbnails()
    images = [np.full((8, 16, 3), 8 * number % 256, np.uint8) for number in range(30)]
    images += [np.full((16, 8, 3), (8, 8 * number % 256, 200), np.uint8) for number in range(30)]
    addresses = [store.add(image, 8) for image in images]
    stored = [encoded for chunk in store.chunks() for encoded in chunk]
    for image, address in zip(images, addresses):
        encoded = stored[int(address.removeprefix('thumb:'))]
        found = cv2.imdecode(np.frombuffer(b64decode(encoded), np.uint8), 1)
        assert max(found.shape) == 8
        assert np.abs(found.mean(axis=(0, 1)) - image.mean(axis=(0, 1))).max() < 8


def test_chunks_are_full_but_for_the_last(monkeypatch):
    monkeypatch.setattr('mmproto.visualization.thumbnails.CHUNK', 4)
    store = Thumbnails()
    for number in range(10):
        store.add(np.full((8, 8, 3), 25 * number, np.uint8), 8)
    assert [len(chunk) for chunk in store.chunks()] == [4, 4, 2]
    assert CHUNK >= 256


def test_what_is_no_image_is_refused():
    with pytest.raises((ValueError, cv2.error)):
        encode(np.zeros((0, 4, 3), np.uint8))
