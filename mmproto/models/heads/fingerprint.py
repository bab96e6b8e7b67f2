import hashlib

from mmproto.models.heads.protopnet_head import ProtoPNetHead


def fingerprint(head: ProtoPNetHead) -> str:
    """Return what tells a head from any other: a SHA-256 of prototypes, classes and last layer.

    Numbers of prototypes mean something for this head alone; a file of edits says by it which
    head it is about.
    """
    digest = hashlib.sha256()
    for tensor in (head.prototype_vectors, head.prototype_class, *head.last_layer.kept()):
        digest.update(str(tuple(tensor.shape)).encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
