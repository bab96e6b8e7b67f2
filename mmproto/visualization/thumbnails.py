"""Many small images for one page: each is stored once, and read when it is shown."""

from base64 import b64encode

import cv2
import numpy as np

from mmproto.visualization.drawing import thumbnail

# Half the size of a JPEG, most of which would be tables at this size.
QUALITY = 65
CHUNK = 256


class Thumbnails:
    """A store of small images that a page's script reads.

    The address of an image, 'thumb:7', means something to that script alone, so that markup with
    such addresses has to stay out of the document until the script has put images in.
    """

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {}

    def add(self, image: np.ndarray, side: int) -> str:
        """Store an image (height, width, 3), uint8, in BGR order.

        Args:
            image: The image.
            side: How many pixels its longer side is to have.

        Returns:
            Its address; that of an equal image, if there is one.
        """
        encoded = encode(thumbnail(image, side))
        return f'thumb:{self._numbers.setdefault(encoded, len(self._numbers))}'

    def chunks(self) -> list[list[str]]:
        """All images in base64, in lists of ``CHUNK`` each, in the order of their addresses."""
        images = [b64encode(encoded).decode() for encoded in self._numbers]
        return [images[i : i + CHUNK] for i in range(0, len(images), CHUNK)]


def encode(image: np.ndarray) -> bytes:
    """Return the image as WebP."""
    done, buffer = cv2.imencode('.webp', image, [cv2.IMWRITE_WEBP_QUALITY, QUALITY])
    if not done:
        raise ValueError(f'no WebP can be made of an array {image.shape} of {image.dtype}')
    return buffer.tobytes()
