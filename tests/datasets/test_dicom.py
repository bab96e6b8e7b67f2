"""DICOM files against what the standard's formulas give for their values."""

import importlib.util

import numpy as np
import pytest
from pydicom.dataset import Dataset

from mmproto.datasets import FolderDataset, LoadPicture
from mmproto.datasets.checks import check_image_file
from mmproto.errors import InputError
from tests.dicom_files import write_dicom

DEEP = np.random.default_rng(0).integers(0, 4096, (7, 11)).astype(np.uint16)
DEEP[0, :2] = 0, 4095


def load(path, **settings):
    return LoadPicture(**settings)(dict(img_path=str(path)))['img']


@pytest.mark.parametrize(('bits', 'times'), [(12, 1), (16, 16)])
def test_without_a_window_the_values_are_stretched(tmp_path, bits, times):
    image = load(write_dicom(tmp_path / 'a.dcm', DEEP * np.uint16(times), bits=bits))
    assert image.shape == (7, 11, 3)
    for channel in range(3):
        np.testing.assert_allclose(image[..., channel], DEEP / 4095 * 255, atol=0.51)


def test_a_window_of_rescaled_values(tmp_path):
    path = write_dicom(
        tmp_path / 'a.DCM', DEEP, WindowCenter=[40, 600], WindowWidth=[401, 900],
        RescaleSlope=1, RescaleIntercept=-1024,
    )  # fmt: skip
    expected = ((DEEP - 1024.0 - 39.5) / 400 + 0.5).clip(0, 1) * 255
    np.testing.assert_allclose(load(path, color_type='grayscale'), expected, atol=0.51)


def test_a_window_wider_than_the_image_is_not_stretched(tmp_path):
    values = np.full((7, 11), 1000, np.uint16)
    values[0] = 1500
    path = write_dicom(tmp_path / 'a.dcm', values, WindowCenter=2048, WindowWidth=4096)
    image = load(path, color_type='grayscale')
    assert {*image.ravel().tolist()} == {62, 93}


def test_signed_values_and_a_slope_below_zero(tmp_path):
    values = (DEEP.astype(np.int16) - 2048) // 2
    path = write_dicom(
        tmp_path / 'a.dcm', values, WindowCenter=0.5, WindowWidth=1001,
        RescaleSlope=-1, RescaleIntercept=0,
    )  # fmt: skip
    expected = (-values / 1000 + 0.5).clip(0, 1) * 255
    np.testing.assert_allclose(load(path, color_type='grayscale'), expected, atol=0.51)


def test_a_table_of_values_goes_before_a_window(tmp_path):
    table = Dataset()
    table.LUTDescriptor = [4096, 0, 12]
    entries = 4095 * np.arange(4096, dtype=np.int64) ** 2 // 4095**2
    table.LUTData = entries.astype('<u2').tobytes()
    path = write_dicom(
        tmp_path / 'a.dcm', DEEP, VOILUTSequence=[table], WindowCenter=1, WindowWidth=2
    )
    expected = (DEEP / 4095.0) ** 2 * 255
    np.testing.assert_allclose(load(path, color_type='grayscale'), expected, atol=0.6)


@pytest.mark.parametrize('window', [{}, dict(WindowCenter=2048, WindowWidth=4096)])
def test_monochrome1_is_inverted(tmp_path, window):
    path = write_dicom(tmp_path / 'a.dcm', DEEP, 'MONOCHROME1', **window)
    expected = 255 - DEEP / 4095 * 255
    np.testing.assert_allclose(load(path, color_type='grayscale'), expected, atol=0.6)


@pytest.mark.parametrize('photometric', ['RGB', 'YBR_FULL'])
def test_colours(tmp_path, photometric):
    values = np.zeros((6, 8, 3), np.uint8)
    values[:] = dict(RGB=(200, 40, 10), YBR_FULL=(84, 86, 210))[photometric]
    image = load(write_dicom(tmp_path / 'a.dicom', values, photometric, bits=8))
    assert np.abs(image[0, 0].astype(int) - (10, 40, 200)).max() <= 2


def test_several_frames_are_refused_by_name(tmp_path):
    frames = np.stack([DEEP, DEEP])
    path = write_dicom(tmp_path / 'a' / '0.dcm', frames, NumberOfFrames=2)
    for image in (tmp_path / 'a' / '1.dcm', *(tmp_path / 'b' / f'{i}.dcm' for i in range(2))):
        write_dicom(image, DEEP)
    for read in (load, check_image_file, lambda _: FolderDataset(str(tmp_path), split='all')):
        with pytest.raises(InputError, match=r'a/0\.dcm holds 2 images \(frames or pages\)'):
            read(str(path))


def test_a_folder_finds_those_that_are_cut_off(tmp_path):
    for name in 'ab':
        for i in range(3):
            path = write_dicom(tmp_path / name / f'{i}.dcm', DEEP + np.uint16(i))
    assert len(FolderDataset(str(tmp_path), split='all')) == 6
    for content in (path.read_bytes()[:-40], b'no image'):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r'1 of 6 files cannot be read as images: .*b/2\.dcm'):
            FolderDataset(str(tmp_path), split='all')


def test_without_pydicom_it_says_what_to_type(tmp_path, monkeypatch):
    path = write_dicom(tmp_path / 'a.dcm', DEEP)
    found = importlib.util.find_spec
    monkeypatch.setattr(
        'mmproto.utils.extras.find_spec', lambda name: None if name == 'pydicom' else found(name)
    )
    with pytest.raises(InputError, match=r"pydicom is not installed: type `pip install 'mmproto"):
        load(path)
