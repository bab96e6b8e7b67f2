"""Small DICOM files."""

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid


def write_dicom(path, values, photometric='MONOCHROME2', bits=12, **elements):
    """Write values (H, W), (H, W, 3) or (frames, H, W) with further elements of the header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.asarray(values)
    colours = photometric in ('RGB', 'YBR_FULL')
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.SOPClassUID = SecondaryCaptureImageStorage
    header.SOPInstanceUID = generate_uid(entropy_srcs=[str(path)])
    header.Rows, header.Columns = values.shape[:2] if colours else values.shape[-2:]
    header.SamplesPerPixel = 3 if colours else 1
    if colours:
        header.PlanarConfiguration = 0
    header.PhotometricInterpretation = photometric
    header.BitsAllocated = 8 * values.itemsize
    header.BitsStored, header.HighBit = bits, bits - 1
    header.PixelRepresentation = int(values.dtype.kind == 'i')
    header.PixelData = values.tobytes() + b'\0' * (values.nbytes % 2)
    for name, value in elements.items():
        setattr(header, name, value)
    header.save_as(path, enforce_file_format=True)
    return path
